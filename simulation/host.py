"""The input gate: is this pair fit to take a cluster, and what does the simulation need to know about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from imaging import errors as imaging_errors
from imaging.breast import breast_mask, chest_wall_side
from imaging.pair import CEMPair
from simulation.errors import (
    BreastNotFound,
    BreastTooSmall,
    LesionFreeNotAsserted,
    SaturatedImage,
    UnusableInput,
)
from simulation.permitted_area import PermittedArea, permitted_area
from simulation.provenance import pixels_sha256
from simulation.settings import SimulationSettings
from simulation.texture.grid import Cell, cell_size, cells_inside
from simulation.vendor import VendorProfile, profile_of

MINIMUM_CELLS = 12
MINIMUM_BREAST_CM2 = 20.0


@dataclass(frozen=True, eq=False)
class Host:
    """A pair turned so that the chest wall is on the left, with all that was found out about it.

    Attributes
    ----------
    low_energy, recombined : ndarray, shape (rows, columns)
    breast : ndarray of bool, same shape
    exclusion : ndarray of bool or None
    area : PermittedArea
    cells : list of Cell
    overlap : float
        With which the cells were laid.
    spacing_mm : float
    flipped : bool
        Whether the pair was mirrored.
    maximum : int
        Largest stored value.
    profile : VendorProfile
    sha256 : str
        Of the pixels in this orientation.
    assumptions : tuple of str
        What had to be assumed, in sentences for the record.
    """

    low_energy: NDArray[Any]
    recombined: NDArray[Any]
    breast: NDArray[np.bool_]
    exclusion: NDArray[np.bool_] | None
    area: PermittedArea
    cells: list[Cell]
    overlap: float
    spacing_mm: float
    flipped: bool
    maximum: int
    profile: VendorProfile
    sha256: str
    assumptions: tuple[str, ...]


def prepare_host(
    pair: CEMPair,
    *,
    lesion_free: bool,
    exclusion: NDArray[np.bool_] | None,
    settings: SimulationSettings,
) -> Host:
    """Check a pair and find its breast, permitted area and cells.

    Raises
    ------
    LesionFreeNotAsserted
        If it is neither asserted that the pair is lesion-free nor an exclusion mask given.
    UnusableInput, SaturatedImage, BreastNotFound, BreastTooSmall
    """
    if not lesion_free and exclusion is None:
        raise LesionFreeNotAsserted(
            "the view is not stated to be lesion-free; assert it, or give a mask of its lesions to keep clear of"
        )
    if exclusion is not None and exclusion.shape != pair.shape:
        raise UnusableInput(f"the exclusion mask is {exclusion.shape} and the images are {pair.shape}; they must agree")
    for name, image in (("low-energy", pair.low_energy), ("recombined", pair.recombined)):
        if image.dtype not in (np.uint8, np.uint16):
            raise UnusableInput(f"{name} image has {image.dtype} values; unsigned 8 or 16 bit are expected")
        if int(image.max()) > pair.maximum:
            raise UnusableInput(f"{name} image holds values above {pair.maximum}, its stated maximum")
    try:
        breast = breast_mask(pair.low_energy)
    except imaging_errors.BreastNotFound as error:
        raise BreastNotFound(str(error)) from error
    flipped = chest_wall_side(breast) == "right"
    spacing, assumptions = _spacing(pair, settings)
    if pair.bits_stored <= 8:
        assumptions.append("8-bit input: grey values are windowed, so realised contrast is approximate")
    area_cm2 = float(breast.sum()) * spacing**2 / 100
    if area_cm2 < MINIMUM_BREAST_CM2:
        raise BreastTooSmall(f"the breast covers {area_cm2:.0f} cm2; at least {MINIMUM_BREAST_CM2:.0f} are needed")
    low, recombined = _turn(pair.low_energy, flipped), _turn(pair.recombined, flipped)
    breast = _turn(breast, flipped)
    exclusion = None if exclusion is None else _turn(exclusion.astype(bool), flipped)
    saturated = breast & ((low >= pair.maximum - 1) | (low <= 1))
    share = float(saturated.sum() / breast.sum())
    if share > settings.maximum_saturated_fraction:
        raise SaturatedImage(
            f"{share:.0%} of the breast is at the ends of the value range; "
            f"at most {settings.maximum_saturated_fraction:.0%} is accepted"
        )
    # single saturated pixels do no harm, areas do
    blocked = ndimage.binary_opening(saturated, np.ones((3, 3), bool))
    if exclusion is not None:
        blocked |= exclusion
    area = permitted_area(low, breast, pair.view_position, spacing, settings, blocked)
    cells, overlap = _cells(area, spacing, settings)
    if flipped != (pair.laterality == "R"):
        assumptions.append("chest wall is not on the usual side for the stated laterality; the picture was followed")
    if area.pectoral == "corner":
        assumptions.append("pectoral muscle: border not found with confidence, a corner was left out")
    key = pair.vendor if settings.vendor_profile == "auto" else settings.vendor_profile
    profile = profile_of(key)
    if profile.assumed:
        assumptions.append(f"system constants assumed for {key}: {', '.join(profile.assumed)}")
    return Host(
        low,
        recombined,
        breast,
        exclusion,
        area,
        cells,
        overlap,
        spacing,
        flipped,
        pair.maximum,
        profile,
        pixels_sha256(low, recombined),
        tuple(assumptions),
    )


def _spacing(pair: CEMPair, settings: SimulationSettings) -> tuple[float, list[str]]:
    if pair.spacing_mm is None:
        spacing = settings.assumed_long_side_mm / max(pair.shape)
        return spacing, [
            f"no pixel size stated: {spacing:.4f} mm, as if the long side showed {settings.assumed_long_side_mm:g} mm"
        ]
    row, column = pair.spacing_mm
    if not (0.02 <= row <= 2 and abs(row - column) <= 0.01 * row):
        raise UnusableInput(f"pixel size {row:g} x {column:g} mm; square pixels of 0.02 to 2 mm are expected")
    return float(row), []


def _cells(area: PermittedArea, spacing: float, settings: SimulationSettings) -> tuple[list[Cell], float]:
    """Cells of the wanted size; in small breasts closer together, then smaller."""
    full, half = cell_size(settings.cell_mm, spacing), cell_size(settings.cell_mm / 2, spacing)
    denser = max(settings.overlap, 0.75)
    cells: list[Cell] = []
    for size, overlap in ((full, settings.overlap), (full, denser), (half, denser)):
        cells = cells_inside(area.mask, size, overlap=overlap, maximum=settings.maximum_cells)
        if len(cells) >= MINIMUM_CELLS:
            return cells, overlap
    raise BreastTooSmall(
        f"only {len(cells)} cells fit between skin, edges, muscle and excluded areas; {MINIMUM_CELLS} are needed. "
        "Choose another view, or smaller margins"
    )


def _turn(image: NDArray[Any], flip: bool) -> NDArray[Any]:
    return np.ascontiguousarray(image[:, ::-1]) if flip else image
