"""De-identification after DICOM PS3.15 annex E, repeatable: the same secret and input give the same output.

A first pass applies the table, a second takes out attributes that still hold a name or number of the patient, and an
independent third looks through the finished data set and refuses it when anything is left.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import re
import warnings
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID

from imaging.attributes import text
from imaging.deidentification_profile import TABLE_EDITION, Action, action_for, is_overlay
from imaging.dicom_writing import IMPLEMENTATION_UID
from imaging.identifying_values import STANDARD_ROOT, as_list, identifying_values, remove_leftovers, verify
from imaging.mammography_modules import code_item

PROFILE_VERSION = "cemlab-1"
OLDEST_AGE = 90
_UNITS_A_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}
_DUMMY = "ANONYMIZED"
_METHODS = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ("113108", "Retain Patient Characteristics Option"),
)


@dataclass(frozen=True)
class Change:
    """What happened to one attribute; never its value."""

    tag: str
    keyword: str
    action: str
    count: int = 1


@dataclass(frozen=True)
class Record:
    """Evidence of a de-identification, without any original value.

    Attributes
    ----------
    profile_version, table_edition : str
    changes : tuple of Change
        Sorted by tag; attributes inside sequences are counted under their own tag.
    private_removed, overlays_removed : int
    burned_in_annotation : {"YES", "NO", "unknown"}
        What the file says about text in the pixels; the pixels themselves are not changed.
    age_capped : bool
    verified_attributes : int
        How many attributes the last pass looked at.
    """

    profile_version: str
    table_edition: str
    changes: tuple[Change, ...]
    private_removed: int
    overlays_removed: int
    burned_in_annotation: str
    age_capped: bool
    verified_attributes: int

    def as_json(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "schema": "cemlab.deidentification/1",
            "profile_version": self.profile_version,
            "table_edition": self.table_edition,
            "options": [meaning for _, meaning in _METHODS],
            "changes": [vars(change) for change in self.changes],
            "private_removed": self.private_removed,
            "overlays_removed": self.overlays_removed,
            "burned_in_annotation": self.burned_in_annotation,
            "age_capped": self.age_capped,
            "verified_attributes": self.verified_attributes,
        }


@dataclass
class _Tally:
    counts: dict[tuple[int, str], int] = field(default_factory=dict)
    private: int = 0
    overlays: int = 0
    age_capped: bool = False

    def add(self, tag: BaseTag, action: Action) -> None:
        key = (int(tag), action.value)
        self.counts[key] = self.counts.get(key, 0) + 1


class Deidentifier:
    """Takes identity out of data sets.

    Parameters
    ----------
    secret : bytes
        Key of the project, at least 16 bytes; pseudonyms, dates and UIDs follow from it and cannot be undone without.
    profile_version : str
        Written into the record.
    """

    def __init__(self, secret: bytes, profile_version: str = PROFILE_VERSION) -> None:
        if len(secret) < 16:
            raise ValueError("the secret needs at least 16 bytes")
        self._secret = secret
        self._profile_version = profile_version

    def pseudonym(self, patient_key: str) -> str:
        """Pseudonym of a patient: the same key gives the same one."""
        digest = self._digest("patient", patient_key)
        return "P-" + base64.b32encode(digest[:5]).decode()

    def date_offset(self, patient_key: str) -> timedelta:
        """How far all dates of a patient are moved: between 1 and 10 years back."""
        return timedelta(days=-(365 + int.from_bytes(self._digest("dates", patient_key)[:4], "big") % 3286))

    def uid(self, original: str) -> UID:
        """The UID that stands for ``original``."""
        return UID(f"2.25.{int.from_bytes(self._digest('uid', original)[:16], 'big')}")

    def apply(self, dataset: Dataset, *, patient_key: str, pseudonym: str | None = None) -> tuple[Dataset, Record]:
        """De-identify a data set; the argument is left as it is.

        Parameters
        ----------
        dataset : pydicom.Dataset
            With or without pixels, as read by `imaging.dicom_header`.
        patient_key : str
            What tells the patient from others at the source, for example site and Patient ID.
        pseudonym : str, optional
            Name and ID to write instead of the derived one.

        Returns
        -------
        Dataset, Record

        Raises
        ------
        DeidentificationFailed
            If an identifying value is still found by the last pass.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = copy.deepcopy(dataset)
            sought = identifying_values(dataset)
            tally = _Tally()
            burned_in = text(dataset, "BurnedInAnnotation").upper()
            self._clean(result, self.date_offset(patient_key), tally)
            self._sign(result, pseudonym or self.pseudonym(patient_key))
            for tag in remove_leftovers(result, sought):
                tally.add(tag, Action.CLEAN)
            verified = verify(result, sought)
        record = Record(
            self._profile_version,
            TABLE_EDITION,
            tuple(
                Change(f"({tag >> 16:04X},{tag & 0xFFFF:04X})", keyword_for_tag(tag), action, count)
                for (tag, action), count in sorted(tally.counts.items())
            ),
            tally.private,
            tally.overlays,
            burned_in if burned_in in ("YES", "NO") else "unknown",
            tally.age_capped,
            verified,
        )
        return result, record

    def _digest(self, purpose: str, value: str) -> bytes:
        return hmac.new(self._secret, f"{purpose}\x00{value}".encode(), hashlib.sha256).digest()

    def _clean(self, dataset: Dataset, offset: timedelta, tally: _Tally) -> None:
        for tag in list(dataset.keys()):
            element = dataset[tag]
            if element.keyword in ("PatientName", "PatientID"):
                tally.add(tag, Action.REPLACE)  # by the pseudonym, in `_sign`
                element.value = ""
                continue
            if tag.is_private:
                del dataset[tag]
                tally.private += 1
                continue
            action = action_for(element)
            if is_overlay(tag):
                tally.overlays += 1
                action = Action.REMOVE
            if action is Action.KEEP:
                for item in element.value if element.VR == "SQ" else ():
                    self._clean(item, offset, tally)
                continue
            done = self._change(dataset, element, action, offset, tally)
            if done is not Action.KEEP:
                tally.add(tag, done)

    def _change(
        self, dataset: Dataset, element: DataElement, action: Action, offset: timedelta, tally: _Tally
    ) -> Action:
        """Apply one action; returns what was done."""
        tag = element.tag
        if action is Action.REMAP_UID and element.VR == "UI":
            originals = [str(value) for value in as_list(element.value) if str(value)]
            if not originals or all(value.startswith(STANDARD_ROOT) for value in originals):
                return Action.KEEP
            remapped = [self.uid(value) for value in originals]
            element.value = remapped if len(remapped) > 1 else remapped[0]
            return action
        if action is Action.SHIFT_DATE:
            shifted = _shifted(element, offset)
            if shifted is None:
                element.value = ""
                return Action.EMPTY
            element.value = shifted
            return action
        if action is Action.CAP_AGE:
            return _cap_age(element, tally)
        if action is Action.EMPTY or (action is Action.REPLACE and element.VR not in ("LO", "SH", "PN", "CS")):
            element.value = Sequence() if element.VR == "SQ" else None
            return Action.EMPTY
        if action is Action.REPLACE:
            element.value = _DUMMY
            return action
        del dataset[tag]
        return Action.REMOVE

    def _sign(self, dataset: Dataset, pseudonym: str) -> None:
        dataset.PatientName = pseudonym
        dataset.PatientID = pseudonym
        dataset.PatientIdentityRemoved = "YES"
        dataset.LongitudinalTemporalInformationModified = "MODIFIED"
        dataset.DeidentificationMethod = f"CEMLab {self._profile_version}, {TABLE_EDITION}"
        dataset.DeidentificationMethodCodeSequence = Sequence(
            [code_item(value, "DCM", meaning) for value, meaning in _METHODS]
        )
        old = getattr(dataset, "file_meta", None)
        if old is not None:
            meta = FileMetaDataset()
            meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", old.get("MediaStorageSOPClassUID", ""))
            meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "")
            meta.TransferSyntaxUID = old.get("TransferSyntaxUID", "")
            meta.ImplementationClassUID = IMPLEMENTATION_UID
            meta.ImplementationVersionName = "CEMLAB_1"
            dataset.file_meta = meta
        if hasattr(dataset, "preamble"):
            dataset.preamble = b"\x00" * 128


