"""What is measured on the project's own annotated lesions, and on synthetic ones in the same way.

The measures of a frozen version never change, so they are kept beside the data; the file may be deleted at any time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.contours import polygons_to_mask
from imaging.errors import ImagingError
from imaging.reading import read_pixels
from simulation.cluster_measurement import measure_cluster
from simulation.enhancement import measure_contrast
from simulation.provenance import source_sha256
from webapp.cases.models import ImageKind
from webapp.core import files
from webapp.datasets.models import DatasetVersion, Split, VersionAnnotation
from webapp.simulations.amounts import CLUSTER_TYPES

NAMES = ("count", "diameter_mm", "spacing_mm", "contrast_to_noise")


@dataclass(frozen=True)
class LesionMeasures:
    """Measures of one lesion on one view; None where it could not be measured.

    Attributes
    ----------
    contrast : float or None
        Relative contrast in the recombined image.
    count, diameter_mm, spacing_mm, contrast_to_noise
        Of the calcifications found in the low-energy image; clusters only.
    reason : str
        Why the calcifications were not measured.
    """

    malignancy: str
    cluster: bool
    contrast: float | None = None
    count: float | None = None
    diameter_mm: float | None = None
    spacing_mm: float | None = None
    contrast_to_noise: float | None = None
    reason: str = ""


def training_lesions(version: DatasetVersion) -> list[LesionMeasures]:
    """Measures of every benign or malignant training lesion of a frozen version, on each view it is outlined on."""
    name = f"measures/{version.content_hash[:32]}-{source_sha256()[:16]}.json"
    path = files.absolute(name)
    if path.is_file():
        return [LesionMeasures(**row) for row in json.loads(path.read_text())]
    used = (
        VersionAnnotation.objects.filter(version_view__version=version, version_view__split=Split.TRAIN)
        .exclude(malignancy="unknown")
        .select_related("annotation", "version_view")
        .prefetch_related("version_view__view__images")
        .order_by("pk")
    )
    measured = [_measure(entry) for entry in used]
    files.write(name, json.dumps([asdict(one) for one in measured]).encode())
    return measured


def _measure(entry: VersionAnnotation) -> LesionMeasures:
    images = {image.kind: image for image in entry.version_view.view.images.all()}
    cluster = entry.lesion_type in CLUSTER_TYPES
    values: dict[str, Any] = {"contrast": None}
    try:
        recombined = read_pixels(files.absolute(images[ImageKind.RECOMBINED].file)).pixels
        mask = polygons_to_mask(entry.annotation.polygons, (recombined.shape[0], recombined.shape[1]))
        values["contrast"] = measure_contrast(recombined, mask)
    except (ValueError, ImagingError, OSError):
        # A lesion at the border of the breast has no ring to compare with.
        pass
    if cluster:
        values |= _calcifications(entry, images[ImageKind.LOW_ENERGY])
    return LesionMeasures(entry.malignancy, cluster, **values)


def _calcifications(entry: VersionAnnotation, image: Any) -> dict[str, Any]:
    if image.spacing_row is None:
        return {"reason": "the pixel size is unknown"}
    try:
        pixels = read_pixels(files.absolute(image.file)).pixels
        mask = polygons_to_mask(entry.annotation.polygons, (pixels.shape[0], pixels.shape[1]))
    except (ValueError, ImagingError, OSError) as error:
        return {"reason": f"an image could not be read ({type(error).__name__})"}
    return measured_calcifications(pixels, mask, image.spacing_row)


def measured_calcifications(
    low_energy: NDArray[Any], mask: NDArray[np.bool_], pixel_mm: float
) -> dict[str, float | str | None]:
    """Number, extent, median spacing and median contrast to noise of the calcifications inside an outline.

    Real and synthetic clusters go through this alike, so that its misses cancel in their comparison.
    """
    try:
        found = measure_cluster(low_energy, mask, pixel_mm)
    except ValueError as error:
        return {"reason": str(error)}
    ratios = [spot.contrast_to_noise for spot in found.spots]
    return {
        "count": float(found.count),
        "diameter_mm": found.diameter_mm if found.count > 1 else None,
        "spacing_mm": median(found.nearest_mm) if found.nearest_mm else None,
        "contrast_to_noise": median(ratios) if ratios else None,
    }


def real_clusters(lesions: Sequence[LesionMeasures]) -> dict[str, Any]:
    """For the batch's summary: measured values by class, and the reason where there are none.

    Returns
    -------
    dict
        ``{"real": {class: {measure: [values]}}, "real_reasons": {class: {measure: words}}}``.
    """
    real: dict[str, dict[str, list[float]]] = {}
    reasons: dict[str, dict[str, str]] = {}
    for malignancy in ("benign", "malignant"):
        clusters = [one for one in lesions if one.cluster and one.malignancy == malignancy]
        real[malignancy] = {name: _present(getattr(one, name) for one in clusters) for name in NAMES}
        real[malignancy]["enhancement"] = _present(one.contrast for one in clusters)
        reasons[malignancy] = {
            name: _why(clusters, len(values))
            for name, values in real[malignancy].items()
            if len(values) < len(clusters) or not clusters
        }
    return {"real": real, "real_reasons": reasons}


def _present(values: Any) -> list[float]:
    return [round(float(value), 4) for value in values if value is not None]


def _why(clusters: Sequence[LesionMeasures], measured: int) -> str:
    if not clusters:
        return "the training set has no such cluster"
    stated = sorted({one.reason for one in clusters if one.reason})
    found = f"{measured} of {len(clusters)} clusters on a view could be measured"
    return f"{found}: {'; '.join(stated[:2])}" if stated else found
