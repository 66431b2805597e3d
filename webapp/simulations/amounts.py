"""How many synthetic cases a ratio stands for (decision 0007)."""

from __future__ import annotations

from webapp.annotations.models import LesionType
from webapp.datasets.models import DatasetVersion, Split, VersionAnnotation

CLUSTER_TYPES = (LesionType.CLUSTER, LesionType.BOTH)


def cluster_patients(version: DatasetVersion, split: str = Split.TRAIN) -> dict[str, int]:
    """Patients of a split that have a real cluster, by malignancy: what a synthetic ratio of 1 stands for.

    Van Camp et al. (IWBI 2024), section 2.1, counts 37 benign and 94 malignant ones.
    """
    used = VersionAnnotation.objects.filter(
        version_view__version=version, version_view__split=split, lesion_type__in=CLUSTER_TYPES
    )
    return {
        malignancy: used.filter(malignancy=malignancy).values("version_view__patient").distinct().count()
        for malignancy in ("benign", "malignant")
    }


def wanted_cases(patients: dict[str, int], ratio_benign: float, ratio_malignant: float) -> dict[str, int]:
    """Synthetic cases per class for a ratio (1.0 = 100 %); halves round up."""
    return {
        "benign": int(patients["benign"] * ratio_benign + 0.5),
        "malignant": int(patients["malignant"] * ratio_malignant + 0.5),
    }
