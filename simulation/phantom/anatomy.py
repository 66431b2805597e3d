"""Breast anatomy of a phantom: outline, thickness, pectoral muscle, gland, strands and vessels."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.pair import ViewPosition
from simulation.filters import Image, smooth
from simulation.phantom.fields import draw_curves, power_law_field, wandering_curve
from simulation.randomness import generator

GLANDULAR_FRACTION = {"a": 0.08, "b": 0.18, "c": 0.32, "d": 0.50}


@dataclass(frozen=True)
class Breast:
    """What all views of one breast share; lengths in mm.

    Attributes
    ----------
    depth, half_height : float
        Chest wall to nipple, and half of the extent along the chest wall.
    exponent : float
        Of the super-ellipse outline.
    thickness : float
        Compressed thickness.
    density_class : {"a", "b", "c", "d"}
        BI-RADS composition.
    fat_rim : float
        Subcutaneous fat.
    droop : float
        Shift of the nipple towards the feet in the MLO view, as part of the half height.
    pectoral_angle, pectoral_length : float
        Angle to the chest wall in radians, and part of the image height.
    parenchymal_iodine : float
        Background enhancement in mg/cm2 of pure gland.
    vessels : int
    """

    depth: float
    half_height: float
    exponent: float
    thickness: float
    density_class: str
    fat_rim: float
    droop: float
    pectoral_angle: float
    pectoral_length: float
    parenchymal_iodine: float
    vessels: int


@dataclass(frozen=True, eq=False)
class Outline:
    """Geometry of one view, chest wall at the left edge.

    Attributes
    ----------
    mask : ndarray of bool, shape (rows, columns)
    distance_mm : ndarray of float32
        From the skin line, 0 outside.
    thickness_cm : ndarray of float32
    pectoral : ndarray of float32
        0 to 1, soft edge; 0 in CC.
    nipple : tuple of float
        (x, y) in continuous pixels.
    half_height_px : float
    """

    mask: NDArray[np.bool_]
    distance_mm: Image
    thickness_cm: Image
    pectoral: Image
    nipple: tuple[float, float]
    half_height_px: float


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


def draw_breast(seed: int) -> Breast:
    """Draw the breast of a patient (both sides of a patient are alike)."""
    rng = generator(seed, "breast")
    density = str(rng.choice(list(GLANDULAR_FRACTION), p=[0.12, 0.40, 0.36, 0.12]))
    return Breast(
        depth=float(rng.uniform(78, 112)),
        half_height=float(rng.uniform(68, 92)),
        exponent=float(rng.uniform(1.9, 2.3)),
        thickness=float(np.clip(rng.normal(52, 12), 25, 85)),
        density_class=density,
        fat_rim=float(rng.uniform(3, 9)),
        droop=float(rng.uniform(0.1, 0.3)),
        pectoral_angle=float(np.deg2rad(rng.uniform(15, 35))),
        pectoral_length=float(rng.uniform(0.35, 0.65)),
        parenchymal_iodine=float(rng.uniform(0.05, 0.3)),
        vessels=int(rng.integers(3, 9)),
    )


def outline(breast: Breast, view: ViewPosition, shape: tuple[int, int], spacing_mm: float) -> Outline:
    """Outline, thickness and pectoral muscle of one view.

    CC is half a super-ellipse; MLO sags, runs up to the axilla and carries the pectoral triangle.
    """
    rows, columns = shape
    field = np.hypot(rows, columns) * spacing_mm / 298  # same framing on larger detectors
    depth, half = breast.depth * field / spacing_mm, breast.half_height * field / spacing_mm
    y = (np.arange(rows, dtype=np.float32) + 0.5)[:, None]
    x = (np.arange(columns, dtype=np.float32) + 0.5)[None, :]
    middle = rows * (0.5 if view == "CC" else 0.58)
    if view == "CC":
        upper = lower = half
        nipple = (depth, middle)
        centre = np.full_like(x, middle)
    else:
        upper, lower = 1.5 * half, 0.92 * half
        centre = middle + breast.droop * half * np.clip(x / depth, 0, 1.2) ** 2
        nipple = (depth, middle + breast.droop * half)
    extent = np.where(y < centre, upper, lower)
    radius = (np.abs(x / depth) ** breast.exponent + np.abs((y - centre) / extent) ** breast.exponent) ** (
        1 / breast.exponent
    )
    # a nipple in profile: a small bump on the outline
    bump = 0.035 * np.exp(-(((y - nipple[1]) * spacing_mm / 5) ** 2))
    mask = radius < 1 + bump
    # first-order distance to the curve radius = 1 + bump: smooth where a distance transform would be jagged
    down, right = np.gradient(radius)
    slope = np.maximum(np.hypot(down, right), 0.2 / depth)
    distance = (np.clip(1 + bump - radius, 0, None) / slope * spacing_mm).astype(np.float32)
    roll = 0.35 * breast.thickness
    edge = np.clip(distance / roll, 0, 1)
    thickness = breast.thickness / 10 * np.sqrt(np.clip(1 - (1 - edge) ** 2, 0, None)) * mask
    pectoral = np.zeros(shape, np.float32)
    if view == "MLO":
        length = breast.pectoral_length * rows
        border = (length - y) * np.tan(breast.pectoral_angle)
        border = border - 0.06 * length * np.sin(np.pi * np.clip(y / length, 0, 1))
        pectoral = (1 / (1 + np.exp(-np.clip((border - x) * spacing_mm / 0.8, -30, 30)))).astype(np.float32)
        pectoral = pectoral * mask
    return Outline(mask, distance, thickness.astype(np.float32), pectoral.astype(np.float32), nipple, float(half))


def tissue(breast: Breast, form: Outline, view: ViewPosition, spacing_mm: float, *, seed: int, side: str) -> Tissue:
    """Fill an outline with gland, fat, strands, vessels, skin, muscle and background enhancement."""
    shape = (form.mask.shape[0], form.mask.shape[1])
    rng = generator(seed, "tissue", side, view)
    # gland of several frequencies, steered towards the nipple
    step = max(1, int(0.2 / spacing_mm))
    field = functools.partial(power_law_field, rng, shape, spacing_mm, step=step)
    base = field(exponent=3.3, corner_lp_mm=0.02)
    y = (np.arange(shape[0], dtype=np.float32) + 0.5)[:, None]
    x = (np.arange(shape[1], dtype=np.float32) + 0.5)[None, :]
    towards = np.arctan2(y - form.nipple[1], x - form.nipple[0] * 1.1)
    directions = 4
    steered = np.zeros(shape, np.float32)
    network = np.zeros(shape, np.float32)
    for index in range(directions):
        angle = index * np.pi / directions
        part = field(exponent=3.4, corner_lp_mm=0.035, angle=angle)
        weight = np.cos(towards - angle) ** 2
        steered += weight * part
        # ligaments follow the zero crossings of a field
        network += weight * np.exp(-((part / 0.12) ** 2))
    steered /= np.float32(np.sqrt(directions * 0.375))
    depth = form.nipple[0]
    envelope = np.exp(
        -(
            (((x - 0.42 * depth) / (0.62 * depth)) ** 2 + ((y - form.nipple[1]) / (0.85 * form.half_height_px)) ** 2)
            ** 1.5
        )
    )
    mean = GLANDULAR_FRACTION[breast.density_class]
    z = 0.52 * base + 0.28 * steered + 1.6 * (envelope - 0.75) + np.log(mean / (1 - mean))
    fraction = 1 / (1 + np.exp(-z))
    rim = np.clip((form.distance_mm - breast.fat_rim) / 6, 0, 1)
    fraction = (fraction * rim * (1 - form.pectoral)).astype(np.float32)
    thickness = form.thickness_cm
    # thick breasts hold relatively less gland, so that composition and not thickness sets the contrast
    gland = fraction * thickness * (52 / breast.thickness) ** 0.6
    gland += 0.06 * network * (0.25 + envelope) * np.minimum(thickness / 3, 1) * rim
    gland += 0.16 * _ducts(rng, form, shape, spacing_mm) * rim
    skin = np.exp(-((form.distance_mm / 1.6) ** 4)) * form.mask
    gland += 0.22 * skin
    nipple_disc = np.exp(-(((x - form.nipple[0]) ** 2 + (y - form.nipple[1]) ** 2) * (spacing_mm / 4) ** 2))
    gland += 0.5 * nipple_disc * form.mask
    muscle = field(exponent=2.6, corner_lp_mm=0.1, angle=1.1)
    gland += form.pectoral * thickness * (0.36 + 0.015 * muscle)
    vessels = _vessels(rng, breast, form, shape, spacing_mm) * rim
    gland += 0.14 * vessels
    patchy = field(exponent=3.5, corner_lp_mm=0.05)
    iodine = breast.parenchymal_iodine * fraction * np.clip(1 + 0.5 * patchy, 0.1, None)
    iodine += 0.55 * vessels + 0.06 * skin + 0.04 * form.pectoral
    mask = form.mask.astype(np.float32)
    return Tissue((gland * mask).astype(np.float32), (iodine * mask).astype(np.float32))


def _ducts(rng: np.random.Generator, form: Outline, shape: tuple[int, int], spacing_mm: float) -> Image:
    """Strands and ducts: some run to the nipple, others are short arcs (Cooper's ligaments)."""
    result = np.zeros(shape, np.float32)
    depth, half = form.nipple[0], form.half_height_px
    for width_mm, count in ((0.25, 70), (0.5, 40)):
        curves = []
        for index in range(count):
            x = float(rng.uniform(0.03, 0.85)) * depth
            y = form.nipple[1] + float(rng.uniform(-0.85, 0.85)) * half * (1 - 0.4 * x / depth)
            if index % 2:
                part = float(rng.uniform(0.25, 0.75))
                end = (x + part * (form.nipple[0] - x), y + part * (form.nipple[1] - y))
            else:
                turn, length = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.08, 0.25)) * depth
                end = (x + length * np.cos(turn), y + length * np.sin(turn))
            curve = wandering_curve(rng, (x, y), end, wander=0.18)
            taper = np.sin(np.pi * np.linspace(0.1, 0.9, len(curve)))
            curves.append((curve, float(rng.uniform(0.3, 1.0)) * taper))
        result += draw_curves(shape, curves, width_px=width_mm / spacing_mm) * min(1.0, width_mm / spacing_mm)
    return result


