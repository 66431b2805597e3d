"""The verdict on one file: taken, with its facts, or not, with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imaging.attributes import text
from imaging.dicom import is_dicom, read_header, read_with_pixels, stored_image
from imaging.dicom_writing import is_synthetic
from imaging.eight_bit import read_eight_bit
from imaging.errors import ImagingError, UnreadableFile
from imaging.image_kind import ImageKind, classify
from imaging.limits import DEFAULT_LIMITS, Limits
from imaging.stored_image import StoredImage


@dataclass(frozen=True)
class Verdict:
    """What became of a file.

    Attributes
    ----------
    accepted : bool
    reason : str
        Why it was not accepted, or what a person must still say; empty otherwise. Never names a patient.
    facts : dict
        JSON-ready and free of identifiers: ``rows``, ``columns``, ``bits_stored``, ``spacing_mm``,
        ``spacing_source``, ``photometric``, ``vendor``, ``format``, ``kind``, ``kind_rule``, ``kind_reason``,
        ``laterality``, ``view_position``, ``synthetic``, ``burned_in_annotation``, ``notes``.
    """

    accepted: bool
    reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def verdict(path: Path, limits: Limits = DEFAULT_LIMITS) -> Verdict:
    """Decode a file completely and say whether it is a usable view.

    Parameters
    ----------
    path : Path
        DICOM, PNG, JPEG or PGM, told by content.
    limits : Limits

    Returns
    -------
    Verdict
        8-bit pictures are accepted with kind, laterality and view unknown: a manifest must state them.
    """
    return inspect(path, limits)[0]


def inspect(path: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[Verdict, StoredImage | None]:
    """Verdict and decoded image in one reading; the image is None when the file was not accepted."""
    try:
        return _inspect(path, limits)
    except ImagingError as error:
        return Verdict(False, error.message), None


def _inspect(path: Path, limits: Limits) -> tuple[Verdict, StoredImage | None]:
    try:
        dicom = is_dicom(path)
    except OSError as error:
        raise UnreadableFile("The file is not there or may not be read. Choose it again.") from error
    if not dicom:
        image = read_eight_bit(path, limits)
        facts = _facts(image) | {
            "kind": ImageKind.UNKNOWN.value,
            "kind_rule": "none",
            "kind_reason": "a picture without header",
            "synthetic": False,
            "burned_in_annotation": None,
        }
        return Verdict(True, "", facts), image
    header = read_header(path, limits)
    kind = classify(header.dataset)
    if kind.refused:
        return Verdict(False, kind.reason, {"kind_rule": kind.rule}), None
    for keyword, name in (("SOPInstanceUID", "SOP Instance UID"), ("StudyInstanceUID", "Study Instance UID")):
        if not text(header.dataset, keyword):
            raise UnreadableFile(f"The file has no {name}, so it cannot be told from others. Export the image again.")
    full = read_with_pixels(path, limits)
    image = stored_image(full, limits)
    facts = _facts(image) | {
        "kind": kind.kind.value,
        "kind_rule": kind.rule,
        "kind_reason": kind.reason,
        "synthetic": is_synthetic(header.dataset),
        "burned_in_annotation": {"YES": True, "NO": False}.get(text(header.dataset, "BurnedInAnnotation").upper()),
    }
    reason = _missing(image, kind.kind, kind.reason)
    return Verdict(True, reason, facts), image


def _missing(image: StoredImage, kind: ImageKind, kind_reason: str) -> str:
    """What a person must still say."""
    wants = []
    if kind is ImageKind.UNKNOWN:
        wants.append(kind_reason)
    if image.laterality is None:
        wants.append("The header does not tell left from right (0020,0062).")
    if image.view_position is None:
        wants.append("The header names neither CC nor MLO as the view (0054,0220 or 0018,5101).")
    return " ".join(wants)


def _facts(image: StoredImage) -> dict[str, Any]:
    rows, columns = image.shape
    return {
        "rows": rows,
        "columns": columns,
        "bits_stored": image.bits_stored,
        "spacing_mm": list(image.spacing_mm) if image.spacing_mm else None,
        "spacing_source": image.spacing_source,
        "photometric": image.photometric,
        "vendor": image.vendor,
        "format": image.source_format,
        "laterality": image.laterality,
        "view_position": image.view_position,
        "notes": list(image.notes[:20]),
    }
