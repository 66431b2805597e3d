"""Phantom lesions in three dimensions and their projections into CC and MLO."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.pair import ViewPosition
from simulation.calcification import reach_px, render
from simulation.cluster_form import draw_form
from simulation.cluster_parameters import PARAMETERS
from simulation.cluster_plan import ClusterPlan, draw_plan, spread_scale
from simulation.filters import Image, smooth
from simulation.lesion_mask import lesion_mask
from simulation.phantom.anatomy import Outline
from simulation.phantom.fields import FieldGrid
from simulation.phantom.lesion_plan import PlannedLesion
from simulation.phantom.masses import WINDOW, draw_mass, mass_radius_mm
from simulation.randomness import generator
from simulation.vendor import VendorProfile

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Position:
    """Place of a lesion in its breast.

    Attributes
    ----------
    depth : float
        From the chest wall, as part of the distance to the nipple.
    lateral, height : float
        Sideways and up, as part of the half height.
    """

    depth: float
    lateral: float
    height: float

    def centre(self, form: Outline, view: ViewPosition) -> tuple[float, float]:
        """(x, y) in continuous pixels; both views see the same distance behind the nipple."""
        # CC looks down: sideways stays; MLO looks along 45 degrees: sideways and height mix
        across = self.lateral if view == "CC" else 0.7 * self.lateral - 0.7 * self.height
        return self.depth * form.nipple[0], form.nipple[1] + across * form.half_height_px


@dataclass(frozen=True, eq=False)
class Projection:
    """What a lesion adds to one view, on the window it changes.

    Attributes
    ----------
    window : tuple of slice
        Rows and columns of the image.
    gland_cm : ndarray of float32
        Gland-equivalent cm.
    calcification_low : ndarray of float32
        Low-energy log attenuation of calcifications.
    iodine : ndarray of float32
        mg/cm2.
    mask : ndarray of bool
    calcifications : int
    """

    window: Window
    gland_cm: Image
    calcification_low: Image
    iodine: Image
    mask: NDArray[np.bool_]
    calcifications: int


def candidate_positions(seed: int, *path: str | int, count: int = 400) -> list[Position]:
    """Random places, the most central ones not preferred."""
    rng = generator(seed, "position", *path)
    values = np.stack(
        [rng.uniform(0.3, 0.78, count), rng.uniform(-0.55, 0.55, count), rng.uniform(-0.35, 0.45, count)], 1
    )
    return [Position(float(a), float(b), float(c)) for a, b, c in values]


def radius_mm(planned: PlannedLesion, spacing_mm: float, seed: int) -> float:
    """Radius of the lesion in the plane, in mm."""
    if planned.lesion_type == "cluster":
        return _cluster_plan(planned, spacing_mm, seed).diameter_mm / 2
    return mass_radius_mm(planned.malignancy, spacing_mm, seed)


def _cluster_plan(planned: PlannedLesion, spacing_mm: float, seed: int) -> ClusterPlan:
    return draw_plan(generator(seed, "plan"), planned.malignancy, spread_scale=spread_scale(spacing_mm))


def project(
    planned: PlannedLesion,
    position: Position,
    form: Outline,
    view: ViewPosition,
    spacing_mm: float,
    profile: VendorProfile,
    *,
    seed: int,
) -> Projection:
    """Project one lesion into one view; `seed` belongs to the lesion and is the same for both views."""
    if planned.lesion_type == "mass":
        return _project_mass(planned, position, form, view, spacing_mm, seed)
    return _project_cluster(planned, position, form, view, spacing_mm, profile, seed)


def _project_mass(
    planned: PlannedLesion, position: Position, form: Outline, view: ViewPosition, spacing_mm: float, seed: int
) -> Projection:
    x, y = position.centre(form, view)
    reach = WINDOW * radius_mm(planned, spacing_mm, seed) / spacing_mm
    window = _window((x, y), (x, y), reach, form)
    shape = (window[0].stop - window[0].start, window[1].stop - window[1].start)
    mass = draw_mass(
        planned.malignancy,
        shape,
        (x - window[1].start, y - window[0].start),
        spacing_mm,
        float(form.thickness_cm.max()),
        seed=seed,
        view=view,
    )
    mask = mass.mask & form.mask[window]
    return Projection(window, mass.gland_cm, np.zeros(shape, np.float32), mass.iodine, mask, 0)


def _project_cluster(
    planned: PlannedLesion,
    position: Position,
    form: Outline,
    view: ViewPosition,
    spacing_mm: float,
    profile: VendorProfile,
    seed: int,
) -> Projection:
    malignant = planned.malignancy == "malignant"
    plan = _cluster_plan(planned, spacing_mm, seed)
    shared, own = generator(seed, "cluster"), generator(seed, "cluster", view)
    enhanced = float(shared.random()) < (0.89 if malignant else 0.13)
    iodine_peak = float(shared.uniform(0.4, 1.5) if malignant else shared.uniform(0.1, 0.5))
    packing = float(shared.uniform(0.45, 0.80))
    x0, y0 = position.centre(form, view)
    cluster = draw_form(generator(seed, "form"), plan, PARAMETERS[planned.malignancy])
    particles = cluster.project(view, centre=(x0, y0), spacing_mm=spacing_mm)
    particles = [p for p in particles if _inside(p.x, p.y, reach_px(p, spacing_mm), form.mask)]
    xs, ys = [p.x for p in particles] or [x0], [p.y for p in particles] or [y0]
    extent = max(max(xs) - min(xs), max(ys) - min(ys))
    # room for the enlarged outline and the fading of the iodine
    window = _window((min(xs), min(ys)), (max(xs), max(ys)), 0.4 * extent + 7 / spacing_mm + 8, form)
    shape = (window[0].stop - window[0].start, window[1].stop - window[1].start)
    layer = render(
        particles,
        shape,
        spacing_mm=spacing_mm,
        attenuation_per_mm=packing * profile.hydroxyapatite_low,
        origin=(window[0].start, window[1].start),
    )
    outlined = lesion_mask(layer.support, spacing_mm=spacing_mm, breast=form.mask[window])
    iodine = np.zeros(shape, np.float32)
    if enhanced:
        soft = smooth(outlined.mask.astype(np.float32), 1.2 / spacing_mm)
        uneven = FieldGrid(shape, spacing_mm).power_law(own, exponent=3.0, corner_lp_mm=0.05)
        iodine = np.asarray(iodine_peak * soft * np.clip(1 + 0.3 * uneven, 0.2, None), dtype=np.float32)
    return Projection(window, np.zeros(shape, np.float32), layer.tau, iodine, outlined.mask, len(particles))


def _window(low: tuple[float, float], high: tuple[float, float], reach: float, form: Outline) -> Window:
    """Rows and columns around the points from `low` to `high` (x, y), cut to the image."""
    rows, columns = form.mask.shape
    return (
        slice(max(int(low[1] - reach), 0), min(int(high[1] + reach) + 1, rows)),
        slice(max(int(low[0] - reach), 0), min(int(high[0] + reach) + 1, columns)),
    )


def _inside(x: float, y: float, reach: float, mask: NDArray[np.bool_]) -> bool:
    reach += 1
    rows, columns = mask.shape
    if not (reach <= x < columns - reach and reach <= y < rows - reach):
        return False
    return bool(mask[int(y), int(x)])