def _cap_age(element: DataElement, tally: _Tally) -> Action:
    """An age is kept up to 90 years and is 90 above; what is not read as an age might be a higher one and goes."""
    written = str(element.value or "").strip().upper()
    if not written:
        return Action.KEEP
    match = re.fullmatch(r"(\d{1,4})\s*([DWMY])", written)
    if match is None:
        element.value = None
        return Action.EMPTY
    if int(match[1]) / _UNITS_A_YEAR[match[2]] <= OLDEST_AGE:
        return Action.KEEP
    element.value = f"{OLDEST_AGE:03d}Y"
    tally.age_capped = True
    return Action.CAP_AGE


def _shifted(element: DataElement, offset: timedelta) -> str | list[str] | None:
    """Dates moved by the offset; None when a value is no date."""
    originals = element.value if isinstance(element.value, MultiValue | list) else [element.value]
    result = []
    for original in originals:
        written = "" if original is None else str(original).strip()
        if not written:
            result.append("")
            continue
        match = re.match(r"(\d{4})\.?(\d{2})\.?(\d{2})", written)
        try:
            day = datetime(int(match[1]), int(match[2]), int(match[3])) + offset if match else None
        except (ValueError, OverflowError):
            day = None
        if day is None or match is None:
            return None
        rest = written[match.end() :] if element.VR == "DT" else ""
        result.append(f"{day.year:04d}{day.month:02d}{day.day:02d}{rest}")
    return result if len(result) > 1 else result[0]
