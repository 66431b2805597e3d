"""What a reader of files hands to the store: one view, checked, not yet written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ImageDraft:
    """One image of a view.

    Attributes
    ----------
    kind : str
        `ImageKind` value.
    name : str
        Name of the source in the report.
    write : callable
        Writes the de-identified file to the path it is given.
    suffix, format : str
    source_hash : str
        Keyed hash of the source.
    rows, columns, bits_stored : int
    spacing_mm : tuple of float or None
        (row, column), mm.
    window : tuple of float
        (low, high) in stored values.
    thumbnail : bytes
        Small PNG.
    """

    kind: str
    name: str
    write: Callable[[Path], object]
    suffix: str
    format: str
    source_hash: str
    rows: int
    columns: int
    bits_stored: int
    spacing_mm: tuple[float, float] | None
    window: tuple[float, float]
    thumbnail: bytes
    photometric: str = "MONOCHROME2"
    vendor: str = "unknown"
    sop_uid: str = ""
    deidentification: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PatientDraft:
    """A person behind images. `identity` holds keyed hashes that must not contradict a stored patient's."""

    source_key: str
    pseudonym: str
    age: int | None = None
    identity: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ExamDraft:
    """An examination of a patient."""

    source_key: str
    date: date | None = None
    device: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LesionDraft:
    """A lesion that comes with the images, seen on this view.

    `key` links it to the same lesion on another view of the breast; empty when the source does not link.
    `polygons` are [[[x, y], …], …] in continuous image pixels.
    """

    lesion_type: str
    malignancy: str
    polygons: list[list[list[float]]]
    source: str
    key: str = ""
    evidence: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ViewDraft:
    """One view with the images that came for it (one or two)."""

    patient: PatientDraft
    exam: ExamDraft
    laterality: str
    position: str
    origin: str
    images: list[ImageDraft]
    lesions: list[LesionDraft] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """``R CC``."""
        return f"{self.laterality} {self.position}"
