"""Phantom masses: benign ones smooth, malignant ones irregular with spicules, and their uptake of iodine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from simulation.filters import Image, smooth
from simulation.phantom.fields import Curve, FieldGrid, draw_curves, wandering_curve
from simulation.phantom.lesion_plan import Malignancy
from simulation.randomness import generator, log_normal

# Side of the drawn window over the radius: room for the longest spicule.
WINDOW = 3.2


@dataclass(frozen=True, eq=False)
class DrawnMass:
    """A mass on its window; float32 arrays of one shape.

    Attributes
    ----------
    gland_cm : ndarray of float32
        Gland-equivalent cm, spicules included.
    iodine : ndarray of float32
        mg/cm2.
    mask : ndarray of bool
        The body without spicules.
    """

    gland_cm: Image
    iodine: Image
    mask: NDArray[np.bool_]


def mass_radius_mm(malignancy: Malignancy, spacing_mm: float, seed: int) -> float:
    """Radius of the body; larger on coarse pixels (docs/formats/phantom.md)."""
    rng = generator(seed, "size")
    diameter = log_normal(rng, 13.0 if malignancy == "malignant" else 12.0, 0.3, 7, 30)
    return diameter / 2 * max(1.0, (spacing_mm / 0.15) ** 0.25)


def draw_mass(
    malignancy: Malignancy,
    shape: tuple[int, int],
    centre: tuple[float, float],
    spacing_mm: float,
    thickest_cm: float,
    *,
    seed: int,
    view: str,
) -> DrawnMass:
    """Draw one mass as one view shows it.

    Parameters
    ----------
    malignancy : {"benign", "malignant"}
    shape : tuple of int
        (rows, columns) of the window.
    centre : tuple of float
        (x, y) in continuous pixels of the window.
    spacing_mm : float
    thickest_cm : float
        A compressed mass is not thicker than 0.7 of it.
    seed : int
        Of the lesion; both views share depth, uptake and rim.
    view : str
    """
    malignant = malignancy == "malignant"
    radius = mass_radius_mm(malignancy, spacing_mm, seed)
    shared, own = generator(seed, "mass"), generator(seed, "mass", view)
    depth_factor = float(shared.uniform(0.7, 1.0))
    iodine_peak = float(shared.uniform(0.9, 2.4) if malignant else shared.uniform(0.1, 0.7))
    rim = malignant and shared.random() < 0.3
    aspect = float(shared.uniform(1.0, 1.25 if malignant else 1.5))
    y, x = np.ogrid[: shape[0], : shape[1]]
    dx, dy = (x + 0.5 - centre[0]) * spacing_mm, (y + 0.5 - centre[1]) * spacing_mm
    angle = float(own.uniform(0, np.pi))
    u, v = dx * np.cos(angle) + dy * np.sin(angle), -dx * np.sin(angle) + dy * np.cos(angle)
    azimuth = np.arctan2(v, u)
    amplitude = 0.30 if malignant else 0.09
    edge = 1 + sum(
        amplitude / k * float(own.uniform(0.5, 1)) * np.cos(k * azimuth + float(own.uniform(0, 2 * np.pi)))
        for k in range(2, 9 if malignant else 4)
    )
    relative = np.sqrt((u / aspect**0.5) ** 2 + (v * aspect**0.5) ** 2) / (radius * edge)
    uneven = FieldGrid(shape, spacing_mm).power_law(own, exponent=3.0, corner_lp_mm=0.5 / radius)
    if malignant:
        # an ill-defined border, torn more the further out
        relative = relative * (1 + 0.12 * uneven)
    relative = np.asarray(relative, dtype=np.float32)
    mask = _one_piece(relative < 1)
    body = np.sqrt(np.clip(1 - relative**2, 0, None))
    centimetres = min(2 * radius * depth_factor / 10, 0.7 * thickest_cm)
    if malignant:
        body = smooth(body, 0.5 / spacing_mm)
        gland = np.float32(0.85 * centimetres) * body * (1 + np.float32(0.08) * uneven)
        gland += np.float32(0.12) * np.exp(-(((relative - 1) / np.float32(0.5)) ** 2))
        gland += _spicules(own, centre, radius / spacing_mm, shape, spacing_mm)
    else:
        gland = np.float32(0.78 * centimetres) * body
    uptake = body
    if rim:
        uptake = uptake * np.clip(0.35 + 1.1 * relative**2, 0, 1.3)
    if malignant:
        uptake = uptake * np.clip(1 + 0.25 * uneven, 0.3, None)
    iodine = smooth(np.asarray(iodine_peak * uptake, dtype=np.float32), 0.6 / spacing_mm)
    return DrawnMass(np.asarray(gland, dtype=np.float32), iodine, mask)


def _one_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest piece without its holes."""
    labels, count = ndimage.label(mask)
    if count > 1:
        mask = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return np.asarray(ndimage.binary_fill_holes(mask), dtype=bool)


def _spicules(
    rng: np.random.Generator,
    centre: tuple[float, float],
    radius_px: float,
    shape: tuple[int, int],
    spacing_mm: float,
) -> Image:
    """Strands that radiate from the body, in gland-equivalent cm."""
    result = np.zeros(shape, np.float32)
    for width_mm, count, strength in ((0.35, int(rng.integers(6, 16)), 0.22), (0.7, int(rng.integers(4, 12)), 0.30)):
        curves: list[Curve] = []
        for _ in range(count):
            turn = float(rng.uniform(0, 2 * np.pi))
            length = radius_px * float(rng.uniform(1.4, 2.6))
            end = (centre[0] + length * np.cos(turn), centre[1] + length * np.sin(turn))
            start = (centre[0] + 0.5 * radius_px * np.cos(turn), centre[1] + 0.5 * radius_px * np.sin(turn))
            curve = wandering_curve(rng, start, end, wander=0.07)
            curves.append((curve, np.linspace(1.0, 0.1, len(curve))))
        result += np.float32(strength) * draw_curves(shape, curves, width_px=max(width_mm / spacing_mm, 1.0))
    return result
