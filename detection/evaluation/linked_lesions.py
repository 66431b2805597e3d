"""Lesions of a test set with what was found of each, on one view or linked over the views that show it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from detection.evaluation.protocol import UnitScore
from detection.evaluation.result import LesionRecord, TestSetResult


@dataclass(frozen=True)
class LinkedLesion:
    """One lesion of one patient.

    Attributes
    ----------
    lesion_id, patient_id : str
    sample_ids : tuple of str
        Views that show it.
    lesion_type : str
    malignant : bool or None
        None where it is unknown on a view and malignant on none.
    found : tuple of bool
        By view: whether the protocol credits it with a finding.
    located : tuple of float
        Malignancy probability of the findings that match it by position alone, one for each view that has one.
    calls : tuple of bool
        Whether each of these findings is called malignant.
    """

    lesion_id: str
    patient_id: str
    sample_ids: tuple[str, ...]
    lesion_type: str
    malignant: bool | None
    found: tuple[bool, ...]
    located: tuple[float, ...]
    calls: tuple[bool, ...]


def linked_lesions(result: TestSetResult, *, over_views: bool) -> list[LinkedLesion]:
    """Every lesion of a test set, in the order of patients and lesions.

    Parameters
    ----------
    over_views : bool
        Whether the same lesion of a patient on several views is one. Else each view counts on its own.
    """
    matched = {
        (row.sample_id, row.localised_lesion_id): row for row in result.findings if row.localised_lesion_id is not None
    }
    members: dict[tuple[str, str, str], list[LesionRecord]] = defaultdict(list)
    for record in result.lesions:
        members[record.patient_id, record.lesion_id, "" if over_views else record.sample_id].append(record)
    lesions = []
    for (patient_id, lesion_id, _), records in sorted(members.items()):
        on_it = [matched[key] for row in records if (key := (row.sample_id, row.lesion_id)) in matched]
        lesions.append(
            LinkedLesion(
                lesion_id=lesion_id,
                patient_id=patient_id,
                sample_ids=tuple(row.sample_id for row in records),
                lesion_type=records[0].lesion_type,
                malignant=any_malignant([_known(row) for row in records]),
                found=tuple(row.outcome == "TP" for row in records),
                located=tuple(row.malignancy for row in on_it),
                calls=tuple(row.called_malignant for row in on_it),
            )
        )
    return lesions


def any_malignant(parts: Sequence[bool | None]) -> bool | None:
    """Whether any part is malignant; None where that rests on a part that is not known."""
    if True in parts:
        return True
    return None if None in parts else False


def combined(scores: Sequence[float], rule: UnitScore) -> float:
    """Score of a unit from those of its parts, 0 without any: highest, mean, or noisy-or 1 - prod(1 - s)."""
    if not scores:
        return 0.0
    if rule == "max":
        return max(scores)
    if rule == "mean":
        return math.fsum(scores) / len(scores)
    return 1 - math.prod(1 - score for score in scores)


def _known(row: LesionRecord) -> bool | None:
    return None if row.malignancy == "unknown" else row.malignancy == "malignant"
