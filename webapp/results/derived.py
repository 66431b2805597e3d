"""The numbers of every panel as plain rows, for the API; undefined is null with a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from webapp.experiments.models import Experiment, Run
from webapp.results import calibration, levels, outlines, selectors, subgroups
from webapp.results.comparison import compare
from webapp.results.models import Evaluation
from webapp.results.verdict import verdict

Rows = Callable[[Experiment, str], list[dict[str, Any]]]


def _evaluated(experiment: Experiment) -> Iterator[tuple[dict[str, Any], Evaluation]]:
    """Who and where, and the evaluation, of every run on every test set."""
    found = selectors.evaluations(experiment)
    for test_set in selectors.present_test_sets(experiment):
        for run in (run for arm in experiment.arms.all() for run in arm.runs.all()):
            if (run.pk, test_set) in found:
                yield _subject(run, test_set), found[run.pk, test_set]


def _subject(run: Run, test_set: str) -> dict[str, Any]:
    return {"arm": run.arm.position, "arm_name": run.arm.name, "seed": run.seed, "test_set": test_set}


def _verdict(experiment: Experiment, group: str) -> list[dict[str, Any]]:
    found = verdict(experiment)
    return [
        {
            "arm": found.arm.position if found.arm else None,
            "reference": found.reference.position if found.reference else None,
            "measure": found.measure,
            "group": found.group,
            "test_set": found.test_set,
            "margin": found.margin,
            "answer": found.answer,
            "difference": found.interval,
            "p_value": found.p_value,
            "seeds": [{"seed": seed, "difference": value} for seed, value in found.seeds],
            "asked": found.asked,
            "came_out": found.came_out,
            "cannot_say": found.cannot,
        }
    ]


def _differences(experiment: Experiment, group: str) -> list[dict[str, Any]]:
    return [
        {
            **_subject(row.run, row.test_set),
            "reference": row.reference.arm.position,
            "measure": row.measure,
            "difference": row.interval,
            "p_value": row.p_value,
            "adjusted": row.adjusted,
            "family": row.family,
        }
        for row in compare(experiment).rows
        if row.group == group
    ]


def _levels(experiment: Experiment, group: str) -> list[dict[str, Any]]:
    return [
        {**subject, "level": level, **numbers}
        for subject, evaluation in _evaluated(experiment)
        for level, numbers in levels.numbers(evaluation, group).items()
    ]


def _end_to_end(experiment: Experiment, group: str) -> list[dict[str, Any]]:
    return [
        {**subject, **numbers}
        for subject, evaluation in _evaluated(experiment)
        for numbers in levels.classified(evaluation, group).values()
    ]


def _calibration(experiment: Experiment, group: str) -> list[dict[str, Any]]:
    return [
        {**subject, "probability": what, **calibration.numbers(evaluation, what)}
        for subject, evaluation in _evaluated(experiment)
        for what in calibration.WHAT
    ]


def _subgroups(experiment: Experiment, group: str) -> list[dict[str, Any]]:
    test_sets = {words: key for key, words in selectors.TEST_SETS.items()}
    return [
        {
            **_subject(run, test_sets[panel["label"]]),
            "subgroup_by": kind["label"],
            "subgroup": row["label"],
            "sensitivity": row["numbers"][place],
            "difference": row["differences"][place],
        }
        for panel in subgroups.subgroups(experiment, group)
        for kind in panel["kinds"]
        for row in kind["rows"]
        for place, run in enumerate(panel["runs"])
    ]


def _outlines(experiment: Experiment, group: str) -> list[dict[str, Any]]:
    return [
        {**subject, **{name: outlines.numbers(evaluation, group)[name] for name in ("found", "every", "without")}}
        for subject, evaluation in _evaluated(experiment)
    ]


PANELS: dict[str, Rows] = {
    "verdict": _verdict,
    "differences": _differences,
    "levels": _levels,
    "end-to-end": _end_to_end,
    "calibration": _calibration,
    "subgroups": _subgroups,
    "outlines": _outlines,
}
"""Name in the address → rows for a group of lesions."""
