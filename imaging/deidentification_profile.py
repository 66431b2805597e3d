"""What to do with each attribute: DICOM PS3.15 table E.1-1 with the options this project uses.

The table itself comes from the package ``dicom-anonymizer``. On top of the Basic Application Level Confidentiality
Profile two options are used: Retain Longitudinal Temporal Information with Modified Dates, and Retain Patient
Characteristics (age, capped, and sex).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache

from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.tag import BaseTag, Tag

TABLE_EDITION = "PS3.15 2026c"


class Action(Enum):
    """What happens to an attribute."""

    KEEP = "kept"
    REMOVE = "removed"
    EMPTY = "emptied"
    REPLACE = "replaced"
    REMAP_UID = "UID replaced"
    SHIFT_DATE = "date shifted"
    CAP_AGE = "age capped at 90"
    CLEAN = "held an identifier: removed"


@dataclass(frozen=True)
class _Pattern:
    """A repeating group such as (60xx,3000): tag and mask of the bits that count."""

    tag: int
    mask: int


_KEPT = {"PatientSex", "LongitudinalTemporalInformationModified"}
_FREE_TEXT = {"LT", "ST", "UT"}
_DATES = {"DA", "DT"}
# Sequences the profile empties or drops only because of the UIDs inside, which are replaced here (X/Z/U*).
_REFERENCES = {int(Tag(tag)) for tag in table.X_Z_U_STAR_TAGS}


@cache
def _actions() -> tuple[dict[int, Action], tuple[tuple[_Pattern, Action], ...]]:
    exact: dict[int, Action] = {}
    patterns: list[tuple[_Pattern, Action]] = []
    for tags, action in (
        (table.D_TAGS, Action.REPLACE),
        (table.Z_TAGS, Action.EMPTY),
        (table.Z_D_TAGS, Action.EMPTY),
        (table.X_TAGS, Action.REMOVE),
        (table.X_Z_TAGS, Action.REMOVE),
        (table.X_D_TAGS, Action.REMOVE),
        (table.X_Z_D_TAGS, Action.EMPTY),
        (table.U_TAGS, Action.REMAP_UID),
    ):
        for entry in tags:
            if len(entry) == 2:
                exact[int(Tag(*entry))] = action
            else:
                group, element, group_mask, element_mask = entry
                patterns.append((_Pattern(group << 16 | element, group_mask << 16 | element_mask), action))
    for keyword in _KEPT:
        exact[_tag(keyword)] = Action.KEEP
    return exact, tuple(patterns)


def action_for(element: DataElement) -> Action:
    """The action for one attribute, by its tag and, where the table is silent, by its value representation."""
    tag = int(element.tag)
    if element.tag.is_private or element.VR == "UN":
        return Action.REMOVE
    if tag == _tag("PatientAge"):
        return Action.CAP_AGE
    if tag == _tag("PatientBirthDate"):
        return Action.EMPTY
    if tag in _REFERENCES:
        return Action.KEEP if element.VR == "SQ" else Action.REMOVE
    exact, patterns = _actions()
    listed = exact.get(tag)
    if listed is None:
        listed = next((action for pattern, action in patterns if tag & pattern.mask == pattern.tag), None)
    if element.VR in _DATES and listed is not Action.KEEP:
        return Action.SHIFT_DATE
    if listed is Action.REMOVE and element.VR == "TM":
        return Action.KEEP  # times of day stay with the shifted dates
    if listed is Action.EMPTY and element.VR == "TM":
        return Action.KEEP
    if element.VR == "UI" and listed in (None, Action.REMAP_UID, Action.REPLACE):
        return Action.REMAP_UID
    if listed is not None:
        return listed
    if element.VR == "PN":
        return Action.EMPTY
    if element.VR in _FREE_TEXT:
        return Action.REMOVE
    return Action.KEEP


def is_overlay(tag: BaseTag) -> bool:
    """Whether a tag belongs to an overlay or curve group (50xx, 60xx)."""
    return 0x5000 <= tag.group <= 0x50FF or 0x6000 <= tag.group <= 0x60FF


def _tag(keyword: str) -> int:
    found = tag_for_keyword(keyword)
    if found is None:
        raise KeyError(keyword)
    return int(found)
