"""ROC, precision-recall and FROC curves of every run on a test set, for figures and the table below them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from detection.evaluation.protocol import Protocol
from webapp.core.templatetags.cemlab import FEWEST_SHOWN
from webapp.experiments.models import Experiment, Run
from webapp.results import selectors, thresholds
from webapp.results.cases import OPEN
from webapp.results.kept import kept
from webapp.results.models import Evaluation
from webapp.results.stored import result_of

MOST_POINTS = 120
"""Points of a curve that are drawn; a longer one is thinned evenly and keeps its ends."""
COLOURS = 6
DASHES = ("solid", "dash", "dot", "dashdot")
KINDS = {
    "roc": ("ROC", "false positive rate", "sensitivity"),
    "pr": ("Precision and recall", "sensitivity (recall)", "precision"),
    "froc": ("FROC", "false positives per image", "sensitivity"),
}


MERITS = {
    "CPM": "mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives per image",
    "AP": "average precision at the overlap of the protocol, over every stored score",
    "AFROC": "how often a lesion scores above the highest false positive of a view without lesions, ties half",
    "wAFROC": "AFROC with the same weight for every view with lesions",
    "AFROC1": "AFROC with the false positives of all views",
    "wAFROC1": "wAFROC with the false positives of all views",
}
"""Figures of merit (detection.evaluation.froc, average_precision and afroc) → what they are."""


@dataclass(frozen=True)
class Evaluated:
    """What a row and a curve are about; `cases_address` reads run, test set and group from it."""

    run: Run
    test_set: str
    group: str


def curve(evaluation: Evaluation, group: str) -> dict[str, Any]:
    """FROC with its CPM, and ROC of located findings, kept in the cache; ``{"reason"}`` where there is no FROC."""
    return kept("curves", [evaluation.inputs_hash, group], lambda: _compute(evaluation, group))


def merits(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The interval of each of `MERITS` from a `curve`; without a value where there is no FROC."""
    if "reason" in body:
        return dict.fromkeys(MERITS, selectors.undefined(body["reason"]))
    found: dict[str, dict[str, Any]] = body["merits"]
    return found


def _compute(evaluation: Evaluation, group: str) -> dict[str, Any]:
    from detection.evaluation.afroc import afroc_curve
    from detection.evaluation.average_precision import average_precision
    from detection.evaluation.errors import EvaluationError
    from detection.evaluation.froc import froc_curve
    from detection.evaluation.marks import marks_of
    from detection.evaluation.roc import roc_curve
    from detection.evaluation.rows_of_group import located_in

    located = located_in(group, result_of(evaluation).findings)  # type: ignore[arg-type]
    roc = roc_curve([row.localised_malignancy == "malignant" for row in located], [row.malignancy for row in located])
    body: dict[str, Any] = {
        "roc": None
        if roc is None
        else {
            "x": roc.false_positive_rate.tolist(),
            "y": roc.sensitivity.tolist(),
            # the first is infinite: nothing is called malignant
            "probabilities": [None, *roc.thresholds[1:].tolist()],
        }
    }
    if reason := thresholds.untyped(evaluation, group):
        return body | {"reason": reason}
    images, protocol = thresholds.evaluated_images(evaluation), Protocol.from_json(evaluation.protocol)
    try:
        marks = marks_of(images, protocol, group)  # type: ignore[arg-type]
        found = froc_curve(images, protocol, group=group, marks=marks)  # type: ignore[arg-type]
        alternative = afroc_curve(images, protocol, group=group, marks=marks)  # type: ignore[arg-type]
        precise = average_precision(images, protocol, group=group, marks=marks)  # type: ignore[arg-type]
    except EvaluationError as error:
        return body | {"reason": str(error)}
    if not found.lesions:
        return body | {"reason": "undefined: no lesions"}
    areas = {str(name): interval for name, interval in alternative.figures.items()}
    made = areas | {"CPM": found.cpm, "AP": precise.interval}
    return body | {
        "froc": {
            "x": found.false_positives_per_image.tolist(),
            "y": found.sensitivity.tolist(),
            "thresholds": found.thresholds.tolist(),
        },
        "merits": {name: made[name].to_json() for name in MERITS},
        "lesion_free": alternative.lesion_free_cases,
        "sentence": found.sentence,
    }


