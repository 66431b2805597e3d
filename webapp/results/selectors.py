"""Reading results: numbers by arm, seed, test set and group, and the cases behind them.

Nothing here opens a test set: callers ask `experiments.selectors.all_runs_ended` first and record the look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, QuerySet

from detection.evaluation.errors import EvaluationError
from detection.evaluation.protocol import Protocol, require_same_protocol
from webapp.accounts.models import Project, User
from webapp.experiments import selectors as experiments
from webapp.experiments.models import Arm, Experiment, Run, RunState
from webapp.registry.models import RegisteredModel
from webapp.registry.selectors import models_of
from webapp.results.kept import kept
from webapp.results.models import Evaluation, TestSetLook

MEASURES = {"sensitivity": "Sensitivity", "precision": "Precision", "auc": "AUC"}
GROUPS = {
    "malignant_cluster": "Malignant clusters",
    "malignant_mass": "Malignant masses",
    "malignant": "All malignant",
}
TEST_SETS = {"internal_test": "internal", "external_test": "external"}
LOCKED = "undefined: locked until every run of the experiment has ended"


@dataclass(frozen=True)
class Row:
    """The numbers of one run on one test set for one group of lesions.

    `numbers` maps each measure to the stored interval (`detection.evaluation.intervals.Interval` as JSON); a run
    without an evaluation has intervals without value, with the reason.
    """

    arm: Arm
    run: Run
    test_set: str
    group: str
    numbers: dict[str, dict[str, Any]]

    @property
    def group_words(self) -> str:
        """What pages call the group."""
        return GROUPS[self.group]

    @property
    def test_set_words(self) -> str:
        """``internal`` or ``external``."""
        return TEST_SETS[self.test_set]


def experiments_with_results(user: User | AnonymousUser, project: Project) -> QuerySet[Experiment]:
    """Experiments of a project the person may see, with arms and runs."""
    return experiments.with_arms(experiments.experiments_of(user, project))


def latest(user: User | AnonymousUser, project: Project) -> Experiment | None:
    """The newest experiment whose runs have all ended, at least one of them with results."""
    return (
        experiments_with_results(user, project)
        .exclude(arms__runs__state__in=[RunState.QUEUED, RunState.RUNNING])
        .filter(arms__runs__state=RunState.DONE)
        .distinct()
        .first()
    )


RECORDS = frozenset({"lesions", "findings", "views", "units"})
"""What a stored result has for every lesion, finding, view and patient."""


def evaluations(experiment: Experiment) -> dict[tuple[int, str], Evaluation]:
    """Evaluations that may stand side by side, by run and test set; `refused` has the others.

    Their records are large and are fetched once they are asked for; `short` has what pages need of most.
    """
    return _sorted_out(experiment)[0]


def refused(experiment: Experiment) -> dict[tuple[int, str], str]:
    """Why an evaluation is not set beside the others, by run and test set: another protocol or other test data."""
    return _sorted_out(experiment)[1]


def _sorted_out(experiment: Experiment) -> tuple[dict[tuple[int, str], Evaluation], dict[tuple[int, str], str]]:
    declared = Protocol.from_json(experiment.protocol)
    digests: dict[str, str] = {}
    found: dict[tuple[int, str], Evaluation] = {}
    reasons: dict[tuple[int, str], str] = {}
    stored = Evaluation.objects.filter(run__arm__experiment=experiment).defer("result").select_related("run__arm")
    for one in stored.order_by("run__arm__position", "run__seed", "pk"):
        key = one.run_id, one.test_set
        try:
            require_same_protocol(declared, Protocol.from_json(one.protocol))
        except EvaluationError as error:
            reasons[key] = str(error)
            continue
        if reason := _not_read(one):
            reasons[key] = reason
            continue
        digest = short(one)["test_set_digest"]
        if digest != digests.setdefault(one.test_set, digest):
            reasons[key] = (
                "This run was evaluated on other images, patients or lesions than the first arm and cannot be "
                "compared. Evaluate all arms on one frozen test set."
            )
            continue
        found[key] = one
    return found, {key: reason for key, reason in reasons.items() if key not in found}


def _not_read(evaluation: Evaluation) -> str:
    from detection.evaluation.result import EARLIER, SCHEMA

    schema = short(evaluation).get("schema")
    if schema == SCHEMA or schema in EARLIER:
        return ""
    return f"This evaluation was stored as {schema!r}, which is no longer read; evaluate the run again."


def short(evaluation: Evaluation) -> dict[str, Any]:
    """A stored result without its records."""
    return kept(
        "short",
        [str(evaluation.pk), evaluation.inputs_hash],
        lambda: {name: value for name, value in evaluation.result.items() if name not in RECORDS},
    )


def present_test_sets(experiment: Experiment) -> list[str]:
    """Test sets the dataset version has views of, internal first."""
    present = set(
        experiment.version.version_views.filter(split__in=TEST_SETS).values_list("split", flat=True).distinct()
    )
    return [test_set for test_set in TEST_SETS if test_set in present]


def compared_arms(experiment: Experiment) -> tuple[Arm | None, Arm | None]:
    """Arm and reference of the declared comparison.

    Without one (designs frozen before comparisons were declared): the last arm against the first arm without synthetic
    data.
    """
    arms = {arm.position: arm for arm in experiment.arms.all()}
    if experiment.comparison:
        return arms.get(experiment.comparison["arm"]), arms.get(experiment.comparison["reference"])
    reference = next((arm for arm in arms.values() if arm.ratio_benign == arm.ratio_malignant == 0), None)
    others = [arm for arm in arms.values() if reference is not None and arm.pk != reference.pk]
    return (others[-1] if others else None), reference


def rows(experiment: Experiment) -> list[Row]:
    """Every arm × seed × test set × group, ordered by test set, group, arm and seed."""
    found, reasons = _sorted_out(experiment)
    arms = list(experiment.arms.all())
    return [
        Row(
            arm,
            run,
            test_set,
            group,
            _numbers(found.get((run.pk, test_set)), group, run, reasons.get((run.pk, test_set), "")),
        )
        for test_set in present_test_sets(experiment)
        for group in GROUPS
        for arm in arms
        for run in arm.runs.all()
    ]


def _numbers(evaluation: Evaluation | None, group: str, run: Run, reason: str = "") -> dict[str, dict[str, Any]]:
    if evaluation is not None:
        return {measure: short(evaluation)[measure][group] for measure in MEASURES}
    return dict.fromkeys(MEASURES, undefined(f"undefined: {reason}" if reason else why_missing(run)))


def undefined(reason: str) -> dict[str, Any]:
    """An interval without a value."""
    return {"value": None, "low": None, "high": None, "n": 0, "reason": reason}


def why_missing(run: Run) -> str:
    """Why a run without an evaluation has no numbers."""
    return {
        RunState.DONE: "undefined: this test set was not evaluated",
        RunState.FAILED: "undefined: the run failed",
        RunState.CANCELLED: "undefined: the run was cancelled",
    }.get(RunState(run.state), "undefined: the run has not ended")


def models_of_runs(user: User | AnonymousUser, experiment: Experiment) -> list[tuple[Run, RegisteredModel | None]]:
    """Every run of an experiment with the model it left, in the order of arms and seeds."""
    left = {one.run_id: one for one in models_of(user, experiment.project).filter(run__arm__experiment=experiment)}
    return [(run, left.get(run.pk)) for arm in experiment.arms.all() for run in arm.runs.all()]


def looks(experiment: Experiment) -> dict[str, int]:
    """How often the results were opened, by test set."""
    counts = dict(
        TestSetLook.objects.filter(experiment=experiment)
        .order_by()
        .values_list("test_set")
        .annotate(number=Count("pk"))
        .values_list("test_set", "number")
    )
    return {test_set: counts.get(test_set, 0) for test_set in present_test_sets(experiment)}


def ratio_words(arm: Arm) -> str:
    """The synthetic ratio for axes and tables: ``100 %``, ``50 / 200 %`` (benign, malignant), ``100 % control``."""
    benign, malignant = 100 * arm.ratio_benign, 100 * arm.ratio_malignant
    words = f"{malignant:g} %" if benign == malignant else f"{benign:g} / {malignant:g} %"
    return f"{words} control" if arm.synthetic_source == Arm.Source.CONTROL else words


def summary(experiment: Experiment) -> dict[str, Any]:
    """The experiment's numbers for all malignant lesions, lesion on a view.

    Returns
    -------
    dict
        ``{"experiment", "arms": [{"name", "synthetic_ratio", "runs": [{"seed", "state", "test_sets": {"internal":
        {"sensitivity": {"value", "low", "high", "n"[, "reason"]}, "precision", "auc"}, "external": {…}}}]}]}``.
        ``synthetic_ratio`` is a fraction (1.0 = 100 %), or ``{"benign", "malignant"}`` where the two differ. What is
        undefined is null with a reason; while runs are open everything is, because the test sets are locked.

    Notes
    -----
    Opening a test set is counted by `services.record_look`; callers that show these numbers to a person record it.
    """
    open_to_see = experiments.all_runs_ended(experiment)
    found = evaluations(experiment) if open_to_see else {}
    present = present_test_sets(experiment)
    return {
        "experiment": experiment.name,
        "arms": [
            {
                "name": arm.name,
                "synthetic_ratio": arm.ratio_malignant
                if arm.ratio_benign == arm.ratio_malignant
                else {"benign": arm.ratio_benign, "malignant": arm.ratio_malignant},
                "runs": [
                    {
                        "seed": run.seed,
                        "state": run.state,
                        "test_sets": {
                            words: _short(found.get((run.pk, test_set)), run, test_set in present, open_to_see)
                            for test_set, words in TEST_SETS.items()
                        },
                    }
                    for run in arm.runs.order_by("seed")
                ],
            }
            for arm in experiment.arms.order_by("position")
        ],
    }


def _short(evaluation: Evaluation | None, run: Run, present: bool, open_to_see: bool) -> dict[str, Any]:
    if not present:
        numbers = dict.fromkeys(MEASURES, undefined("undefined: the dataset version has no such test set"))
    elif not open_to_see:
        numbers = dict.fromkeys(MEASURES, undefined(LOCKED))
    else:
        numbers = _numbers(evaluation, "malignant", run)
    return {measure: _number(number) for measure, number in numbers.items()}


def _number(number: dict[str, Any]) -> dict[str, Any]:
    short = {name: number.get(name) for name in ("value", "low", "high", "n")}
    if number.get("reason"):
        short["reason"] = number["reason"]
    return short


def seed_medians(experiment_rows: list[Row]) -> Iterator[tuple[str, str, Arm, list[Row]]]:
    """Rows of the seeds of each arm together: test set, group, arm, rows."""
    grouped: dict[tuple[str, str, int], list[Row]] = {}
    for row in experiment_rows:
        grouped.setdefault((row.test_set, row.group, row.arm.pk), []).append(row)
    for (test_set, group, _), members in grouped.items():
        yield test_set, group, members[0].arm, members
