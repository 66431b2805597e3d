"""Which lesions a number is about."""

from __future__ import annotations

from typing import Literal, get_args

Group = Literal["malignant", "malignant_mass", "malignant_cluster"]
GROUPS: tuple[Group, ...] = get_args(Group)
LESION_TYPES: dict[Group, frozenset[str]] = {
    "malignant": frozenset({"mass", "cluster", "both", "other"}),
    "malignant_mass": frozenset({"mass"}),
    "malignant_cluster": frozenset({"cluster", "both"}),
}
TYPES_UNKNOWN = "the lesion types of this test set are not known"
"""Why masses and clusters have no numbers."""
