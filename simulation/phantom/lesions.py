"""Phantom lesions in three dimensions and their projections into CC and MLO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pair import ViewPosition
from simulation.calcification import draw_calcification, reach_px, render
from simulation.cluster_plan import draw_plan, particle_morphology, spread_scale
from simulation.filters import Image, smooth
from simulation.lesion_mask import lesion_mask
from simulation.phantom.anatomy import Outline
from simulation.phantom.fields import draw_curves, power_law_field, wandering_curve
from simulation.phantom.lesion_plan import PlannedLesion
from simulation.randomness import generator, log_normal
from simulation.vendor import VendorProfile


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
    """What a lesion adds to one view.

    Attributes
    ----------
    gland_cm : ndarray of float32, shape (rows, columns)
        Gland-equivalent cm.
    calcification_low : ndarray of float32
        Low-energy log attenuation of calcifications.
    iodine : ndarray of float32
        mg/cm2.
    mask : ndarray of bool
    calcifications : int
    """

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
    rng = generator(seed, "size")
    diameter = log_normal(rng, 13.0 if planned.malignancy == "malignant" else 12.0, 0.3, 7, 30)
    return diameter / 2 * max(1.0, (spacing_mm / 0.15) ** 0.25)


def _cluster_plan(planned: PlannedLesion, spacing_mm: float, seed: int) -> Any:
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
    malignant = planned.malignancy == "malignant"
    shape = (form.mask.shape[0], form.mask.shape[1])
    radius = radius_mm(planned, spacing_mm, seed)
    shared, own = generator(seed, "mass"), generator(seed, "mass", view)
    depth_factor = float(shared.uniform(0.7, 1.0))
    iodine_peak = float(shared.uniform(0.9, 2.4) if malignant else shared.uniform(0.1, 0.7))
    rim = malignant and shared.random() < 0.3
    aspect = float(shared.uniform(1.0, 1.25 if malignant else 1.5))
    x0, y0 = position.centre(form, view)
    y, x = np.ogrid[: shape[0], : shape[1]]
    dx, dy = (x + 0.5 - x0) * spacing_mm, (y + 0.5 - y0) * spacing_mm
    angle = float(own.uniform(0, np.pi))
    u, v = dx * np.cos(angle) + dy * np.sin(angle), -dx * np.sin(angle) + dy * np.cos(angle)
    azimuth = np.arctan2(v, u)
    amplitude = 0.35 if malignant else 0.07
    edge = 1 + sum(
        amplitude / k * float(own.uniform(0.5, 1)) * np.cos(k * azimuth + float(own.uniform(0, 2 * np.pi)))
        for k in range(2, 9 if malignant else 4)
    )
    relative = np.sqrt((u / aspect**0.5) ** 2 + (v * aspect**0.5) ** 2) / (radius * edge)
    body = np.sqrt(np.clip(1 - relative**2, 0, None)).astype(np.float32)
    if malignant:
        body = smooth(body, 0.8 / spacing_mm)
    mask = (relative < 1) & form.mask
    # compressed tissue limits how thick the mass can be
    centimetres = min(2 * radius * depth_factor / 10, 0.7 * float(form.thickness_cm.max()))
    gland = body * np.float32(centimetres * (0.85 if malignant else 0.78))
    if malignant:
        gland += 0.30 * _spicules(own, (x0, y0), radius / spacing_mm, shape, spacing_mm)
    profile = body
    if rim:
        profile = body * np.clip(0.35 + 1.1 * relative**2, 0, 1.3)
    if malignant:
        uneven = power_law_field(own, shape, spacing_mm, exponent=3.0, corner_lp_mm=0.05)
        profile = profile * np.clip(1 + 0.25 * uneven, 0.3, None)
    iodine = smooth(np.asarray(iodine_peak * profile, dtype=np.float32), 0.6 / spacing_mm)
    return Projection(gland.astype(np.float32), np.zeros(shape, np.float32), iodine, mask, 0)


def _spicules(
    rng: np.random.Generator,
    centre: tuple[float, float],
    radius_px: float,
    shape: tuple[int, int],
    spacing_mm: float,
) -> Image:
    curves = []
    for _ in range(int(rng.integers(8, 25))):
        turn = float(rng.uniform(0, 2 * np.pi))
        length = radius_px * float(rng.uniform(1.4, 2.2))
        end = (centre[0] + length * np.cos(turn), centre[1] + length * np.sin(turn))
        start = (centre[0] + 0.6 * radius_px * np.cos(turn), centre[1] + 0.6 * radius_px * np.sin(turn))
        curve = wandering_curve(rng, start, end, wander=0.08)
        curves.append((curve, np.linspace(1.0, 0.1, len(curve))))
    return draw_curves(shape, curves, width_px=max(0.6 / spacing_mm, 1.0))


def _project_cluster(
    planned: PlannedLesion,
    position: Position,
    form: Outline,
    view: ViewPosition,
    spacing_mm: float,
    profile: VendorProfile,
    seed: int,
) -> Projection:
    shape = (form.mask.shape[0], form.mask.shape[1])
    malignancy = planned.malignancy
    plan = _cluster_plan(planned, spacing_mm, seed)
    shared, own = generator(seed, "cluster"), generator(seed, "cluster", view)
    enhanced = float(shared.random()) < (0.89 if malignancy == "malignant" else 0.13)
    iodine_peak = float(shared.uniform(0.4, 1.5) if malignancy == "malignant" else shared.uniform(0.1, 0.5))
    packing = float(shared.uniform(0.45, 0.80))
    points = _scatter_points(shared, plan.count, plan.diameter_mm, plan.pattern)
    # both views show the depth behind the nipple; CC shows the second axis, MLO a mixture of the second and third
    across = points[:, 1] if view == "CC" else 0.7 * points[:, 1] + 0.7 * points[:, 2]
    x0, y0 = position.centre(form, view)
    particles = []
    for along_mm, across_mm in zip(points[:, 0], across, strict=True):
        particles.append(
            draw_calcification(
                own,
                malignancy,
                x=x0 + along_mm / spacing_mm,
                y=y0 + across_mm / spacing_mm,
                morphology=particle_morphology(own, plan, malignancy),
                comedo=plan.comedo,
            )
        )
    particles = [p for p in particles if _inside(p.x, p.y, reach_px(p, spacing_mm), form.mask)]
    layer = render(particles, shape, spacing_mm=spacing_mm, attenuation_per_mm=packing * profile.hydroxyapatite_low)
    outlined = lesion_mask(layer.support, spacing_mm=spacing_mm, breast=form.mask)
    iodine = np.zeros(shape, np.float32)
    if enhanced:
        soft = smooth(outlined.mask.astype(np.float32), 1.2 / spacing_mm)
        uneven = power_law_field(own, shape, spacing_mm, exponent=3.0, corner_lp_mm=0.05)
        iodine = np.asarray(iodine_peak * soft * np.clip(1 + 0.3 * uneven, 0.2, None), dtype=np.float32)
    gland = np.zeros(shape, np.float32)
    return Projection(gland, layer.tau, iodine, outlined.mask, len(particles))


def _scatter_points(rng: np.random.Generator, count: int, diameter_mm: float, pattern: str) -> NDArray[np.float64]:
    """Points in mm, shape (count, 3): depth, lateral, height; extent about `diameter_mm`."""
    axes = {
        "grouped": (1.0, 0.9, 0.9),
        "regional": (1.0, 1.0, 1.0),
        "linear": (1.0, 0.25, 0.25),
        "segmental": (1.0, 0.5, 0.5),
    }[pattern]
    points = rng.standard_normal((count, 3))
    points *= (rng.uniform(0, 1, count) ** (1 / 3) / np.linalg.norm(points, axis=1))[:, None]
    points *= np.array(axes) * diameter_mm / 2
    if pattern == "segmental":  # a wedge with its tip towards the nipple
        narrowing = np.clip(0.65 - 0.6 * points[:, 0] / diameter_mm, 0.2, 1.2)
        points[:, 1:] *= narrowing[:, None] * 1.5
    return np.asarray(points)


def _inside(x: float, y: float, reach: float, mask: NDArray[np.bool_]) -> bool:
    reach += 1
    rows, columns = mask.shape
    if not (reach <= x < columns - reach and reach <= y < rows - reach):
        return False
    return bool(mask[int(y), int(x)])