def panels(experiment: Experiment, group: str, cases_url: Callable[..., str]) -> list[dict[str, Any]]:
    """One entry a test set, internal first: three figures, the table and the captions.

    Returns
    -------
    list of dict
        ``{"test_set", "label", "figures": [{"kind", "label", "figure", "left_out"}], "arms", "size"}``.
    """
    found = selectors.evaluations(experiment)
    entries = []
    for test_set in selectors.present_test_sets(experiment):
        members = [
            (run, found[run.pk, test_set])
            for arm in experiment.arms.all()
            for run in arm.runs.all()
            if (run.pk, test_set) in found
        ]
        bodies = {run.pk: curve(evaluation, group) for run, evaluation in members}
        entries.append(
            {
                "test_set": test_set,
                "label": selectors.TEST_SETS[test_set],
                "figures": [_figure(kind, members, bodies, group, cases_url) for kind in KINDS],
                "arms": _arms(experiment, members, bodies, group, cases_url),
                "size": next(
                    (
                        {
                            "images": selectors.short(one)["images"],
                            "patients": selectors.short(one)["patients"],
                            "lesions": selectors.short(one)["sensitivity"][group]["denominator"] or 0,
                        }
                        for _, one in members
                    ),
                    None,
                ),
            }
        )
    return entries


def _figure(
    kind: str,
    members: list[tuple[Run, Evaluation]],
    bodies: dict[int, dict[str, Any]],
    group: str,
    cases_url: Callable[..., str],
) -> dict[str, Any]:
    label, across, up = KINDS[kind]
    traces, left_out = [], []
    for run, evaluation in members:
        drawn, reason = points(kind, evaluation, bodies[run.pk], group)
        if reason:
            left_out.append(f"{run}: {reason}")
            continue
        row = Evaluated(run, evaluation.test_set, group)
        shown = thinned(drawn)
        traces.append(
            {
                "name": str(run),
                "legendgroup": f"arm-{run.arm.position}",
                "mode": "lines",
                "x": [point["x"] for point in shown],
                "y": [point["y"] for point in shown],
                "line": {
                    "color": f"role:s{run.arm.position % COLOURS + 1}",
                    "dash": DASHES[run.arm.position % len(DASHES)],
                    "width": 2,
                    # equal scores come in together: along a slope, as the AUC counts them
                    "shape": "hv" if kind == "froc" else "linear",
                },
                "customdata": [_said(kind, run, point, row, cases_url) for point in shown],
                "hovertemplate": "%{customdata.text}<extra></extra>",
            }
        )
    return {
        "kind": kind,
        "label": label,
        "figure": {"data": traces, "layout": _layout(kind, across, up)},
        "left_out": left_out,
    }


def points(
    kind: str, evaluation: Evaluation, body: dict[str, Any], group: str
) -> tuple[list[dict[str, float | None]], str]:
    """Points of a curve with their thresholds, or the reason why there is none."""
    if kind == "roc":
        number = selectors.short(evaluation)["auc"][group]
        if body["roc"] is None or number["value"] is None:
            return [], number["reason"] or "undefined: one class"
        if number["n"] < FEWEST_SHOWN:
            return [], f"n={number['n']}, too few"
        rows = zip(body["roc"]["x"], body["roc"]["y"], body["roc"]["probabilities"], strict=True)
        return [{"x": x, "y": y, "threshold": None, "probability": at_least} for x, y, at_least in rows], ""
    lesions = selectors.short(evaluation)["sensitivity"][group]["denominator"] or 0
    if "reason" in body:
        return [], body["reason"]
    if lesions < FEWEST_SHOWN:
        return [], f"n={lesions}, too few"
    if kind == "froc":
        froc = body["froc"]
        steps = zip(froc["x"], froc["y"], froc["thresholds"], strict=True)
        return [{"x": x, "y": y, "threshold": threshold} for x, y, threshold in steps], ""
    counted = thresholds.counts(evaluation, group)
    if "reason" in counted:
        return [], counted["reason"]
    passed: list[dict[str, float | None]] = []
    for step in range(thresholds.STEPS - 1, -1, -1):
        right, kept = counted["right"][step], counted["right"][step] + counted["wrong"][step]
        point: dict[str, float | None] = {
            "x": counted["found"][step] / lesions,
            "y": right / kept if kept else None,
            "threshold": step / thresholds.STEPS,
        }
        if kept and (not passed or (passed[-1]["x"], passed[-1]["y"]) != (point["x"], point["y"])):
            passed.append(point)
    return (passed, "") if passed else ([], "undefined: no findings called malignant")


