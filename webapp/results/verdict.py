"""The answer to the question an experiment was frozen with: one difference, its interval, and what it cannot say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webapp.core.templatetags.cemlab import FEWEST_SHOWN, interval_parts
from webapp.experiments.design import GROUPS, MEASURES
from webapp.experiments.models import Arm, Experiment, Run
from webapp.results import selectors
from webapp.results.kept import kept
from webapp.results.models import Evaluation
from webapp.results.selectors import TEST_SETS
from webapp.results.stored import result_of

STATES = {
    "shown": ("ok", "Shown"),
    "worse": ("warning", "Worse"),
    "not shown": ("cancelled", "Not shown"),
    "undefined": ("cancelled", "No answer"),
}
"""Answer → state and words of its chip."""


@dataclass(frozen=True)
class Verdict:
    """What was asked, what came out, what it cannot say.

    Attributes
    ----------
    arm, reference : Arm or None
    measure, group, test_set : str
        Of the primary endpoint.
    margin : float or None
        Of non-inferiority; None where superiority was asked.
    answer : {"shown", "worse", "not shown", "undefined"}
    interval : dict
        `detection.evaluation.intervals.Interval` as JSON of the difference, mean of the seeds.
    p_value : float or None
        Two-sided, of no difference; None where it is not shown.
    seeds : list of (seed, value or None)
        Difference of each seed.
    asked, came_out : str
    cannot : list of str
    """

    arm: Arm | None
    reference: Arm | None
    measure: str
    group: str
    test_set: str
    margin: float | None
    answer: str
    interval: dict[str, Any]
    p_value: float | None
    seeds: list[tuple[int, float | None]]
    asked: str
    came_out: str
    cannot: list[str]

    @property
    def chip(self) -> tuple[str, str]:
        """State and words."""
        return STATES[self.answer]


def verdict(experiment: Experiment, looks: dict[str, int] | None = None) -> Verdict:
    """The declared comparison on the primary endpoint; the caller has recorded the look.

    `looks` are those of the moment the reader is told of, by test set; absent, those counted so far.
    """
    measure, group, test_set = experiment.primary_endpoint.split(":")
    arm, reference = selectors.compared_arms(experiment)
    margin = experiment.margin
    if arm is None or reference is None:
        why = "the design has no second arm to compare with"
        number = selectors.undefined(f"undefined: {why}")
        return Verdict(
            arm, reference, measure, group, test_set, margin, "undefined", number, None, [],
            f"What is the {_endpoint(measure, group, test_set)}?",
            f"No difference to answer with: {why}.",
            [],
        )  # fmt: skip
    pairs, left_out = _pairs(experiment, arm, reference, test_set)
    body = _differences([(one, other) for _, one, other in pairs], measure, group) if pairs else {}
    number = body.get("interval") or selectors.undefined(
        f"undefined: {body.get('reason') or left_out[0] if body or left_out else 'no run was evaluated'}"
    )
    answer = _answer(number, margin)
    return Verdict(
        arm,
        reference,
        measure,
        group,
        test_set,
        margin,
        answer,
        number,
        body.get("p_value") if number["n"] >= FEWEST_SHOWN else None,
        [(run.seed, value) for (run, _, _), value in zip(pairs, body.get("seeds", [None] * len(pairs)), strict=True)],
        _asked(arm, reference, measure, group, test_set, margin),
        _came_out(answer, number, margin),
        _cannot(
            (selectors.looks(experiment) if looks is None else looks).get(test_set, 0),
            answer,
            number,
            body.get("seeds", []),
            left_out,
            test_set,
            margin,
        ),
    )


def _endpoint(measure: str, group: str, test_set: str) -> str:
    name = MEASURES[measure] if measure == "auc" else MEASURES[measure].lower()
    return f"{name} for {GROUPS[group]} on the {TEST_SETS[test_set]} test set"


def _asked(arm: Arm, reference: Arm, measure: str, group: str, test_set: str, margin: float | None) -> str:
    what = _endpoint(measure, group, test_set)
    if margin is None:
        return f"Is the {what} higher with {arm.name} than with {reference.name}?"
    return f"Is the {what} with {arm.name} less than {margin:g} below that with {reference.name}?"


def _pairs(
    experiment: Experiment, arm: Arm, reference: Arm, test_set: str
) -> tuple[list[tuple[Run, Evaluation, Evaluation]], list[str]]:
    """Evaluations of both arms by seed, and the seeds that cannot be compared with the reason."""
    found, reasons = selectors.evaluations(experiment), selectors.refused(experiment)
    others = {run.seed: run for run in reference.runs.all()}
    pairs, left_out = [], []
    for run in arm.runs.all():
        both = [run, others[run.seed]] if run.seed in others else [run]
        evaluated = [found.get((one.pk, test_set)) for one in both]
        if len(evaluated) == 2 and evaluated[0] is not None and evaluated[1] is not None:
            pairs.append((run, evaluated[0], evaluated[1]))
            continue
        missing = next((one for one, has in zip(both, evaluated, strict=True) if has is None), run)
        why = reasons.get((missing.pk, test_set)) or selectors.why_missing(missing).removeprefix("undefined: ")
        left_out.append(f"seed {run.seed}, {missing.arm.name}: {why}")
    return pairs, left_out


def _differences(pairs: list[tuple[Evaluation, Evaluation]], measure: str, group: str) -> dict[str, Any]:
    """Mean difference with interval and p value, and the difference of each seed; or the reason why there is none."""
    hashes = [one.inputs_hash for pair in pairs for one in pair]
    return kept("verdict", [*hashes, measure, group], lambda: _compute(pairs, measure, group))


def _compute(pairs: list[tuple[Evaluation, Evaluation]], measure: str, group: str) -> dict[str, Any]:
    from detection.evaluation.comparisons import mean_differences
    from detection.evaluation.errors import EvaluationError

    try:
        read = [[result_of(one) for one in pair] for pair in pairs]
        made = mean_differences([p[0] for p in read], [p[1] for p in read], only={(measure, group)})  # type: ignore[arg-type]
    except EvaluationError as error:
        return {"reason": str(error)}
    if not made:
        return {"reason": "the lesion types of this test set are not known"}
    values = [[selectors.short(one)[measure][group]["value"] for one in pair] for pair in pairs]
    return {
        "interval": made[0].interval.to_json(),
        "p_value": made[0].test.p_value,
        "seeds": [None if one is None or other is None else one - other for one, other in values],
    }


def _answer(number: dict[str, Any], margin: float | None) -> str:
    if number["low"] is None or number["n"] < FEWEST_SHOWN:
        return "undefined"
    if number["low"] > (0 if margin is None else -margin):
        return "shown"
    return "worse" if number["high"] < 0 else "not shown"


def _came_out(answer: str, number: dict[str, Any], margin: float | None) -> str:
    parts = interval_parts(number, signed=True)
    if answer == "undefined":
        return f"No answer: {parts.get('undefined', 'no interval')}: {parts.get('reason', '')}."
    said = f"{parts['value']} {parts['range']} {parts['n']}"
    border = "0" if margin is None else f"−{margin:g}"
    if answer == "shown":
        more = ""
        if margin is not None and number["low"] > 0:
            more = " It also lies above 0."
        elif number["high"] < 0:
            more = " It also lies below 0: lower, by less than the margin."
        return f"Yes: the difference is {said}; the interval lies above {border}.{more}"
    if answer == "worse" and number["high"] < -(margin or 0):
        return f"No: the difference is {said}; the whole interval lies below {border}."
    more = " It lies below 0." if answer == "worse" else ""
    return f"Not shown: the difference is {said}; the interval does not lie wholly above {border}.{more}"


def _cannot(
    looks: int,
    answer: str,
    number: dict[str, Any],
    seeds: list[float | None],
    left_out: list[str],
    test_set: str,
    margin: float | None,
) -> list[str]:
    said = []
    if answer == "not shown":
        said.append(
            "Not shown is not the same as no difference: everything inside the interval agrees with these data."
            + (" No margin was declared, so that nothing is claimed about being no worse." if margin is None else "")
        )
    values = [value for value in seeds if value is not None]
    if len(values) > 1:
        spread = " to ".join(interval_parts({"value": end}, signed=True)["value"] for end in (min(values), max(values)))
        said.append(
            f"The interval covers the patients of the test set. Chance in training stands apart: the {len(values)} "
            f"seeds range from {spread}."
        )
    elif answer != "undefined":
        said.append("One seed: what another training with the same recipe would give is not known.")
    if left_out:
        said.append(f"Left out: {'; '.join(left_out)}.")
    if looks > 1:
        said.append(
            f"The {TEST_SETS[test_set]} test set was opened {looks} times with this experiment: choices made after "
            "seeing it are not tested by it."
        )
    said.append("It answers for this endpoint alone; every other number on these pages is exploratory.")
    return said
