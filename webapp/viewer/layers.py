"""The three read-only layers over the images, composed from annotations, simulations and predictions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from webapp.annotations.models import Annotation
from webapp.cases.models import Exam, Origin, View
from webapp.datasets.models import Split
from webapp.experiments.models import Prediction, Run
from webapp.registry.models import AppliedFinding, ModelApplication
from webapp.registry.selectors import findings_on
from webapp.viewer import selectors

SCHEMA = "cemlab.viewer-layers/1"
NO_EVIDENCE = {
    Split.TRAIN: "Training case: predictions here are no evidence.",
    Split.VALIDATION: "Validation case: the operating point was chosen on it, so predictions here are no evidence.",
}


def layers(
    exam: Exam, *, run: Run | None = None, application: ModelApplication | None = None, score: float = 0.0
) -> dict[str, Any]:
    """Outlines, boxes and the list beside the images.

    Parameters
    ----------
    exam : Exam
        Prefetched by `selectors.exam_or_404`.
    run : Run, optional
        Whose predictions to show, as `selectors.runs_for` gives it.
    application : ModelApplication, optional
        Whose findings to show in place of a run's, as `registry.selectors.applications_on` gives it.
    score : float
        Findings at or below it are left out.

    Returns
    -------
    dict
        JSON-ready; coordinates are continuous image pixels (x = column, y = row).
    """
    views = {view.pk: view for view in exam.views.all()}
    of_view: dict[int, dict[str, list[dict[str, Any]]]] = {
        pk: {"annotation": [], "synthetic": [], "prediction": [], "calcifications": _calcifications(view)}
        for pk, view in views.items()
    }
    lesions: dict[int, dict[str, Any]] = {}
    for annotation in selectors.annotations_of(exam):
        layer = "synthetic" if views[annotation.view_id].origin == Origin.SYNTHETIC else "annotation"
        shape = _outline(annotation, layer)
        of_view[annotation.view_id][layer].append(shape)
        _add_to_list(lesions, annotation, shape, views[annotation.view_id])
    findings = []
    for prediction in _predictions(exam, run, application, score):
        shape = _finding(prediction)
        of_view[prediction.view_id]["prediction"].append(shape)
        findings.append({**shape, "view": prediction.view_id})
    return {
        "schema": SCHEMA,
        "views": {str(pk): shapes for pk, shapes in of_view.items()},
        "lesions": sorted(lesions.values(), key=lambda lesion: (lesion["layer"] != "annotation", lesion["number"])),
        "findings": sorted(findings, key=lambda finding: -finding["score"]),
        "run": _application(application) if application is not None else _run(exam, run) if run is not None else None,
    }


def _predictions(
    exam: Exam, run: Run | None, application: ModelApplication | None, score: float
) -> Iterable[Prediction | AppliedFinding]:
    if application is not None:
        return findings_on(exam, application, score)
    return selectors.predictions_of(exam, run, score) if run is not None else []


def _outline(annotation: Annotation, layer: str) -> dict[str, Any]:
    lesion = annotation.lesion
    mark = f"S{lesion.number}" if layer == "synthetic" else str(lesion.number)
    box = [annotation.x1, annotation.y1, annotation.x2, annotation.y2]
    polygons = annotation.polygons or [_corners(box)]
    return {
        "id": annotation.pk,
        "lesion": lesion.pk,
        "mark": mark,
        "label": f"{mark} {_type(lesion.lesion_type)}, {_malignancy(lesion.malignancy)}",
        "polygons": polygons,
        "points": annotation.points,
        "box": box,
        "revision": annotation.revision,
        "author": annotation.author.get_username() if annotation.author else annotation.source,
    }


def _add_to_list(lesions: dict[int, dict[str, Any]], annotation: Annotation, shape: dict[str, Any], view: View) -> None:
    lesion = annotation.lesion
    synthetic = view.origin == Origin.SYNTHETIC
    row = lesions.setdefault(
        lesion.pk,
        {
            "id": lesion.pk,
            "number": lesion.number,
            "mark": shape["mark"],
            "layer": "synthetic" if synthetic else "annotation",
            "title": f"{_type(lesion.lesion_type)}, {_malignancy(lesion.malignancy)}"
            + (", synthetic" if synthetic else ""),
            "evidence": lesion.evidence,
            "views": [],
        },
    )
    row["views"].append(
        {
            "view": view.pk,
            "label": f"{view.laterality} {view.position}",
            "box": shape["box"],
            "extent_mm": _extent(view, shape["box"]),
            "calcifications": len(shape["points"]) or len(_calcifications(view)),
        }
    )


def _calcifications(view: View) -> list[dict[str, Any]]:
    """What was inserted into a synthetic view, the strongest first; empty for an acquired one."""
    if view.origin != Origin.SYNTHETIC:
        return []
    listed = view.synthesis.record.get("cluster", {}).get("calcifications", [])
    return sorted(
        (
            {
                "x": one["x"],
                "y": one["y"],
                "diameter_mm": one["diameter_mm"],
                "morphology": one["morphology"],
                "contrast_to_noise": one["contrast_to_noise"],
            }
            for one in listed
        ),
        key=lambda one: -one["contrast_to_noise"],
    )


def _extent(view: View, box: list[float]) -> float | None:
    """Longer side of the box in mm of the detector plane; None without spacing."""
    image = next(iter(view.images.all()), None)
    if image is None or image.spacing_row is None or image.spacing_column is None:
        return None
    return float(max((box[2] - box[0]) * image.spacing_column, (box[3] - box[1]) * image.spacing_row))


def _finding(prediction: Prediction | AppliedFinding) -> dict[str, Any]:
    return {
        "id": prediction.pk,
        "label": f"{prediction.score:.2f}",
        "title": f"{_type(prediction.lesion_type)}, {prediction.malignancy:.2f} malignant",
        "score": prediction.score,
        "box": [prediction.x1, prediction.y1, prediction.x2, prediction.y2],
        "contour": prediction.contour,
    }


def _run(exam: Exam, run: Run) -> dict[str, Any]:
    split = selectors.split_in(run, exam)
    return {
        "id": run.pk,
        "label": str(run),
        "experiment": str(run.arm.experiment),
        "split": Split(split).label if split else None,
        "no_evidence": NO_EVIDENCE.get(Split(split)) if split else None,
    }


def _application(application: Any) -> dict[str, Any]:
    """An application as the panel names it; `split` is that of the exam's patient (`applications_on`)."""
    split: str = application.split
    return {
        "id": application.model.run_id,
        "label": f"{application.model}, application {application.number}",
        "experiment": str(application.model.run.arm.experiment),
        "split": Split(split).label if split else None,
        "no_evidence": NO_EVIDENCE.get(Split(split)) if split else None,
    }


def _corners(box: list[float]) -> list[list[float]]:
    x1, y1, x2, y2 = box
    return [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]


def _type(lesion_type: str) -> str:
    return {"both": "mass with cluster", "other": "other lesion"}.get(lesion_type, lesion_type)


def _malignancy(malignancy: str) -> str:
    return "malignancy unknown" if malignancy == "unknown" else malignancy
