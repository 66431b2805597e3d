"""The input gate: is this pair fit to take a cluster, and what does the simulation need to know about it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.pair import CEMPair
from simulation.errors import AlreadyCalcified, BreastTooSmall, ImplantPresent, LesionFreeNotAsserted, UnusableInput
from simulation.grey_codes import used_codes
from simulation.host_breast import find_breast, find_side, refuse_saturated, require_registered
from simulation.implant import find_implant
from simulation.permitted_area import PermittedArea, pectoral_area, permitted_area
from simulation.provenance import pixels_sha256
from simulation.settings import SimulationSettings
from simulation.suspect_spots import COARSEST_MM, bright_spots, crowded
from simulation.texture.grid import Cell, cell_size, cells_inside
from simulation.vendor import VendorProfile, profile_of
from simulation.working_scale import WorkingScale

MINIMUM_CELLS = 12
MINIMUM_BREAST_CM2 = 20.0
# Below this permitted area cells are half as wide and clusters hold at most fifteen calcifications.
SMALL_AREA_CM2 = 20.0
SMALL_COUNT = 15
MOST_CROWDED = 0.5
SPACING_MM = (0.02, 2.0)


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
    most_calcifications : int or None
        Limit for a cluster in a small breast.
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
    most_calcifications: int | None = None

    @functools.cached_property
    def low_energy_codes(self) -> NDArray[np.int64]:
        """Grey values that an edit of the low-energy image may use."""
        return used_codes(self.low_energy, self.maximum)

    @functools.cached_property
    def recombined_codes(self) -> NDArray[np.int64]:
        """Grey values that an edit of the recombined image may use."""
        return used_codes(self.recombined, self.maximum)


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
        If it is neither asserted that the pair is lesion-free nor an exclusion mask given, and the settings do not
        allow screening instead.
    ImplantPresent, InvertedImage, ConflictingLaterality, MisregisteredPair, SaturatedImage, UnusableInput
        If the pair cannot be a host.
    BreastNotFound, BreastTooSmall, AlreadyCalcified
        If there is no room for a cluster.
    """
    screened = not lesion_free and exclusion is None
    if screened and settings.unlabelled_hosts == "refuse":
        raise LesionFreeNotAsserted(
            "the view is not stated to be lesion-free; assert it, or give a mask of its lesions to keep clear of"
        )
    _check_pixels(pair, exclusion)
    if pair.facts.implant and not settings.allow_implant:
        raise _implant("the header states a breast implant (0028,1300)")
    spacing, assumptions = _spacing(pair, settings)
    assumptions += pair.facts.notes
    if pair.bits_stored < 12:
        assumptions.append(f"{pair.bits_stored}-bit input: grey values are windowed, so contrast is approximate")
    flipped = find_side(pair) == "right"
    low, recombined = turned(pair.low_energy, flipped), turned(pair.recombined, flipped)
    exclusion = None if exclusion is None else turned(exclusion.astype(bool), flipped)
    scale = WorkingScale.of(pair.shape, spacing)
    size = spacing * scale.step
    small = scale.reduce(_without_padding(low, pair.facts.padding))
    small_recombined = scale.reduce(recombined)
    small_breast, notes = find_breast(small, small_recombined, size)
    assumptions += notes
    area_cm2 = float(small_breast.sum()) * size**2 / 100
    if area_cm2 < MINIMUM_BREAST_CM2:
        raise BreastTooSmall(f"the breast covers {area_cm2:.0f} cm2; at least {MINIMUM_BREAST_CM2:.0f} are needed")
    assumptions += require_registered(pair, small, small_recombined, small_breast, size, scale.step, settings)
    breast = scale.enlarge(small_breast, smooth=True)
    blocked = refuse_saturated(low, breast, pair.maximum, settings.maximum_saturated_fraction)
    if exclusion is not None:
        blocked |= exclusion
    pectoral = pectoral_area(small, small_breast, pair.view_position, size)
    implant = find_implant(small, small_breast & ~pectoral[0], size)
    if implant is not None and not settings.allow_implant:
        raise _implant("a large, bright, smooth body fills more than 15 % of the breast")
    if implant is None and pair.facts.implant:
        raise _implant("the header states one that the pixels do not show, so nothing can be kept clear of it")
    area = permitted_area(small, small_breast, pair.view_position, size, settings, pectoral=pectoral, implant=implant)
    if area.pectoral == "corner":
        assumptions.append("pectoral muscle: border not found with confidence, a corner was left out")
    if area.folds:
        assumptions.append(f"skin folds or ridges at the border left out: {area.folds:.1%} of the breast")
    if implant is not None:
        assumptions.append("implant: only tissue in front of it is used")
    permitted, notes = _without_crowds(low, area.mask, scale, spacing, screened)
    assumptions += notes
    full = scale.enlarge(permitted) & ~blocked
    area = PermittedArea(
        full,
        (area.nipple[0] * scale.step, area.nipple[1] * scale.step),
        area.depth_px * scale.step,
        area.pectoral,
        area.folds,
    )
    cells, overlap, little = _cells(area, spacing, settings)
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
        SMALL_COUNT if little else None,
    )


