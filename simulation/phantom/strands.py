"""Thin curves of the breast: Cooper ligaments, ducts and vessels, as splines for `fields.draw_curves`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from simulation.filters import Image
from simulation.phantom.fields import Curve, wandering_curve

# Width in mm and number of strands; mammograms show most of them as hair-thin lines.
_STRANDS = ((0.2, 90), (0.35, 70), (0.6, 30))


def ligaments(
    rng: np.random.Generator,
    shape: tuple[int, int],
    nipple: tuple[float, float],
    distance_mm: Image,
    spacing_mm: float,
) -> Iterator[tuple[float, list[Curve]]]:
    """Cooper ligaments and ducts by width in mm.

    A third runs to the nipple, a third as arcs from the gland to the skin, a third across.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (rows, columns).
    nipple : tuple of float
        (x, y) in continuous pixels.
    distance_mm : ndarray of float32, shape (rows, columns)
        From the skin.
    spacing_mm : float
        Pixel size.
    """
    for width_mm, count in _STRANDS:
        curves: list[Curve] = []
        while len(curves) < count:
            x, y = float(rng.uniform(0, shape[1])), float(rng.uniform(0, shape[0]))
            kind, size = int(rng.integers(3)), float(rng.uniform(0.2, 1.0))
            turn = float(rng.normal(0, 0.5))
            if distance_mm[int(y), int(x)] < 2:
                continue
            towards = np.arctan2(nipple[1] - y, nipple[0] + 10 / spacing_mm - x)
            if kind == 0:
                angle, length, wander = towards + 0.3 * turn, 20 + 45 * size, 0.07
            elif kind == 1:
                # to the skin: away from the middle of the breast
                outward = np.arctan2(y - shape[0] / 2, max(x - 0.3 * shape[1], 1.0))
                angle, length, wander = outward + turn, 6 + 18 * size, 0.14
            else:
                angle, length, wander = float(rng.uniform(0, 2 * np.pi)), 6 + 25 * size, 0.10
            reach = length / spacing_mm
            curve = wandering_curve(rng, (x, y), (x + reach * np.cos(angle), y + reach * np.sin(angle)), wander=wander)
            taper = np.sin(np.pi * np.linspace(0.12, 0.88, len(curve)))
            curves.append((curve, float(rng.uniform(0.25, 1.0)) * taper))
        yield width_mm, curves


def vessel_trees(
    rng: np.random.Generator,
    count: int,
    shape: tuple[int, int],
    nipple: tuple[float, float],
    half_height_px: float,
    spacing_mm: float,
) -> Iterator[tuple[float, list[Curve]]]:
    """Vessels of 0.5-2.5 mm with branches, by width in mm.

    Veins come in from the chest wall and curve towards the areola, each branch thinner than its stem.
    """
    by_width: dict[float, list[Curve]] = {2.0: [], 1.4: [], 0.9: [], 0.6: []}
    widths = tuple(by_width)
    depth = nipple[0]
    for _ in range(count):
        level = int(rng.choice(3, p=[0.2, 0.4, 0.4]))
        y = nipple[1] + float(rng.uniform(-0.85, 0.85)) * half_height_px
        end = (depth * float(rng.uniform(0.5, 0.85)), nipple[1] + float(rng.uniform(-0.2, 0.9)) * (y - nipple[1]))
        stem = wandering_curve(rng, (0.0, y), end, wander=0.10, points=48)
        by_width[widths[level]].append((stem, np.linspace(1.0, 0.55, len(stem))))
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(8, 40))
            heading = np.arctan2(*(stem[at + 1] - stem[at])[::-1]) + float(rng.choice([-1, 1])) * float(
                rng.uniform(0.3, 0.9)
            )
            length = float(rng.uniform(12, 35)) / spacing_mm
            start = (float(stem[at, 0]), float(stem[at, 1]))
            tip = (start[0] + length * np.cos(heading), start[1] + length * np.sin(heading))
            twig = wandering_curve(rng, start, tip, wander=0.12)
            by_width[widths[min(level + 1, 3)]].append((twig, np.linspace(0.9, 0.3, len(twig))))
    for width_mm, curves in by_width.items():
        if curves:
            yield width_mm, curves
