"""The enhancement of the project's own lesions, measured on training views (S000, section 2.2)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from imaging.contours import polygons_to_mask
from imaging.errors import ImagingError
from imaging.reading import read_pixels
from simulation.enhancement import ContrastDistribution, measure_contrast
from webapp.cases.models import ImageKind
from webapp.core import files
from webapp.datasets.models import DatasetVersion, Split, VersionAnnotation

ENOUGH = 5
"""Fewer measured clusters than this, and lesions of every type are taken; fewer of those, and the prior."""
Malignancy = Literal["benign", "malignant"]


@dataclass(frozen=True)
class MeasuredContrast:
    """A distribution and what it rests on."""

    distribution: ContrastDistribution
    source: str
    measured: int


def measured_contrasts(version: DatasetVersion) -> dict[str, MeasuredContrast]:
    """Relative contrast of the training lesions in their recombined images, by malignancy.

    Lesions whose surroundings cannot be measured are left out.
    """
    values: dict[tuple[str, bool], list[float]] = defaultdict(list)
    used = (
        VersionAnnotation.objects.filter(version_view__version=version, version_view__split=Split.TRAIN)
        .exclude(malignancy="unknown")
        .select_related("annotation", "version_view")
        .prefetch_related("version_view__view__images")
        .order_by("pk")
    )
    for entry in used:
        images = {image.kind: image for image in entry.version_view.view.images.all()}
        recombined = images[ImageKind.RECOMBINED]
        try:
            pixels = read_pixels(files.absolute(recombined.file)).pixels
            mask = polygons_to_mask(entry.annotation.polygons, (pixels.shape[0], pixels.shape[1]))
            contrast = measure_contrast(pixels, mask)
        except (ValueError, ImagingError):
            # A lesion at the border of the breast has no ring to compare with.
            continue
        if contrast > 0:
            values[entry.malignancy, entry.lesion_type in ("cluster", "both")].append(contrast)
    return {malignancy: _choose(malignancy, values) for malignancy in ("benign", "malignant")}


def _choose(malignancy: Malignancy, values: dict[tuple[str, bool], list[float]]) -> MeasuredContrast:
    clusters = values[malignancy, True]
    if len(clusters) >= ENOUGH:
        return MeasuredContrast(
            ContrastDistribution.fit(clusters, malignancy), f"{malignancy} clusters of the training set", len(clusters)
        )
    lesions = clusters + values[malignancy, False]
    if len(lesions) >= ENOUGH:
        return MeasuredContrast(
            ContrastDistribution.fit(lesions, malignancy),
            f"{malignancy} lesions of every type in the training set, because only {len(clusters)} clusters could be "
            "measured",
            len(lesions),
        )
    return MeasuredContrast(
        ContrastDistribution.prior(malignancy),
        f"published prior, because only {len(lesions)} {malignancy} lesions of the training set could be measured",
        len(lesions),
    )
