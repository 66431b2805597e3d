"""Which breasts may receive a synthetic cluster: training patients of a frozen version, nobody else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from webapp.cases.models import Exam, ImageKind, View
from webapp.core.errors import UserError
from webapp.datasets.models import DatasetVersion, Split, VersionAnnotation, VersionView

LesionRule = Literal["prefer_free", "free", "any"]
DENSITY = "breast_density"
"""Attribute of an exam, where the source states it."""


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
    pseudonym: str
    site: str
    vendor: str
    density: str
    lesion_free: bool
    """Whether no view of the breast has an annotated lesion; stays as it is when views are left out."""

    @property
    def words(self) -> str:
        """How logs and reasons call it; no identifier of a person."""
        return f"{self.laterality} breast of exam {self.exam_id}"


@dataclass(frozen=True)
class HostFilter:
    """Which breasts may be hosts. Empty lists leave everything in.

    Attributes
    ----------
    sites, vendors, densities, lateralities, positions : tuple of str
        Positions leave views out, the others breasts.
    lesions : {"prefer_free", "free", "any"}
        Lesion-free breasts where there are any, else those with lesions (decision 0007); lesion-free ones only;
        or all, with the lesions and 10 mm around them kept clear.
    without : tuple of str
        Pseudonyms of patients who stay out.
    """

    sites: tuple[str, ...] = ()
    vendors: tuple[str, ...] = ()
    densities: tuple[str, ...] = ()
    lateralities: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    lesions: LesionRule = "prefer_free"
    without: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> HostFilter:
        """Read what `to_json` wrote; an empty body is no filter."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in body.items()
        }
        return cls(**values)


@dataclass(frozen=True)
class HostChoice:
    """Breasts that a filter leaves, and why the others are out."""

    hosts: tuple[HostBreast, ...]
    left_out: dict[str, int]

    @property
    def views(self) -> int:
        """Views of the chosen breasts."""
        return sum(len(breast.views) for breast in self.hosts)

    @property
    def patients(self) -> int:
        """Patients of the chosen breasts."""
        return len({breast.patient_id for breast in self.hosts})

    @property
    def lesion_free(self) -> bool:
        """Whether all of them are without a lesion."""
        return all(breast.lesion_free for breast in self.hosts)


def host_breasts(version: DatasetVersion) -> list[HostBreast]:
    """Candidate hosts in a fixed order (exam, then side)."""
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
        .select_related("view__exam__patient__site")
        .prefetch_related("view__images")
        .order_by("view__exam_id", "view__laterality", "view__position")
    )
    grouped: dict[tuple[int, int, str], list[HostView]] = defaultdict(list)
    for member in members:
        view = member.view
        grouped[member.patient_id, view.exam_id, view.laterality].append(HostView(view, tuple(outlines[view.pk])))
    return [_breast(key, views) for key, views in sorted(grouped.items())]


def _breast(key: tuple[int, int, str], views: list[HostView]) -> HostBreast:
    patient, exam_id, laterality = key
    exam: Exam = views[0].view.exam
    vendors = {image.vendor for image in views[0].view.images.all() if image.kind == ImageKind.LOW_ENERGY}
    return HostBreast(
        patient,
        exam_id,
        laterality,
        tuple(views),
        pseudonym=exam.patient.pseudonym,
        site=exam.patient.site.code,
        vendor=next(iter(vendors), "unknown"),
        density=str(exam.attributes.get(DENSITY, "")),
        lesion_free=not any(view.polygons for view in views),
    )


def choose_hosts(breasts: Iterable[HostBreast], wanted: HostFilter) -> HostChoice:
    """Apply a filter; the order of the breasts stays.

    A breast without any lesion is preferred by the paper (S000, section 2.2). Where a dataset has none, breasts with
    lesions serve with the dilated lesions excluded, and the record of each case says so.
    """
    if wanted.lesions not in get_args(LesionRule):
        raise UserError("Choose what happens with breasts that have a lesion.", field="lesions")
    left_out: Counter[str] = Counter()
    kept: list[HostBreast] = []
    for breast in breasts:
        reason = _reason(breast, wanted)
        if reason:
            left_out[reason] += 1
            continue
        views = tuple(
            entry for entry in breast.views if not wanted.positions or entry.view.position in wanted.positions
        )
        if views:
            kept.append(replace(breast, views=views))
        else:
            left_out["no view of the chosen direction"] += 1
    free = [breast for breast in kept if breast.lesion_free]
    if wanted.lesions == "free" or (wanted.lesions == "prefer_free" and free):
        left_out["has a lesion"] += len(kept) - len(free)
        kept = free
    return HostChoice(tuple(kept), {reason: count for reason, count in left_out.items() if count})


def _reason(breast: HostBreast, wanted: HostFilter) -> str:
    """Why the breast is out; empty when it is not."""
    if wanted.sites and breast.site not in wanted.sites:
        return "another site"
    if wanted.vendors and breast.vendor not in wanted.vendors:
        return "another vendor"
    if wanted.densities and breast.density not in wanted.densities:
        return "another density"
    if wanted.lateralities and breast.laterality not in wanted.lateralities:
        return "the other side"
    if breast.pseudonym in wanted.without:
        return "patient left out by name"
    return ""
