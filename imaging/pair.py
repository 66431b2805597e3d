"""The CEM image pair: what passes between reading, simulation and detection."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Laterality = Literal["L", "R"]
ViewPosition = Literal["CC", "MLO"]
Side = Literal["left", "right"]


@dataclass(frozen=True)
class HeaderFacts:
    """What the files of a view say beyond its pixels, laterality and spacing; empty for pictures without a header.

    Attributes
    ----------
    chest_wall : {"left", "right"} or None
        Side of the low-energy image on which Patient Orientation (0020,0020) puts the chest wall.
    implant : bool or None
        Breast Implant Present (0028,1300).
    padding : tuple of int or None
        Lowest and highest stored value of the low-energy image that stand for no measurement (Pixel Padding Value,
        0028,0120), in the values of `CEMPair.low_energy`.
    notes : tuple of str
        What reading changed or left out, in sentences without identifiers.
    """

    chest_wall: Side | None = None
    implant: bool | None = None
    padding: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CEMPair:
    """One view of contrast-enhanced mammography: low-energy and recombined image of the same exposure.

    Attributes
    ----------
    low_energy, recombined : ndarray of uint8 or uint16, shape (rows, columns)
        Stored values, brighter = denser (MONOCHROME1 input is already inverted); no VOI window applied.
    laterality : {"L", "R"}
    view_position : {"CC", "MLO"}
    spacing_mm : tuple of float or None
        (row, column) distance between pixel centres in the detector plane in mm; None when unknown.
    bits_stored : int
        Values lie in [0, 2**bits_stored - 1].
    vendor : str
        Vendor profile key, for example ``"ge-essential"``; ``"unknown"`` when not recognised.
    facts : HeaderFacts

    Raises
    ------
    ValueError
        If the two images differ in shape or are not two-dimensional.
    """

    low_energy: NDArray[Any]
    recombined: NDArray[Any]
    laterality: Laterality
    view_position: ViewPosition
    spacing_mm: tuple[float, float] | None
    bits_stored: int
    vendor: str = "unknown"
    facts: HeaderFacts = field(default_factory=HeaderFacts)

    def __post_init__(self) -> None:
        if self.low_energy.ndim != 2:
            raise ValueError(f"low-energy image must have 2 dimensions, not {self.low_energy.ndim}")
        if self.low_energy.shape != self.recombined.shape:
            raise ValueError(
                f"low-energy image is {self.low_energy.shape} and recombined image is {self.recombined.shape}: "
                "the two images of a pair must have the same number of rows and columns"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        rows, columns = self.low_energy.shape
        return int(rows), int(columns)

    @property
    def maximum(self) -> int:
        """Largest value that can be stored."""
        return int(2**self.bits_stored - 1)

    def mirrored(self) -> CEMPair:
        """The same pair flipped left-right, with the opposite laterality."""
        opposite: dict[Side | None, Side | None] = {"left": "right", "right": "left", None: None}
        return replace(
            self,
            low_energy=np.ascontiguousarray(self.low_energy[:, ::-1]),
            recombined=np.ascontiguousarray(self.recombined[:, ::-1]),
            laterality="L" if self.laterality == "R" else "R",
            facts=replace(self.facts, chest_wall=opposite[self.facts.chest_wall]),
        )
