"""Values that tell who a patient is: collected before a de-identification, looked for after it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from imaging.deidentification_profile import is_overlay
from imaging.errors import DeidentificationFailed

_MOST_VALUES = 2_000
"""A mammogram holds about a hundred; each is looked for in every attribute, so the work must have an end."""
STANDARD_ROOT = "1.2.840.10008."
"""Start of the UIDs of the standard itself, which name nobody."""
_TEXT = {"AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "UC", "UI", "UR", "UT"}
_OWN = {
    "PatientName",
    "PatientID",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "LongitudinalTemporalInformationModified",
}
# Whose values must not appear anywhere in the output, beside every person name and every UID that was replaced.
_IDENTIFYING = (
    "PatientID",
    "OtherPatientIDs",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientAddress",
    "PatientTelephoneNumbers",
    "PatientBirthName",
    "PatientMotherBirthName",
    "MedicalRecordLocator",
    "AccessionNumber",
    "InstitutionName",
    "InstitutionAddress",
    "StationName",
    "DeviceSerialNumber",
    "StudyID",
)


def _elements(dataset: Dataset) -> Iterator[tuple[Dataset, DataElement]]:
    """Every attribute with the data set it lies in, those of sequence items included."""
    waiting = [dataset]
    while waiting:
        current = waiting.pop()
        for tag in list(current.keys()):
            element = current[tag]
            yield current, element
            if element.VR == "SQ":
                waiting.extend(element.value)


@dataclass(frozen=True)
class IdentifyingValues:
    """What must not appear: words (compared without case) and UIDs."""

    words: frozenset[str]
    uids: frozenset[str]


def identifying_values(dataset: Dataset) -> IdentifyingValues:
    """Names, numbers and UIDs of the patient in a data set as it came.

    Raises
    ------
    DeidentificationFailed
        If there are more than can be looked for.
    """
    words: set[str] = set()
    uids: set[str] = set()
    for _, element in _elements(dataset):
        texts_found = [str(value).strip() for value in as_list(element.value) if value is not None]
        if element.VR == "UI":
            uids.update(value for value in texts_found if value and not value.startswith(STANDARD_ROOT))
        elif element.VR == "PN":
            for value in texts_found:
                words.add(value.lower())
                words.update(part.lower() for part in re.split(r"[\^=\s,]+", value) if len(part) >= 4)
        elif element.keyword in _IDENTIFYING:
            words.update(value.lower() for value in texts_found)
    if len(words) + len(uids) > _MOST_VALUES:
        raise DeidentificationFailed(
            f"The header holds {len(words) + len(uids):,} names and identifiers, and no more than {_MOST_VALUES:,} can "
            "be looked for. The file was not stored; export the image again."
        )
    # Values such as “0000000000” or “O” identify nobody and would forbid innocent ones.
    return IdentifyingValues(frozenset(word for word in words if len(set(word)) >= 3), frozenset(uids))


def as_list(value: Any) -> list[Any]:
    """Values of an attribute, which may hold none, one or several."""
    if value is None:
        return []
    return list(value) if isinstance(value, MultiValue | list | tuple) else [value]


def _holds(element: DataElement, sought: IdentifyingValues) -> bool:
    if element.VR not in _TEXT:
        return False
    for value in as_list(element.value):
        written = str(value).strip()
        if element.VR == "UI":
            if written in sought.uids:
                return True
            continue
        lowered = written.lower()
        if not lowered:
            continue
        if lowered in sought.words or any(uid in written for uid in sought.uids if len(uid) >= 8):
            return True
        for word in sought.words:
            # Short words count only when they stand alone: a Study ID “1234” is not found inside “12345”.
            if word in lowered and (len(word) >= 8 or re.search(rf"(?<!\w){re.escape(word)}(?!\w)", lowered)):
                return True
    return False


def _own(dataset: Dataset, element: DataElement, root: Dataset) -> bool:
    return dataset is root and element.keyword in _OWN


def remove_leftovers(dataset: Dataset, sought: IdentifyingValues) -> list[BaseTag]:
    """Take out the attributes that still hold an identifying value; their tags."""
    removed = []
    for owner, element in list(_elements(dataset)):
        if _own(owner, element, dataset) or element.VR == "UI" or not _holds(element, sought):
            continue
        if element.VR in ("CS", "DA", "DT"):
            continue  # coded values and shifted dates are words of the standard, not of the patient
        del owner[element.tag]
        removed.append(element.tag)
    return removed


def verify(dataset: Dataset, sought: IdentifyingValues) -> int:
    """Look at every attribute of the finished data set again; how many there are.

    Raises
    ------
    DeidentificationFailed
    """
    count = 0
    for part in (dataset, getattr(dataset, "file_meta", None)):
        if part is None:
            continue
        for owner, element in _elements(part):
            count += 1
            if element.tag.is_private or is_overlay(element.tag):
                raise DeidentificationFailed(
                    f"Attribute {element.tag} should have been removed and was not. The file was not stored."
                )
            if _own(owner, element, dataset) or element.VR in ("CS", "DA", "DT"):
                continue
            if _holds(element, sought):
                raise DeidentificationFailed(
                    f"An identifying value was still found in attribute {element.tag} ({element.keyword}). "
                    "The file was not stored."
                )
    return count
