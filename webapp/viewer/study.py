"""What the page needs to hang a case: its views, their images and where each comes from."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from webapp.accounts.models import Project
from webapp.cases.models import Exam, Image, ImageKind, Laterality, Origin, View, ViewPosition
from webapp.viewer import dicom_json, differences, frames, selectors

SCHEMA = "cemlab.viewer-study/1"
HANGING = [("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")]
"""Order of the places: as a reader hangs them, chest wall to chest wall."""


def study(project: Project, exam: Exam) -> dict[str, Any]:
    """The case as JSON; coordinates and sizes in image pixels, spacing in mm of the detector plane.

    Raises
    ------
    ImagingError
        If an image has to be looked at to hang it and cannot be read.
    """
    present = {(view.laterality, view.position): view for view in selectors.acquired(exam)}
    places = []
    for laterality, position in HANGING:
        view = present.get((laterality, position))
        places.append(
            {
                "key": f"{laterality}-{position}",
                "label": f"{laterality} {position}",
                "name": f"{Laterality(laterality).label} {ViewPosition(position).label}",
                "laterality": laterality,
                "position": position,
                "view": _view(project, view) if view is not None else None,
            }
        )
    return {
        "schema": SCHEMA,
        "case": {"number": exam.number, "name": str(exam)},
        "places": places,
        "synthetic_cases": _synthetic_cases(project, exam),
        "layers": reverse("viewer:layers", args=[project.slug, exam.number]),
    }


def _view(project: Project, view: View) -> dict[str, Any]:
    stored = {image.kind: image for image in view.images.all()}
    wall = frames.chest_wall(next(iter(stored.values()))) if stored else "right" if view.laterality == "R" else "left"
    images = {
        kind: _image(project, view, stored[kind]) if kind in stored else None
        for kind in (ImageKind.LOW_ENERGY.value, ImageKind.RECOMBINED.value)
    }
    return {
        "id": view.pk,
        "origin": view.origin,
        "chest_wall": wall,
        "images": images,
        "differences": {
            kind: _difference(project, view, stored[kind])
            if kind in stored and view.origin == Origin.SYNTHETIC
            else None
            for kind in images
        },
    }


def _image(project: Project, view: View, image: Image) -> dict[str, Any]:
    image.view = view  # saves a query for each image
    spacing = None if image.spacing_row is None else [image.spacing_row, image.spacing_column]
    return {
        "id": image.pk,
        "rows": image.rows,
        "columns": image.columns,
        "bits_stored": image.bits_stored,
        "spacing": spacing,
        "window": {"low": image.window_low, "high": image.window_high},
        "frame": reverse("viewer:frame", args=[project.slug, image.pk]),
        "rendered": reverse("viewer:rendered", args=[project.slug, image.pk]),
        "metadata": dicom_json.describe(image),
    }


def _difference(project: Project, view: View, image: Image) -> dict[str, Any]:
    """The same image minus its host; its id is the negative of the image's."""
    low, high = differences.window(image)
    return _image(project, view, image) | {
        "id": -image.pk,
        "bits_stored": differences.bits(image),
        "window": {"low": low, "high": high},
        "frame": reverse("viewer:difference_frame", args=[project.slug, image.pk]),
        "rendered": reverse("viewer:difference_rendered", args=[project.slug, image.pk]),
        "metadata": differences.describe(image),
    }


def _synthetic_cases(project: Project, exam: Exam) -> list[dict[str, Any]]:
    """Simulated views grouped into cases: the views of one breast that got the same cluster."""
    grouped: dict[tuple[int, str, int], list[View]] = {}
    for view in selectors.synthetic(exam):
        origin = view.synthesis
        grouped.setdefault((origin.batch.number, origin.malignancy, origin.case_number), []).append(view)
    cases = []
    for (batch, malignancy, number), views in sorted(grouped.items()):
        origin = views[0].synthesis
        cases.append(
            {
                "key": f"{batch}-{malignancy}-{number}",
                "label": f"{malignancy} cluster {number} of simulation {batch}",
                "batch": batch,
                "malignancy": malignancy,
                "seed": str(origin.seed),
                "quality": origin.get_quality_display(),
                "views": {
                    f"{view.laterality}-{view.position}": _view(project, view)
                    for view in sorted(views, key=lambda view: (view.position, view.pk))
                },
            }
        )
    return cases
