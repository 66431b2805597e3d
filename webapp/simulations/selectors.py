"""Reading simulations."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Prefetch, QuerySet

from webapp.accounts.models import Project, User
from webapp.accounts.selectors import projects_of
from webapp.cases.models import Image, ImageKind
from webapp.simulations.models import SimulationBatch, SyntheticView


def batches_of(user: User | AnonymousUser, project: Project) -> QuerySet[SimulationBatch]:
    """Simulation batches of a project the person may see, newest first."""
    return (
        SimulationBatch.objects.filter(project=project, project__in=projects_of(user))
        .select_related("version__dataset", "job", "created_by")
        .annotate(view_count=Count("synthetic_views"))
    )


def synthetic_views_of(user: User | AnonymousUser, project: Project) -> QuerySet[SyntheticView]:
    """Synthetic views of a project the person may see, with host and images."""
    return (
        SyntheticView.objects.filter(batch__project=project, batch__project__in=projects_of(user))
        .select_related("view__exam", "host", "batch")
        .prefetch_related(Prefetch("view__images", Image.objects.order_by("kind")))
    )


@dataclass(frozen=True)
class GalleryTile:
    """One synthetic view as the gallery shows it."""

    synthetic: SyntheticView
    low_energy: Image
    recombined: Image
    calcifications: int
    contrast: float | None


def gallery(views: list[SyntheticView]) -> list[GalleryTile]:
    """Tiles of a page of synthetic views."""
    tiles = []
    for synthetic in views:
        images = {image.kind: image for image in synthetic.view.images.all()}
        cluster = synthetic.record.get("cluster", {})
        enhancement = synthetic.record.get("enhancement", {})
        tiles.append(
            GalleryTile(
                synthetic,
                images[ImageKind.LOW_ENERGY],
                images[ImageKind.RECOMBINED],
                len(cluster.get("calcifications", [])),
                enhancement.get("realised"),
            )
        )
    return tiles