def _check_pixels(pair: CEMPair, exclusion: NDArray[np.bool_] | None) -> None:
    if exclusion is not None and exclusion.shape != pair.shape:
        raise UnusableInput(f"the exclusion mask is {exclusion.shape} and the images are {pair.shape}; they must agree")
    for name, image in (("low-energy", pair.low_energy), ("recombined", pair.recombined)):
        if image.dtype not in (np.uint8, np.uint16):
            raise UnusableInput(f"{name} image has {image.dtype} values; unsigned 8 or 16 bit are expected")
        if int(image.max()) > pair.maximum:
            raise UnusableInput(f"{name} image holds values above {pair.maximum}, its stated maximum")


def _implant(why: str) -> ImplantPresent:
    return ImplantPresent(
        f"{why}; choose another breast, or allow implants (allow_implant) to use the tissue in front of it"
    )


def _without_padding(low: NDArray[Any], padding: tuple[int, int] | None) -> NDArray[Any]:
    """The image with its padding as dark as the darkest measurement, so that it is neither air nor breast."""
    if padding is None:
        return low
    padded = (low >= padding[0]) & (low <= padding[1])
    if not padded.any() or padded.all():
        return low
    return np.where(padded, low[~padded].min(), low)


def _without_crowds(
    low: NDArray[Any], permitted: NDArray[np.bool_], scale: WorkingScale, spacing: float, screened: bool
) -> tuple[NDArray[np.bool_], list[str]]:
    """The permitted area without crowds of bright spots, and what to note."""
    notes = []
    if screened:
        notes.append("nobody calls the host lesion-free: it was only screened for bright spots")
    spots = bright_spots(low, permitted, spacing)
    if spots is None:
        if screened:
            raise LesionFreeNotAsserted(
                f"pixels of {spacing:.2f} mm are too coarse to screen for calcifications (at most {COARSEST_MM} mm); "
                "assert that the view is lesion-free, or give a mask of its lesions"
            )
        return permitted, notes
    crowd = crowded(spots, (permitted.shape[0], permitted.shape[1]), scale.step, spacing) & permitted
    if crowd.any():
        share = float(crowd.sum() / permitted.sum())
        if share > MOST_CROWDED:
            raise AlreadyCalcified(
                f"bright spots like calcifications crowd {share:.0%} of the permitted area; choose another host"
            )
        notes.append(f"already calcified: {share:.1%} of the permitted area left out, {len(spots)} bright spots")
    return permitted & ~crowd, notes


def _spacing(pair: CEMPair, settings: SimulationSettings) -> tuple[float, list[str]]:
    if pair.spacing_mm is None:
        spacing = settings.assumed_long_side_mm / max(pair.shape)
        if not SPACING_MM[0] <= spacing <= SPACING_MM[1]:
            raise UnusableInput(
                f"{pair.shape[0]} x {pair.shape[1]} pixels without a stated size; a long side of "
                f"{settings.assumed_long_side_mm:g} mm would make them {spacing:g} mm wide, and {SPACING_MM[0]:g} to "
                f"{SPACING_MM[1]:g} mm are expected"
            )
        return spacing, [
            f"no pixel size stated: {spacing:.4f} mm, as if the long side showed {settings.assumed_long_side_mm:g} mm"
        ]
    row, column = pair.spacing_mm
    if not (SPACING_MM[0] <= row <= SPACING_MM[1] and abs(row - column) <= 0.01 * row):
        raise UnusableInput(
            f"pixel size {row:g} x {column:g} mm; square pixels of {SPACING_MM[0]:g} to {SPACING_MM[1]:g} mm are "
            "expected"
        )
    return float(row), []


def _cells(area: PermittedArea, spacing: float, settings: SimulationSettings) -> tuple[list[Cell], float, bool]:
    """Cells of the wanted size, their overlap, and whether they had to be smaller; closer together where few fit."""
    full, half = cell_size(settings.cell_mm, spacing), cell_size(settings.cell_mm / 2, spacing)
    denser = max(settings.overlap, 0.75)
    choices = [(full, settings.overlap, False), (full, denser, False), (half, settings.overlap, True)]
    choices.append((half, denser, True))
    if np.count_nonzero(area.mask) * spacing**2 / 100 < SMALL_AREA_CM2:
        choices = choices[2:]
    cells: list[Cell] = []
    for size, overlap, little in choices:
        cells = cells_inside(area.mask, size, overlap=overlap, maximum=settings.maximum_cells)
        if len(cells) >= MINIMUM_CELLS:
            return cells, overlap, little
    raise BreastTooSmall(
        f"only {len(cells)} cells fit between skin, edges, muscle and excluded areas; {MINIMUM_CELLS} are needed. "
        "Choose another view, or smaller margins"
    )


def turned(image: NDArray[Any], flip: bool) -> NDArray[Any]:
    """The image, mirrored left-right if `flip`; uint8, uint16 or bool."""
    if not flip:
        return image
    if image.dtype == bool:
        return cv2.flip(np.ascontiguousarray(image).view(np.uint8), 1).view(bool)
    return cv2.flip(image, 1)