def thinned(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(points) <= MOST_POINTS:
        return points
    last = len(points) - 1
    return [points[round(place * last / (MOST_POINTS - 1))] for place in range(MOST_POINTS)]


def _said(kind: str, run: Run, point: dict[str, Any], row: Evaluated, cases_url: Callable[..., str]) -> dict[str, str]:
    where = f"{run}: {KINDS[kind][1]} {point['x']:.3f}, {KINDS[kind][2]} {point['y']:.3f}"
    if kind == "roc":
        if point["probability"] is None:
            return {"text": f"{where}, nothing is called malignant", "url": cases_url(row, "auc", **OPEN)}
        return {
            "text": f"{where}, malignancy probability of at least {point['probability']:.3f}",
            "url": cases_url(row, "auc", at_least=repr(point["probability"]), **OPEN),
        }
    # "at or above" a score is "above" the next step below it, which is what lists of cases ask for
    step = None if kind == "pr" else thresholds.step_below(point["threshold"])
    above = point["threshold"] if step is None else step / thresholds.STEPS
    return {
        "text": f"{where}, score above {above:.3f}",
        "url": cases_url(row, "sensitivity", "missed", score=f"{above:.3f}", **OPEN),
    }


def _layout(kind: str, across: str, up: str) -> dict[str, Any]:
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": across}, "range": [-0.02, 1.03], "showgrid": True, "zeroline": False},
        "yaxis": {"title": {"text": up}, "range": [-0.02, 1.03], "zeroline": False},
    }
    if kind == "froc":
        layout["xaxis"] = {"title": {"text": across}, "rangemode": "tozero", "showgrid": True, "zeroline": False}
    if kind == "roc":
        layout["shapes"] = [
            {
                "type": "line",
                "x0": 0,
                "y0": 0,
                "x1": 1,
                "y1": 1,
                "line": {"color": "role:axis", "width": 1, "dash": "dot"},
            }
        ]
    return layout


def _arms(
    experiment: Experiment,
    members: list[tuple[Run, Evaluation]],
    bodies: dict[int, dict[str, Any]],
    group: str,
    cases_url: Callable[..., str],
) -> list[dict[str, Any]]:
    """AUC, CPM and figures of merit of every run with its test-set interval; the spread between seeds stands apart."""
    listed = []
    for arm in experiment.arms.all():
        runs = [(run, evaluation) for run, evaluation in members if run.arm_id == arm.pk]
        if not runs:
            continue
        made = [merits(bodies[run.pk]) for run, _ in runs]
        numbers = {
            "auc": [selectors.short(evaluation)["auc"][group] for _, evaluation in runs],
            "cpm": [one["CPM"] for one in made],
        }
        listed.append(
            {
                "arm": arm,
                "series": arm.position % COLOURS + 1,
                "runs": [
                    {
                        "run": run,
                        "auc": numbers["auc"][place],
                        "merits": list(made[place].values()),
                        "auc_url": cases_url(Evaluated(run, evaluation.test_set, group), "auc"),
                        "merits_url": cases_url(
                            Evaluated(run, evaluation.test_set, group), "sensitivity", score="0.000"
                        ),
                    }
                    for place, (run, evaluation) in enumerate(runs)
                ],
                "spread": {name: spread(values) for name, values in numbers.items()},
            }
        )
    return listed


def spread(numbers: list[dict[str, Any]]) -> str:
    """Lowest and highest value of the seeds as text; empty for one seed."""
    values = [one["value"] for one in numbers if one["value"] is not None and one["n"] >= FEWEST_SHOWN]
    if len(numbers) < 2:
        return ""
    if len(values) < len(numbers):
        return f"{len(values)} of {len(numbers)} seeds defined"
    return f"{min(values):.2f} to {max(values):.2f} over {len(values)} seeds"
