"""Numbers at every level, located beside end to end, and overlap of outlines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webapp.experiments.models import Experiment
from webapp.results import levels, outlines, selectors
from webapp.results.exports.columns import NUMBER, Table, evaluated, number

SIDES = {"located": "located", "conditional": "of_located", "end_to_end": "end_to_end"}
"""Part of `detection.evaluation.end_to_end.SideBySide` → end of the measure's name."""
DICE = {"found": "dice_found", "every": "dice_all"}
"""Part of `outlines.numbers` → measure."""


def _levels(experiment: Experiment) -> Iterator[dict[str, Any]]:
    for shared, evaluation in evaluated(experiment):
        for group in selectors.GROUPS:
            for level, body in levels.numbers(evaluation, group).items():
                for measure in levels.COLUMNS:
                    yield {
                        **shared,
                        "level": level,
                        "group": group,
                        "measure": measure,
                        **number(body[measure], confidence=evaluation.protocol["confidence"]),
                        "units": body["units"],
                        "units_malignant": body["malignant"],
                        "units_unscored": body["unscored"],
                        "rule": body["sentence"],
                        "remarks": " ".join(body["warnings"]),
                    }


def _end_to_end(experiment: Experiment) -> Iterator[dict[str, Any]]:
    for shared, evaluation in evaluated(experiment):
        for group in selectors.GROUPS:
            for level, body in levels.classified(evaluation, group).items():
                measured = {
                    f"{measure}_{words}": body[measure][side]
                    for measure in ("sensitivity", "specificity")
                    for side, words in SIDES.items()
                }
                measured |= {"auc_of_located": body["auc_conditional"], "auc_end_to_end": body["auc_end_to_end"]}
                for measure, interval in measured.items():
                    yield {
                        **shared,
                        "level": level,
                        "group": group,
                        "measure": measure,
                        **number(interval, confidence=evaluation.protocol["confidence"]),
                        "units_unscored": body["unscored"],
                        "rule": body["sentence"],
                    }


def _outlines(experiment: Experiment) -> Iterator[dict[str, Any]]:
    for shared, evaluation in evaluated(experiment):
        for group in selectors.GROUPS:
            body = outlines.numbers(evaluation, group)
            for part, measure in DICE.items():
                yield {
                    **shared,
                    "group": group,
                    "measure": measure,
                    **number(body[part], confidence=evaluation.protocol["confidence"]),
                    "without_outline": body["without"],
                }


LEVELS = Table(
    "levels",
    "Numbers per image, breast, patient and lesion",
    ("group", "measure", *NUMBER, "units", "units_malignant", "units_unscored", "rule", "remarks"),
    _levels,
)
END_TO_END = Table(
    "end_to_end",
    "Located, and end to end",
    ("group", "measure", *NUMBER, "units_unscored", "rule"),
    _end_to_end,
)
OUTLINES = Table("outlines", "Overlap of outlines", ("group", "measure", *NUMBER, "without_outline"), _outlines)
