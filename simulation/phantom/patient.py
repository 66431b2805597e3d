"""One phantom patient: four views, lesions shared between CC and MLO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imaging.contours import mask_to_polygons
from imaging.pair import CEMPair, Laterality, ViewPosition
from simulation.phantom.acquisition import expose
from simulation.phantom.anatomy import Breast, Outline, draw_breast, outline
from simulation.phantom.lesion_plan import LesionPlan, LesionType, Malignancy, PlannedLesion
from simulation.phantom.lesions import Position, candidate_positions, project, radius_mm
from simulation.phantom.presentation import BITS_STORED, low_energy_image, recombined_image
from simulation.phantom.tissue import tissue
from simulation.randomness import generator
from simulation.vendor import profile_of

Site = Literal["A", "B"]
Size = Literal["full", "small", "test"]
Polygon = tuple[tuple[float, float], ...]

VIEWS: tuple[tuple[Laterality, ViewPosition], ...] = (("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO"))
FULL_SHAPE: dict[Site, tuple[int, int]] = {"A": (2294, 1914), "B": (2850, 2394)}
REDUCED_SHAPE: dict[Size, tuple[int, int]] = {"small": (575, 480), "test": (288, 240)}
VENDOR: dict[Site, str] = {"A": "phantom-a", "B": "phantom-b"}
FULL_PIXEL_MM = 0.1


@dataclass(frozen=True)
class PhantomLesion:
    """One lesion as it shows in one view.

    Attributes
    ----------
    lesion_id : str
        The same in CC and MLO.
    lesion_type : {"mass", "cluster"}
    malignancy : {"benign", "malignant"}
    polygons : tuple of polygons
        (x, y) in continuous pixels, first point not repeated.
    calcifications : int
    """

    lesion_id: str
    lesion_type: LesionType
    malignancy: Malignancy
    polygons: tuple[Polygon, ...]
    calcifications: int


@dataclass(frozen=True, eq=False)
class PhantomTruth:
    """What only a phantom knows, in the orientation of the pair.

    Attributes
    ----------
    breast, lesions : ndarray of bool, shape (rows, columns)
    pectoral : ndarray of float32
        0 to 1.
    nipple : tuple of float
        (x, y) in continuous pixels.
    density_class : {"a", "b", "c", "d"}
    """

    breast: NDArray[np.bool_]
    lesions: NDArray[np.bool_]
    pectoral: NDArray[np.float32]
    nipple: tuple[float, float]
    density_class: str


@dataclass(frozen=True, eq=False)
class PhantomView:
    """One view of a phantom patient."""

    pair: CEMPair
    lesions: tuple[PhantomLesion, ...]
    truth: PhantomTruth


def image_geometry(site: Site, size: Size) -> tuple[tuple[int, int], float]:
    """(rows, columns) and pixel size in mm; reduced sizes show the same field of view."""
    if size == "full":
        return FULL_SHAPE[site], FULL_PIXEL_MM
    shape = REDUCED_SHAPE[size]
    return shape, FULL_PIXEL_MM * FULL_SHAPE[site][0] / shape[0]


def phantom_patient(
    *,
    seed: int,
    site: Site = "A",
    size: Size = "full",
    lesions: LesionPlan | None = None,
    views: tuple[tuple[Laterality, ViewPosition], ...] = VIEWS,
) -> list[PhantomView]:
    """Generate a phantom patient.

    Parameters
    ----------
    seed : int
        Everything follows from it; equal seeds give equal bytes.
    site : {"A", "B"}
        "A": Senographe-Essential-like, 2294 x 1914; "B": Pristina-like, 2850 x 2394, other beam, dose and display.
    size : {"full", "small", "test"}
        0.1 mm pixels, 575 x 480 or 288 x 240. On reduced sizes calcifications are enlarged sideways so that they stay
        visible (`simulation.calcification.lateral_scale`).
    lesions : LesionPlan, optional
        Lesion-free when None.
    views : tuple of (laterality, view position)

    Returns
    -------
    list of PhantomView
        In the order of `views`.
    """
    plan = lesions or LesionPlan()
    shape, spacing = image_geometry(site, size)
    breast = draw_breast(seed)
    # both sides of a patient are alike, so their views share an outline
    forms = {view: outline(breast, view, shape, spacing) for view in dict.fromkeys(view for _, view in views)}
    places = _places(plan, breast, seed, site, size)
    return [_view(plan, places, breast, forms[view], seed, site, size, laterality, view) for laterality, view in views]


def _places(plan: LesionPlan, breast: Breast, seed: int, site: Site, size: Size) -> list[Position]:
    """A place for each lesion that is well inside the breast in both views and away from the other lesions."""
    if not plan.lesions:
        return []
    # the outline at the test size tells as well as a larger one where there is room
    shape, coarse = image_geometry(site, "test")
    spacing = image_geometry(site, size)[1]
    forms: dict[ViewPosition, Outline] = {view: outline(breast, view, shape, coarse) for view in ("CC", "MLO")}
    chosen: list[Position] = []
    for index, planned in enumerate(plan.lesions):
        radius = radius_mm(planned, spacing, _lesion_seed(seed, index)) / coarse
        best: tuple[float, Position] | None = None
        for position in candidate_positions(seed, index):
            room = min(_room(position, form, view, radius, coarse) for view, form in forms.items())
            for other, mate in zip(chosen, plan.lesions, strict=False):
                if mate.laterality == planned.laterality:
                    room = min(room, _separation(position, other, forms, radius))
            if best is None or room > best[0]:
                best = (room, position)
            if room >= 0:
                break
        assert best is not None
        chosen.append(best[1])
    return chosen


def _room(position: Position, form: Outline, view: ViewPosition, radius_px: float, spacing: float) -> float:
    """How far the lesion stays from skin, edges and pectoral muscle, in pixels; negative when it does not."""
    x, y = position.centre(form, view)
    rows, columns = form.mask.shape
    if not (0 <= x < columns and 0 <= y < rows):
        return -1e6
    skin = float(form.distance_mm[int(y), int(x)]) / spacing - radius_px - 4 / spacing
    edge = min(x, y, rows - y, columns - x) - radius_px - 6 / spacing
    reach = int(radius_px)
    window = form.pectoral[max(int(y) - reach, 0) : int(y) + reach + 1, max(int(x) - reach, 0) : int(x) + reach + 1]
    return min(skin, edge, -float(window.max()) * 1e3 + 100)


def _separation(position: Position, other: Position, forms: dict[ViewPosition, Outline], radius_px: float) -> float:
    distances = []
    for view, form in forms.items():
        (x, y), (u, v) = position.centre(form, view), other.centre(form, view)
        distances.append(float(np.hypot(x - u, y - v)))
    return min(distances) - 3 * radius_px


def _lesion_seed(seed: int, index: int) -> int:
    return int(generator(seed, "lesion", index).integers(2**62))


def _view(
    plan: LesionPlan,
    places: list[Position],
    breast: Breast,
    form: Outline,
    seed: int,
    site: Site,
    size: Size,
    laterality: Laterality,
    view: ViewPosition,
) -> PhantomView:
    shape, spacing = image_geometry(site, size)
    profile = profile_of(VENDOR[site])
    filling = tissue(breast, form, view, spacing, seed=seed, side=laterality)
    calcified = np.zeros(shape, np.float32)
    truth = np.zeros(shape, bool)
    shown: list[tuple[int, PlannedLesion, NDArray[np.bool_], int]] = []
    for index, (planned, position) in enumerate(zip(plan.lesions, places, strict=True)):
        if planned.laterality != laterality:
            continue
        part = project(planned, position, form, view, spacing, profile, seed=_lesion_seed(seed, index))
        filling.gland_cm[part.window] += part.gland_cm * form.mask[part.window]
        filling.iodine[part.window] += part.iodine * form.mask[part.window]
        calcified[part.window] += part.calcification_low
        mask = np.zeros(shape, bool)
        mask[part.window] = part.mask
        truth |= mask
        shown.append((index, planned, mask, part.calcifications))
    exposure = expose(
        filling,
        form.thickness_cm,
        calcified,
        profile,
        spacing,
        seed=int(generator(seed, "exposure", laterality, view).integers(2**62)),
    )
    pair = CEMPair(
        low_energy_image(exposure, form, profile, spacing),
        recombined_image(exposure, form, profile, spacing),
        "L",
        view,
        (spacing, spacing),
        BITS_STORED,
        VENDOR[site],
    )
    flip = laterality == "R"
    if flip:
        pair = pair.mirrored()
    nipple = (shape[1] - form.nipple[0], form.nipple[1]) if flip else form.nipple
    lesions = tuple(
        PhantomLesion(
            f"lesion-{index + 1}",
            planned.lesion_type,
            planned.malignancy,
            tuple(tuple((float(x), float(y)) for x, y in polygon) for polygon in mask_to_polygons(_turn(mask, flip))),
            count,
        )
        for index, planned, mask, count in shown
    )
    return PhantomView(
        pair,
        lesions,
        PhantomTruth(
            _turn(form.mask, flip),
            _turn(truth, flip),
            np.ascontiguousarray(form.pectoral[:, ::-1] if flip else form.pectoral),
            nipple,
            breast.density_class,
        ),
    )


def _turn(mask: NDArray[np.bool_], flip: bool) -> NDArray[np.bool_]:
    return np.ascontiguousarray(mask[:, ::-1] if flip else mask)
