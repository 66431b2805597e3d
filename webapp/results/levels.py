"""Numbers per image, breast, patient and lesion, and the views behind each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from detection.evaluation.protocol import Protocol
from webapp.accounts.models import Project
from webapp.experiments.models import Experiment
from webapp.results import level_thresholds, selectors
from webapp.results.cases import Case, CaseList
from webapp.results.curves import Evaluated
from webapp.results.kept import kept
from webapp.results.models import Evaluation
from webapp.results.stored import result_of

if TYPE_CHECKING:
    from detection.evaluation.levels import Unit

LEVELS = {
    "image": "Image",
    "breast": "Breast",
    "patient": "Patient",
    "lesion": "Lesion, over its views",
    "lesion on a view": "Lesion on a view",
}
"""Keys of detection.evaluation.levels.UnitLevel → words."""
CLASSIFIED = ("lesion on a view", "lesion", "patient")
"""Levels at which classification of what was located stands beside the whole."""
COLUMNS = {
    "sensitivity": ("Sensitivity", "fn"),
    "specificity": ("Specificity", "fp"),
    "precision": ("Precision", "fp"),
    "f1": ("F1", "all"),
    "auc": ("AUC", "all"),
}
"""Number → words, and the outcome its link opens: the errors where there are some."""
OF_LESIONS = {"sensitivity": ("sensitivity", "missed"), "precision": ("precision", "wrong"), "auc": ("auc", "all")}
"""What a number of lesions on a view opens: measure and outcome of the main list."""


def numbers(evaluation: Evaluation, group: str) -> dict[str, Any]:
    """Every level of an evaluation as JSON without its units.

    Returns
    -------
    dict
        Level → ``{"sensitivity", …, "auc", "unscored", "units", "warnings", "sentence"}``, ``units`` their number.
    """
    return kept("levels", [evaluation.inputs_hash, group], lambda: _compute(evaluation, group))


def rules(protocol: Protocol) -> dict[str, Any]:
    """What a page says once for every level.

    Returns
    -------
    dict
        ``{"shared": [(words, rule)], "located": rule, "intervals": rule}``, without full stops.
    """
    from detection.evaluation.end_to_end import located_words
    from detection.evaluation.levels import shared_words

    return {
        "shared": [
            ("Images, breasts and patients", shared_words(protocol, of_lesions=False)),
            ("Lesions", shared_words(protocol, of_lesions=True)),
        ],
        "located": located_words(protocol),
        "intervals": protocol.interval_words("patient"),
    }


def _compute(evaluation: Evaluation, group: str) -> dict[str, Any]:
    from detection.evaluation.levels import level_numbers

    made = level_numbers(result_of(evaluation), group=group)  # type: ignore[arg-type]
    return {
        level: {
            **{name: getattr(one, name).to_json() for name in COLUMNS},
            "unscored": one.unscored,
            "units": len(one.units),
            "malignant": sum(unit.malignant is True for unit in one.units),
            "warnings": list(one.warnings),
            "sentence": one.sentence,
        }
        for level, one in made.items()
    }


def classified(evaluation: Evaluation, group: str) -> dict[str, Any]:
    """Level → `detection.evaluation.end_to_end.Classification` as JSON: of what was located, and end to end."""
    return kept("classified", [evaluation.inputs_hash, group], lambda: _classify(evaluation, group))


def _classify(evaluation: Evaluation, group: str) -> dict[str, Any]:
    from detection.evaluation.end_to_end import classification

    result = result_of(evaluation)
    return {level: classification(result, level, group=group).to_json() for level in CLASSIFIED}  # type: ignore[arg-type]


def both_ways(experiment: Experiment, group: str, cases_url: Callable[..., str]) -> list[dict[str, Any]]:
    """One entry a test set: classification of what was located beside the same when missed lesions count.

    Returns
    -------
    list of dict
        ``{"test_set", "label", "levels": [{"label", "rows": [{"run", "cells": [number], "url"}]}]}``.
    """
    found = selectors.evaluations(experiment)
    entries = []
    for test_set in selectors.present_test_sets(experiment):
        members = [
            (run, classified(found[run.pk, test_set], group))
            for arm in experiment.arms.all()
            for run in arm.runs.all()
            if (run.pk, test_set) in found
        ]
        blocks = [
            {
                "label": LEVELS[level],
                "rows": [
                    {
                        "run": run,
                        "cells": [
                            body[level]["sensitivity"]["located"],
                            body[level]["sensitivity"]["conditional"],
                            body[level]["sensitivity"]["end_to_end"],
                            body[level]["auc_conditional"],
                            body[level]["auc_end_to_end"],
                        ],
                        "url": _address(cases_url, Evaluated(run, test_set, group), level, "sensitivity"),
                    }
                    for run, body in members
                ],
            }
            for level in CLASSIFIED
            if members
        ]
        entries.append({"test_set": test_set, "label": selectors.TEST_SETS[test_set], "levels": blocks})
    return entries


def panels(experiment: Experiment, group: str, cases_url: Callable[..., str]) -> list[dict[str, Any]]:
    """One entry a test set, internal first: rows of numbers by level and run, each with the address of its cases.

    Returns
    -------
    list of dict
        ``{"test_set", "label", "levels": [{"level", "label", "sentence", "rule", "rows": [{"run", "units",
        "malignant", "unscored", "cells": [(number, url)]}], "warnings", "slider"}]}``; ``sentence`` has every rule,
        ``rule`` what the level adds to `rules`; ``slider`` as `_slider`.
    """
    from detection.evaluation.levels import own_words

    protocol = Protocol.from_json(experiment.protocol)
    found = selectors.evaluations(experiment)
    runs = [run for arm in experiment.arms.all() for run in arm.runs.all()]
    entries = []
    for test_set in selectors.present_test_sets(experiment):
        members = [(run, found[run.pk, test_set]) for run in runs if (run.pk, test_set) in found]
        bodies = {run.pk: numbers(evaluation, group) for run, evaluation in members}
        blocks = []
        for level, words in LEVELS.items():
            rows = [
                {
                    "run": run,
                    **{name: bodies[run.pk][level][name] for name in ("units", "malignant", "unscored")},
                    "cells": [
                        (bodies[run.pk][level][name], _address(cases_url, Evaluated(run, test_set, group), level, name))
                        for name in COLUMNS
                    ],
                }
                for run, _ in members
            ]
            said = [f"{run}: {text}" for run, _ in members for text in bodies[run.pk][level]["warnings"]]
            sentence = bodies[members[0][0].pk][level]["sentence"] if members else ""
            blocks.append(
                {
                    "level": level,
                    "label": words,
                    "sentence": sentence,
                    "rule": own_words(protocol, level),  # type: ignore[arg-type]
                    "rows": rows,
                    "warnings": said,
                    "slider": _slider(level),
                }
            )
        entries.append(
            {"test_set": test_set, "label": selectors.TEST_SETS[test_set], "levels": blocks if members else []}
        )
    return entries


def _slider(level: str) -> str:
    """Query of the curves that opens the slider at a level; empty where it has none."""
    if level == "lesion on a view":
        return "?"
    return f"?level={level}" if level in level_thresholds.LEVELS else ""


def _address(cases_url: Callable[..., str], row: Evaluated, level: str, name: str) -> str:
    if level == "lesion on a view":
        measure, outcome = OF_LESIONS.get(name, ("sensitivity", "all"))
        return cases_url(row, measure, outcome)
    return cases_url(row, "views", COLUMNS[name][1], level=level)


def cases(
    project: Project,
    evaluation: Evaluation,
    level: str,
    group: str,
    outcome: str,
    score: float | None = None,
    *,
    only: Callable[[dict[str, Any]], bool] | None = None,
) -> CaseList:
    """The views of every unit of a level with an outcome; a patient has several.

    Parameters
    ----------
    score : float, optional
        Another threshold than the protocol's, at the levels of `level_thresholds.LEVELS`.
    only : callable, optional
        As in `cases.cases`.

    Raises
    ------
    UserError
        If the stored findings are no longer those that were evaluated.
    """
    if score is None:
        listed = kept("level-cases", [evaluation.inputs_hash, level, group], lambda: _stored(evaluation, level, group))
    else:
        listed = _rows(level_thresholds.units_above(evaluation, level, group, score), level)
    rows = [(record, kind) for record, kind in listed if outcome in ("all", kind) and (only is None or only(record))]
    above = float(evaluation.protocol["score_above"]) if score is None else score
    return CaseList(project, evaluation.run_id, "views", above, rows)


def first_cases(
    project: Project, evaluation: Evaluation, level: str, group: str, outcome: str, score: float, most: int
) -> tuple[int, list[Case]]:
    """How many views `cases` lists at a threshold, and the first of them, of which alone pictures are looked up.

    Raises
    ------
    UserError
        If the stored findings are no longer those that were evaluated.
    """
    listed = _rows(level_thresholds.units_above(evaluation, level, group, score), level)
    place = level_thresholds.in_order(evaluation)
    rows = [row for row in listed if row[1] == outcome and row[0]["sample_id"] in place]
    rows.sort(key=lambda row: place[row[0]["sample_id"]])
    return len(rows), CaseList(project, evaluation.run_id, "views", score, rows[:most])[:]


def _stored(evaluation: Evaluation, level: str, group: str) -> list[tuple[dict[str, Any], str]]:
    from detection.evaluation.levels import units_of

    return _rows(units_of(result_of(evaluation), level, group), level)  # type: ignore[arg-type]


def _rows(units: Iterable[Unit], level: str) -> list[tuple[dict[str, Any], str]]:
    of_lesion = level == "lesion"
    listed = []
    for unit in units:
        kind = "unscored"
        if unit.malignant is not None:
            kind = ("tp" if unit.positive else "fn") if unit.malignant else ("fp" if unit.positive else "tn")
        if of_lesion and kind in {"fp", "tn"}:
            continue  # a benign lesion is neither found nor missed as a malignant one
        truth = (
            "unknown" if unit.malignant is None else "a malignant lesion" if unit.malignant else "no malignant lesion"
        )
        for sample in unit.sample_ids:
            record = {
                "sample_id": sample,
                "lesion_id": unit.key if of_lesion else None,
                "reason": "",
                "score": unit.score,
                "iou": None,
                "words": f"{truth} in this {level}",
            }
            listed.append((record, kind))
    return listed
