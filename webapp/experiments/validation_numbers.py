"""What training measures on the validation split: names, words and what the numbers rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count

from webapp.annotations.models import Malignancy
from webapp.datasets.models import DatasetVersion, Split, VersionAnnotation, VersionView
from webapp.experiments.models import MetricPoint, Run


@dataclass(frozen=True)
class Measured:
    """A number that `detection.training.validation_numbers` gives under a name, and what its n counts."""

    label: str
    counted: str


MEASURED: Mapping[str, Measured] = {
    "validation_sensitivity": Measured("sensitivity", "malignant lesions"),
    "validation_precision": Measured("precision", "findings called malignant"),
    "validation_average_precision": Measured("average precision", "malignant lesions"),
    "validation_false_positives_per_image": Measured("false positives per image", "images"),
}


@dataclass(frozen=True)
class Basis:
    """What the numbers rest on: malignant lesions on views, views with or without them, and patients."""

    lesions: int
    views: int
    patients: int


def basis(version: DatasetVersion) -> Basis:
    """Counts of the validation split of a frozen version, which is what a training is given to measure on."""
    members = VersionView.objects.filter(version=version, split=Split.VALIDATION)
    counted = members.aggregate(views=Count("pk"), patients=Count("patient", distinct=True))
    lesions = VersionAnnotation.objects.filter(version_view__in=members, malignancy=Malignancy.MALIGNANT).count()
    return Basis(lesions, counted["views"], counted["patients"])


def value_words(point: MetricPoint, digits: int = 3) -> str:
    """The number and its n, or why there is none."""
    if point.value is None:
        return point.undefined
    return f"{point.value:.{digits}f} (n = {point.n} {MEASURED[point.name].counted})"


def newest(run: Run) -> list[MetricPoint]:
    """The numbers of the last epoch that was measured, in the order of `MEASURED`."""
    points = list(MetricPoint.objects.filter(run=run, name__in=MEASURED))
    last = max((point.epoch for point in points), default=0)
    found = {point.name: point for point in points if point.epoch == last}
    return [found[name] for name in MEASURED if name in found]
