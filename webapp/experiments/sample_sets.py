"""From records to the sample sets a detector reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from detection.sample_set import LesionTarget, Sample, SampleSet
from webapp.annotations.models import Annotation
from webapp.cases.models import Image, View
from webapp.core import files
from webapp.core.errors import UserError
from webapp.datasets.models import DatasetVersion, VersionAnnotation, VersionView
from webapp.simulations.models import SyntheticView


def sample_id(view_id: int) -> str:
    """How a view is called in sample sets and predictions."""
    return f"view-{view_id}"


def view_id(sample: str) -> int:
    """The view behind a sample id."""
    return int(sample.removeprefix("view-"))


def breast_id(view: View) -> str:
    """How the breast of a view is called: one side in one exam."""
    return f"exam-{view.exam_id}-{view.laterality}"


def acquired_samples(version: DatasetVersion, split: str, *, views: Collection[int] | None = None) -> list[Sample]:
    """Samples of the real or phantom views of a split of a frozen version, with the truth it was frozen with.

    `views` takes only these views of it.
    """
    chosen = VersionView.objects.filter(version=version, split=split)
    if views is not None:
        chosen = chosen.filter(view__in=views)
    members = list(chosen.select_related("view").prefetch_related("view__images").order_by("view_id"))
    truth: dict[int, list[LesionTarget]] = defaultdict(list)
    used = (
        VersionAnnotation.objects.filter(version_view__in=chosen)
        .select_related("annotation")
        .order_by("annotation__lesion_id")
    )
    for entry in used:
        truth[entry.version_view_id].append(target(entry.annotation, entry.lesion_type, entry.malignancy))
    return [_sample(member.view, member.patient_id, truth[member.pk]) for member in members]


def synthetic_samples(synthetic_views: Iterable[SyntheticView]) -> list[Sample]:
    """Samples of synthetic views: the inserted cluster and whatever the host already had."""
    chosen = list(synthetic_views)
    annotations: dict[int, list[LesionTarget]] = defaultdict(list)
    rows = (
        Annotation.objects.filter(
            view__in=[entry.view_id for entry in chosen] + [entry.host_id for entry in chosen],
            current=True,
            withdrawn=False,
        )
        .select_related("lesion")
        .order_by("lesion_id")
    )
    for row in rows:
        annotations[row.view_id].append(target(row, row.lesion.lesion_type, row.lesion.malignancy))
    views = View.objects.prefetch_related("images").in_bulk([entry.view_id for entry in chosen])
    return [
        _sample(views[entry.view_id], entry.patient_id, annotations[entry.host_id] + annotations[entry.view_id])
        for entry in chosen
    ]


def unannotated_sample(view: View) -> Sample:
    """A view without its truth, for a detector that only predicts; synthetic ones too.

    Raises
    ------
    UserError
        If an image is missing.
    """
    return _sample(view, view.exam.patient_id, [])


def training_set(version: DatasetVersion, split: str, synthetic: Iterable[SyntheticView] = ()) -> SampleSet:
    """The acquired samples of a split, followed by synthetic ones."""
    return SampleSet(split, tuple(acquired_samples(version, split) + synthetic_samples(synthetic)))


def target(annotation: Annotation, lesion_type: str, malignancy: str, *, outlined: bool = True) -> LesionTarget:
    """An annotation as a detector sees it; `outlined` takes its polygons along."""
    return LesionTarget(
        lesion_id=str(annotation.lesion_id),
        lesion_type=lesion_type,  # type: ignore[arg-type]
        malignancy=malignancy,  # type: ignore[arg-type]
        polygons=tuple(tuple((x, y) for x, y in polygon) for polygon in annotation.polygons) if outlined else (),
        box=(annotation.x1, annotation.y1, annotation.x2, annotation.y2),
    )


def _sample(view: View, patient_id: int, lesions: list[LesionTarget]) -> Sample:
    images: dict[str, Image] = {image.kind: image for image in view.images.all()}
    missing = {"low_energy", "recombined"} - images.keys()
    if missing:
        raise UserError(f"View {view} has no {' and no '.join(sorted(missing))} image.")
    low_energy = images["low_energy"]
    spacing = None
    if low_energy.spacing_row is not None and low_energy.spacing_column is not None:
        spacing = (low_energy.spacing_row, low_energy.spacing_column)
    return Sample(
        sample_id=sample_id(view.pk),
        patient_id=str(patient_id),
        low_energy=files.absolute(low_energy.file),
        recombined=files.absolute(images["recombined"].file),
        laterality=view.laterality,  # type: ignore[arg-type]
        view_position=view.position,  # type: ignore[arg-type]
        spacing_mm=spacing,
        origin=view.origin,  # type: ignore[arg-type]
        lesions=tuple(lesions),
        breast_id=breast_id(view),
    )
