"""Points of every curve, figures of merit with intervals, and thresholds chosen on validation views."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webapp.experiments.models import Experiment, RunState
from webapp.results import curves, selectors, thresholds
from webapp.results.exports.columns import NUMBER, Table, evaluated, frame, number

VALIDATION = "validation"


def _curves(experiment: Experiment) -> Iterator[dict[str, Any]]:
    for shared, evaluation in evaluated(experiment):
        facts = selectors.short(evaluation)
        for group in selectors.GROUPS:
            body = curves.curve(evaluation, group)
            for kind, (label, across, up) in curves.KINDS.items():
                points, reason = curves.points(kind, evaluation, body, group)
                about = {
                    **shared,
                    "group": group,
                    "curve": kind,
                    "x_is": across,
                    "y_is": up,
                    "n": facts["auc"][group]["n"] if kind == "roc" else facts["sensitivity"][group]["denominator"] or 0,
                    "method": f"{label}: {body.get('sentence', '')}" if kind == "froc" else label,
                }
                yield from ({**about, "point": place, **point} for place, point in enumerate(points))
                if reason:
                    yield {**about, "reason": reason}


def _figures_of_merit(experiment: Experiment) -> Iterator[dict[str, Any]]:
    for shared, evaluation in evaluated(experiment):
        for group in selectors.GROUPS:
            for name, interval in curves.merits(curves.curve(evaluation, group)).items():
                yield {
                    **shared,
                    "group": group,
                    "measure": name,
                    **number(interval, confidence=evaluation.protocol["confidence"]),
                    "rule": curves.MERITS[name],
                }


def _operating_points(experiment: Experiment) -> Iterator[dict[str, Any]]:
    for run in (run for arm in experiment.arms.all() for run in arm.runs.all() if run.state == RunState.DONE):
        shared = frame(experiment, run, VALIDATION, None)
        for point in thresholds.operating_points(run):
            yield shared | {
                "operating_point": point["rule"],
                "at_or_above": point["threshold"],
                "sensitivity": point["sensitivity"],
                "specificity": point["specificity"],
                "n": point["n"],
                "reason": point["reason"],
            }


CURVES = Table(
    "curves",
    "Points of ROC, precision–recall and FROC curves",
    ("group", "curve", "point", "x_is", "x", "y_is", "y", "threshold", "probability", "n", "method", "reason"),
    _curves,
)
FIGURES_OF_MERIT = Table(
    "figures_of_merit",
    "CPM, average precision, AFROC and wAFROC",
    ("group", "measure", *NUMBER, "rule"),
    _figures_of_merit,
)
OPERATING_POINTS = Table(
    "operating_points",
    "Thresholds chosen on validation views",
    ("operating_point", "at_or_above", "sensitivity", "specificity", "n", "reason"),
    _operating_points,
)
