"""Lesion classes (type and malignancy together) as bits of `Exam.lesion_classes`, for filters and counts."""

from __future__ import annotations

from collections.abc import Iterable

from webapp.annotations.models import LesionType, Malignancy

_ORDER = (Malignancy.MALIGNANT, Malignancy.BENIGN, Malignancy.UNKNOWN)
CLASSES: tuple[tuple[str, str], ...] = tuple(
    (kind.value, malignancy.value) for malignancy in _ORDER for kind in LesionType
)
"""(lesion_type, malignancy) of bit 0, 1, …: malignant first, as on pages."""

_TYPE_WORDS = {"mass": "Mass", "cluster": "Cluster", "both": "Mass with cluster", "other": "Other"}


def bits(classes: Iterable[tuple[str, str]]) -> int:
    """The classes as one number."""
    return sum(1 << CLASSES.index(one) for one in set(classes))


def words(lesion_type: str, malignancy: str) -> str:
    """``Cluster, malignant``."""
    return f"{_TYPE_WORDS[lesion_type]}, {'malignancy unknown' if malignancy == 'unknown' else malignancy}"


def name(lesion_type: str, malignancy: str) -> str:
    """``cluster-malignant``, as it stands in addresses."""
    return f"{lesion_type}-{malignancy}"
