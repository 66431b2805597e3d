"""What fills the outline of a phantom breast: gland, fat lobules, ligaments, ducts, vessels, muscle and iodine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from imaging.pair import ViewPosition
from simulation.filters import Image, block_mean
from simulation.phantom.anatomy import GLANDULAR_FRACTION, Breast, Outline
from simulation.phantom.fields import FieldGrid, cell_walls, draw_curves, resize
from simulation.phantom.strands import ligaments, vessel_trees
from simulation.randomness import generator

# Grid of the composition. Only strands, vessels and skin are finer, and they are drawn on the pixels themselves.
COMPOSITION_MM = 0.2
# Fibres of these spacings, each about as strong as a 1/f**3 texture has it.
_FIBRE_MM = (12.0, 6.0, 3.0, 1.5)
# By density class: how far gland gathers in islands, how far it follows the fibres, how thick it is, and how strong
# connective tissue shows. A fatty breast holds wisps, a dense one is evenly filled.
_PATTERN = {
    "a": (0.9, 0.36, 1.8, 1.75),
    "b": (0.9, 0.22, 1.15, 1.25),
    "c": (0.9, 0.12, 0.86, 1.0),
    "d": (0.75, 0.1, 0.74, 0.85),
}


@dataclass(frozen=True, eq=False)
class Tissue:
    """Composition of one view.

    Attributes
    ----------
    gland_cm : ndarray of float32, shape (rows, columns)
        Thickness of fibroglandular tissue, with skin, strands, vessels and muscle in gland-equivalent cm.
    iodine : ndarray of float32
        Background enhancement and vessels in mg/cm2.
    """

    gland_cm: Image
    iodine: Image


@dataclass(frozen=True, eq=False)
class _Composition:
    """Composition on the coarse grid; float32, one shape."""

    gland_cm: Image
    iodine: Image
    connective: Image


def breast_box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns that hold the breast."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def tissue(breast: Breast, form: Outline, view: ViewPosition, spacing_mm: float, *, seed: int, side: str) -> Tissue:
    """Fill an outline with gland, fat, strands, vessels, skin, muscle and background enhancement."""
    box = breast_box(form.mask)
    rng = generator(seed, "tissue", side, view)
    step = max(1, round(COMPOSITION_MM / spacing_mm))
    distance, thickness = form.distance_mm[box], form.thickness_cm[box]
    corner = (form.nipple[0] - box[1].start, form.nipple[1] - box[0].start)
    coarse = _compose(rng, breast, form, box, spacing_mm, step)
    shape = (distance.shape[0], distance.shape[1])
    gland = resize(coarse.gland_cm, shape, step)
    iodine = resize(coarse.iodine, shape, step)
    connective = resize(coarse.connective, shape, step)
    for width_mm, curves in ligaments(rng, shape, corner, distance, spacing_mm):
        width = width_mm / spacing_mm
        gland += draw_curves(shape, curves, width_px=width) * np.float32(1.0 * width_mm * min(1.0, width)) * connective
    deep = np.clip((distance - 2) / 4, 0, 1)
    for width_mm, curves in vessel_trees(rng, breast.vessels, shape, corner, form.half_height_px, spacing_mm):
        width = width_mm / spacing_mm
        drawn = draw_curves(shape, curves, width_px=max(width, 1.0)) * np.float32(min(1.0, width)) * deep
        gland += np.float32(0.07 * width_mm) * drawn
        iodine += np.float32(0.2 * width_mm) * drawn
    skin = np.exp(-((distance / np.float32(1.3)) ** 4))
    gland += np.float32(0.3) * skin
    iodine += np.float32(0.02) * skin
    gland *= form.mask[box]
    iodine *= form.mask[box]
    filled = Tissue(np.zeros(form.mask.shape, np.float32), np.zeros(form.mask.shape, np.float32))
    # strands and vessels lie over each other: gland is never thicker than the breast
    filled.gland_cm[box] = np.clip(gland, 0, np.maximum(thickness, 0.25))
    filled.iodine[box] = np.maximum(iodine, 0)
    return filled


def _compose(
    rng: np.random.Generator,
    breast: Breast,
    form: Outline,
    box: tuple[slice, slice],
    spacing_mm: float,
    step: int,
) -> _Composition:
    """Gland, muscle and background enhancement on a grid coarser by `step`."""
    distance = block_mean(form.distance_mm[box], step)
    thickness = block_mean(form.thickness_cm[box], step)
    pectoral = block_mean(form.pectoral[box], step)
    shape = (distance.shape[0], distance.shape[1])
    grid_mm = spacing_mm * step
    grid = FieldGrid(shape, grid_mm)
    x = ((np.arange(shape[1], dtype=np.float32) + 0.5) * grid_mm)[None, :]
    y = ((np.arange(shape[0], dtype=np.float32) + 0.5) * grid_mm)[:, None]
    nipple_x = (form.nipple[0] - box[1].start) * spacing_mm
    nipple_y = (form.nipple[1] - box[0].start) * spacing_mm
    half_mm = form.half_height_px * spacing_mm

    cloud = grid.power_law(rng, exponent=4.5, corner_lp_mm=0.014)
    base = grid.power_law(rng, exponent=3.2, corner_lp_mm=0.03)
    bend = grid.power_law(rng, exponent=3.6, corner_lp_mm=0.03)
    twist = grid.power_law(rng, exponent=3.6, corner_lp_mm=0.03)
    direction = (nipple_x + 8 - x) + 1j * (nipple_y - y)
    direction = (direction / np.abs(direction) * np.exp(0.6j * bend)).astype(np.complex64)

    fibre = np.zeros(shape, np.float32)
    for wavelength in _FIBRE_MM:
        if wavelength < 2.5 * grid_mm:
            continue
        wave = grid.steered(rng, wavelength_mm=wavelength, direction=direction)
        # ligaments and ducts follow the zero crossings of a field
        ridge = np.exp(-((wave / np.float32(0.6)) ** 2))
        fibre += np.float32((wavelength / 12) ** 0.9) * (ridge - ridge.mean() + np.float32(0.25) * wave)
    fibre /= fibre.std()
    warp = (np.float32(2.5) * bend, np.float32(2.5) * twist)
    walls = np.zeros(shape, np.float32)
    wall_step = max(1, round(0.4 / grid_mm))
    small = (-(-shape[0] // wall_step), -(-shape[1] // wall_step))
    small_warp = (block_mean(warp[0], wall_step), block_mean(warp[1], wall_step))
    for cell_mm, wall_mm, strength in ((15.0, 1.6, 1.0), (8.0, 1.0, 0.7)):
        drawn = cell_walls(
            rng, small, grid_mm * wall_step, cell_mm=cell_mm, wall_mm=max(wall_mm, 1.2 * grid_mm), warp=small_warp
        )
        walls += np.float32(strength) * resize(drawn, shape, wall_step)

    # gland lies behind the nipple as a cone and thins out towards the chest wall and the skin
    lift = float(rng.uniform(-0.15, 0.05)) * half_mm
    middle = nipple_y + lift * (1 - x / nipple_x)
    along = (x - 0.5 * nipple_x) / (0.6 * nipple_x)
    across = (y - middle) / (0.85 * half_mm * np.clip(1.15 - 0.5 * x / nipple_x, 0.4, None))
    envelope = np.exp(-((along**2 + across**2) ** 1.5))
    rim = np.clip((distance - breast.fat_rim - 1.5 * twist) / 7, 0, 1) * (1 - pectoral)
    islands, wisps, compact, strength = _PATTERN[breast.density_class]
    z = islands * cloud + 0.10 * base + wisps * (0.75 * fibre + 0.5 * base) + 0.2 * walls + 2.4 * envelope
    # the share of gland in the whole of the breast is that of its density class
    inside = rim[::4, ::4] > 0
    samples, target = z[::4, ::4][inside], GLANDULAR_FRACTION[breast.density_class]
    offset = optimize.brentq(lambda shift: float(special.expit(samples + shift).mean()) - target, -20, 20)
    fraction = rim * special.expit(z + np.float32(offset))
    # thick breasts hold relatively less gland, so that composition and not thickness sets the contrast
    relative = thickness * np.float32((52 / breast.thickness) ** 0.85)
    gland = np.float32(compact) * fraction * relative * np.clip(0.9 + 0.06 * base + 0.05 * fibre, 0.2, None)
    inner = np.minimum(thickness / 3, 1) * np.clip((distance - 1.0) / 3, 0, 1)
    connective = (strength * inner * (0.7 + 0.3 * envelope) * (1 - 0.85 * pectoral)).astype(np.float32)
    gland += connective * np.maximum(0.07 + 0.03 * fibre + 0.02 * base + 0.26 * walls, 0)
    behind = np.exp(-(((x - nipple_x) ** 2 + (y - nipple_y) ** 2) / np.float32(6.0**2)))
    gland += 0.35 * behind * np.minimum(thickness, 1)
    muscle = grid.power_law(rng, exponent=3.0, corner_lp_mm=0.04, angle=np.pi / 2 + breast.pectoral_angle)
    gland += pectoral * relative * (0.30 + 0.02 * muscle)
    patchy = grid.power_law(rng, exponent=3.5, corner_lp_mm=0.04)
    iodine = breast.parenchymal_iodine * fraction * np.clip(1 + 0.6 * patchy, 0.1, None) + 0.03 * pectoral
    return _Composition(gland.astype(np.float32), iodine.astype(np.float32), connective)