def _vessels(
    rng: np.random.Generator, breast: Breast, form: Outline, shape: tuple[int, int], spacing_mm: float
) -> Image:
    """Vessels of 0.5-2.5 mm, relative thickness in units of 2 mm."""
    result = np.zeros(shape, np.float32)
    depth, half = form.nipple[0], form.half_height_px
    for _ in range(breast.vessels):
        width = float(rng.uniform(0.7, 2.5))
        y = form.nipple[1] + float(rng.uniform(-0.8, 0.8)) * half
        start = (0.0, y)
        end = (depth * float(rng.uniform(0.55, 0.85)), form.nipple[1] + 0.45 * (y - form.nipple[1]))
        curve = wandering_curve(rng, start, end, wander=0.10, points=40)
        curves = [(curve, np.linspace(1.0, 0.55, len(curve)))]
        for _ in range(int(rng.integers(0, 3))):
            at = int(rng.integers(12, 30))
            turn = float(rng.uniform(-0.8, 0.8))
            length = float(rng.uniform(0.15, 0.35)) * depth
            tip = (curve[at, 0] + length * np.cos(turn), curve[at, 1] + length * np.sin(turn))
            twig = wandering_curve(rng, (curve[at, 0], curve[at, 1]), tip, wander=0.12)
            curves.append((twig, np.linspace(0.6, 0.3, len(twig))))
        width_px = width / spacing_mm
        drawn = draw_curves(shape, curves, width_px=max(width_px, 1.0))
        result += drawn * (width / 2) * min(1.0, width_px)
    return smooth(result, 0.4)
