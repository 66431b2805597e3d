"""Calcifications whose thickness and volume are known."""

from __future__ import annotations

from simulation.calcification import Calcification
from simulation.particle import Spheroid


def solid_ball(x: float, y: float, diameter_mm: float, *, density: float = 1.0) -> Calcification:
    ball = Spheroid((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), diameter_mm / 2, diameter_mm / 2)
    return Calcification(x, y, "punctate", diameter_mm, 1.0, density, (ball,))
