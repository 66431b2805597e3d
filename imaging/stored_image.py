"""A decoded image with the facts that came with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imaging.pair import Laterality, Side, ViewPosition

VoiFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclass(frozen=True)
class VoiWindow:
    """A display window in units of ``StoredImage.pixels`` (DICOM PS3.3 C.11.2.1.2)."""

    centre: float
    width: float
    function: VoiFunction = "LINEAR"
    explanation: str = ""


@dataclass(frozen=True, eq=False)
class VoiLut:
    """A display table in units of ``StoredImage.pixels``: brightness in [0, 1] from ``first`` upwards."""

    first: float
    brightness: NDArray[np.float32]
    explanation: str = ""


@dataclass(frozen=True)
class Rescale:
    """Modality transform of the file: value = slope × stored + intercept. Recorded, not applied."""

    slope: float
    intercept: float
    type: str = ""


@dataclass(frozen=True, eq=False)
class StoredImage:
    """Pixels of one image and what the file says about them.

    Attributes
    ----------
    pixels : ndarray of uint8 or uint16, shape (rows, columns)
        Stored values in [0, 2**bits_stored − 1], brighter = denser: MONOCHROME1 is inverted, signed values are
        shifted up by 2**(bits_stored − 1). No rescale and no VOI transform is applied.
    bits_stored : int
    spacing_mm : tuple of float or None
        (row, column) distance of pixel centres in the breast, mm.
    spacing_source : str
        Which attribute or table the spacing came from; empty when unknown.
    photometric : str
        Photometric Interpretation of the file (before inversion).
    vendor : str
        Vendor profile key.
    chest_wall, implant, padding
        As in `imaging.pair.HeaderFacts`.
    """

    pixels: NDArray[Any]
    bits_stored: int
    spacing_mm: tuple[float, float] | None
    photometric: str
    vendor: str = "unknown"
    spacing_source: str = ""
    laterality: Laterality | None = None
    view_position: ViewPosition | None = None
    source_format: str = ""
    rescale: Rescale | None = None
    windows: tuple[VoiWindow, ...] = ()
    luts: tuple[VoiLut, ...] = ()
    notes: tuple[str, ...] = field(default=())
    chest_wall: Side | None = None
    implant: bool | None = None
    padding: tuple[int, int] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        rows, columns = self.pixels.shape
        return int(rows), int(columns)
