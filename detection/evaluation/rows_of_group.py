"""The rows that enter each number of a group."""

from __future__ import annotations

from collections.abc import Sequence

from detection.evaluation.lesion_groups import LESION_TYPES, Group
from detection.evaluation.result import FindingRecord, LesionRecord


def lesions_of(group: Group, lesions: Sequence[LesionRecord]) -> list[LesionRecord]:
    """Malignant lesions of the group: the rows of sensitivity."""
    return [row for row in lesions if row.malignancy == "malignant" and row.lesion_type in LESION_TYPES[group]]


def findings_of(
    group: Group, findings: Sequence[FindingRecord], *, duplicates_as_false: bool = False
) -> list[FindingRecord]:
    """Kept findings called malignant, of the type they say: the rows of precision."""
    counted = {"TP", "FP", "DUP"} if duplicates_as_false else {"TP", "FP"}
    called = [row for row in findings if row.called_malignant and row.outcome in counted]
    if group == "malignant":
        return called
    return [row for row in called if row.lesion_type == group.removeprefix("malignant_")]


def located_in(group: Group, findings: Sequence[FindingRecord]) -> list[FindingRecord]:
    """Findings that match a lesion of known malignancy by position: the rows of the AUC."""
    return [
        row
        for row in findings
        if row.localised_malignancy in ("benign", "malignant") and row.localised_type in LESION_TYPES[group]
    ]
