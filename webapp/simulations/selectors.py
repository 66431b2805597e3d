"""Reading simulations: batches, the gallery with its filters, and what was decided."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Prefetch, QuerySet
from django.http import QueryDict

from webapp.accounts.models import Project, User
from webapp.accounts.selectors import projects_of
from webapp.cases.models import Image
from webapp.jobs.models import JobState
from webapp.simulations.models import SimulationBatch, SyntheticVerdict, SyntheticView

PATTERNS = ("grouped", "regional", "linear", "segmental")
SORTS = {
    "case": ("malignancy", "case_number", "pk"),
    "count": ("record__cluster__count", "pk"),
    "contrast": ("record__cluster__median_contrast_to_noise", "pk"),
    "size": ("record__cluster__diameter_mm", "pk"),
    "enhancement": ("record__enhancement__realised", "pk"),
}
SORT_WORDS = {
    "case": "Case",
    "count": "Calcifications",
    "contrast": "Contrast",
    "size": "Size",
    "enhancement": "Enhancement",
}


def batches_of(user: User | AnonymousUser, project: Project) -> QuerySet[SimulationBatch]:
    """Simulation batches of a project the person may see, newest first."""
    return (
        SimulationBatch.objects.filter(project=project, project__in=projects_of(user))
        .select_related("version__dataset", "job", "created_by", "control_of", "repeats__batch", "repeats__view")
        .annotate(view_count=Count("synthetic_views"))
    )


def usable_batches(user: User | AnonymousUser, project: Project) -> QuerySet[SimulationBatch]:
    """Batches whose clusters arms may train on: made for arms, complete, with something inserted."""
    complete = batches_of(user, project).filter(purpose=SimulationBatch.Purpose.ARMS, job__state=JobState.DONE)
    return complete.exclude(settings_used__insertion="off")


def usable_cases(batch: SimulationBatch) -> dict[str, int]:
    """Cases of a batch that are not rejected, by class."""
    found = (
        batch.synthetic_views.exclude(quality=SyntheticView.Quality.REJECTED)
        .order_by()
        .values_list("malignancy")
        .annotate(cases=Count("case_number", distinct=True))
    )
    return {"benign": 0, "malignant": 0} | dict(found)


def synthetic_views_of(user: User | AnonymousUser, project: Project) -> QuerySet[SyntheticView]:
    """Synthetic views of a project the person may see, with host and images."""
    return (
        SyntheticView.objects.filter(batch__project=project, batch__project__in=projects_of(user))
        .select_related("view__exam", "host", "batch__project", "batch__version__dataset")
        .prefetch_related(Prefetch("view__images", Image.objects.order_by("kind")))
    )


@dataclass(frozen=True)
class GalleryFilter:
    """What of a batch the gallery shows, as the address says it; what it does not know it leaves out."""

    malignancy: str = ""
    quality: str = ""
    morphology: str = ""
    pattern: str = ""
    host: str = ""
    sort: str = "case"

    @classmethod
    def of_query(cls, query: QueryDict) -> GalleryFilter:
        """Read `?malignancy=&quality=&morphology=&pattern=&host=&sort=`."""
        sort, host = query.get("sort", "case"), query.get("host", "")
        return cls(
            malignancy=_one_of(query.get("malignancy", ""), ("benign", "malignant")),
            quality=_one_of(query.get("quality", ""), SyntheticView.Quality.values),
            morphology=query.get("morphology", "")[:40],
            pattern=_one_of(query.get("pattern", ""), PATTERNS),
            host=host if host.isascii() and host.isdigit() and len(host) < 10 else "",
            sort=sort if sort.removeprefix("-") in SORTS else "case",
        )

    @property
    def active(self) -> bool:
        """Whether anything is filtered."""
        return any((self.malignancy, self.quality, self.morphology, self.pattern, self.host))

    def apply(self, views: QuerySet[SyntheticView]) -> QuerySet[SyntheticView]:
        """Filter and order."""
        conditions: dict[str, Any] = {
            "malignancy": self.malignancy,
            "quality": self.quality,
            "record__cluster__plan__morphology": self.morphology,
            "record__cluster__plan__pattern": self.pattern,
            "host__exam__number": self.host,
        }
        views = views.filter(**{name: value for name, value in conditions.items() if value})
        names = SORTS[self.sort.removeprefix("-")]
        return views.order_by(*(f"-{names[0]}" if self.sort.startswith("-") else names[0], *names[1:]))


def _one_of(value: str, allowed: Any) -> str:
    return value if value in allowed else ""


@dataclass(frozen=True)
class Facts:
    """Words and values that occur in a batch, for the filters of its gallery."""

    morphologies: list[str]
    patterns: list[str]
    hosts: list[int]
    qualities: dict[str, int]


def facts_of(batch: SimulationBatch) -> Facts:
    """What the views of the batch differ in."""
    rows = list(
        batch.synthetic_views.values_list(
            "record__cluster__plan__morphology", "record__cluster__plan__pattern", "host__exam__number", "quality"
        )
    )
    return Facts(
        sorted({row[0] for row in rows if row[0]}),
        sorted({row[1] for row in rows if row[1]}),
        sorted({row[2] for row in rows}),
        dict(Counter(row[3] for row in rows)),
    )


@dataclass(frozen=True)
class GalleryTile:
    """One synthetic view as the gallery shows it."""

    synthetic: SyntheticView
    count: int | None
    diameter_mm: float | None
    contrast: float | None
    enhancement: float | None
    morphology: str
    pattern: str
    reason: str
    kinds: list[tuple[str, str]]
    """Images of the view: kind and words."""


def gallery(views: list[SyntheticView]) -> list[GalleryTile]:
    """Tiles of a page of synthetic views."""
    reasons = _reasons(views)
    tiles = []
    for synthetic in views:
        cluster = synthetic.record.get("cluster", {})
        plan = cluster.get("plan", {})
        tiles.append(
            GalleryTile(
                synthetic,
                cluster.get("count"),
                cluster.get("diameter_mm"),
                cluster.get("median_contrast_to_noise"),
                synthetic.record.get("enhancement", {}).get("realised"),
                str(plan.get("morphology", "")).replace("_", " "),
                str(plan.get("pattern", "")),
                reasons.get((synthetic.batch_id, synthetic.malignancy, synthetic.case_number), ""),
                [(image.kind, image.get_kind_display()) for image in synthetic.view.images.all()],
            )
        )
    return tiles


def _reasons(views: list[SyntheticView]) -> dict[tuple[int, str, int], str]:
    """Why rejected cases were rejected, in words; the latest verdict counts."""
    rejected = [one for one in views if one.quality == SyntheticView.Quality.REJECTED]
    if not rejected:
        return {}
    found = SyntheticVerdict.objects.filter(
        batch__in={one.batch_id for one in rejected}, verdict=SyntheticVerdict.Verdict.REJECTED
    ).order_by("pk")
    return {
        (one.batch_id, one.malignancy, one.case_number): one.get_reason_display()
        + (f": {one.note}" if one.note else "")
        for one in found
    }
