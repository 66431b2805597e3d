"""Which breasts may receive a synthetic cluster: training patients of a frozen version, nobody else."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from webapp.cases.models import View
from webapp.datasets.models import DatasetVersion, Split, VersionAnnotation, VersionView


@dataclass(frozen=True)
class HostView:
    """An acquired training view and the outlines of what is already in it (continuous pixels)."""

    view: View
    polygons: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True)
class HostBreast:
    """One breast of one exam of a training patient, with its complete views."""

    patient_id: int
    exam_id: int
    laterality: str
    views: tuple[HostView, ...]

    @property
    def lesion_free(self) -> bool:
        """Whether no view of the breast has an annotated lesion."""
        return not any(view.polygons for view in self.views)

    @property
    def words(self) -> str:
        """How logs and reasons call it; no identifier of a person."""
        return f"{self.laterality} breast of exam {self.exam_id}"


def host_breasts(version: DatasetVersion) -> list[HostBreast]:
    """Candidate hosts in a fixed order (exam, then side).

    A breast without any lesion is preferred by the paper (S000, section 2.2). Where a dataset has none, breasts
    with lesions serve with the dilated lesions excluded, and the record of each case says so.
    """
    outlines: dict[int, list[tuple[tuple[float, float], ...]]] = defaultdict(list)
    used = VersionAnnotation.objects.filter(
        version_view__version=version, version_view__split=Split.TRAIN
    ).select_related("annotation")
    for entry in used:
        outlines[entry.annotation.view_id] += [
            tuple((x, y) for x, y in polygon) for polygon in entry.annotation.polygons
        ]
    members = (
        VersionView.objects.filter(version=version, split=Split.TRAIN)
        .select_related("view__exam")
        .prefetch_related("view__images")
        .order_by("view__exam_id", "view__laterality", "view__position")
    )
    grouped: dict[tuple[int, int, str], list[HostView]] = defaultdict(list)
    for member in members:
        view = member.view
        grouped[member.patient_id, view.exam_id, view.laterality].append(HostView(view, tuple(outlines[view.pk])))
    return [
        HostBreast(patient, exam, laterality, tuple(views))
        for (patient, exam, laterality), views in sorted(grouped.items())
    ]
