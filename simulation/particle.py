"""The body of one calcification in three dimensions: a union of spheroids, and what a parallel beam sees of it.

A body is drawn once and projected into each view, so that CC and MLO show the same calcification: its volume is the
same in both. Kallergi (Acad Radiol 1998) and Nappi (CMPB 2001) simulate calcifications in three dimensions as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulation.cluster_parameters import Malignancy, Morphology

Vector = tuple[float, float, float]

ASPECT: dict[Morphology, tuple[float, float]] = {
    "punctate": (1.0, 1.3),
    "amorphous": (1.0, 1.6),
    "coarse": (1.0, 2.0),
    "pleomorphic": (1.3, 3.0),
    "linear": (3.0, 8.0),
    "branching": (3.0, 6.0),
}
# How far the surface rises above its core, as a share of its half width.
ROUGHNESS: dict[Malignancy, float] = {"benign": 0.06, "malignant": 0.22}
BLUR_MM = 0.15
_MEASURING_STEPS = 24
_ROUNDING_MM = np.float32(1e-5)


@dataclass(frozen=True)
class Spheroid:
    """Ellipsoid of revolution, in mm.

    Attributes
    ----------
    centre : tuple of float
    axis : tuple of float
        Unit vector of the axis of revolution.
    length, radius : float
        Half axes along and across `axis`.
    """

    centre: Vector
    axis: Vector
    length: float
    radius: float

    def turned(self, rotation: NDArray[np.float64]) -> Spheroid:
        """In another frame; the rows of `rotation` are its axes."""
        return Spheroid(_vector(rotation @ self.centre), _vector(rotation @ self.axis), self.length, self.radius)

    def scaled(self, factor: float) -> Spheroid:
        """With all lengths times `factor`."""
        x, y, z = self.centre
        return Spheroid((factor * x, factor * y, factor * z), self.axis, factor * self.length, factor * self.radius)


Body = tuple[Spheroid, ...]


def turn_body(body: Body, rotation: NDArray[np.float64]) -> Body:
    """Body in another frame; the rows of `rotation` are its axes."""
    return tuple(part.turned(rotation) for part in body)


def half_extent(body: Body) -> NDArray[np.float64]:
    """Lower and upper corner of the box around a body in its frame, in mm; shape (2, 3)."""
    centres, matrices = _matrices(body)
    reach = np.sqrt(np.stack([matrices[:, k, k] for k in range(3)], axis=1))
    return np.stack([(centres - reach).min(0), (centres + reach).max(0)])


def column_lengths(
    body: Body, x: NDArray[np.float64], y: NDArray[np.float64], *, soft: bool = False
) -> NDArray[np.float32]:
    """Length of material that a beam along the third axis crosses.

    Parameters
    ----------
    body : tuple of Spheroid
    x, y : ndarray
        Places in mm in the plane across the beam; broadcast against each other.
    soft : bool
        Whether density falls from 1 at the centre of each spheroid to 0 at its surface (with 1 - r squared), without
        a border; overlapping spheroids then add up. Otherwise the material is solid and overlap counts once.

    Returns
    -------
    ndarray of float32
        In mm, of the broadcast shape.
    """
    shape = np.broadcast_shapes(x.shape, y.shape)
    centres, matrices = _matrices(body)
    low = np.empty((*shape, len(body)), np.float32)
    high = np.empty_like(low)
    total = np.zeros(shape, np.float32)
    x, y = x.astype(np.float32), y.astype(np.float32)
    for index, (centre, matrix) in enumerate(zip(centres, matrices, strict=True)):
        # an ellipsoid is a level surface of a normal density: plane part, slope of the mid plane, half depth
        (a, b), d = matrix[0, :2], matrix[1, 1]
        determinant = a * d - b * b
        slope_x = (d * matrix[0, 2] - b * matrix[1, 2]) / determinant
        slope_y = (a * matrix[1, 2] - b * matrix[0, 2]) / determinant
        depth = np.sqrt(max(matrix[2, 2] - slope_x * matrix[0, 2] - slope_y * matrix[1, 2], 0.0))
        dx, dy = x - np.float32(centre[0]), y - np.float32(centre[1])
        squared = dx * (np.float32(d / determinant) * dx - np.float32(2 * b / determinant) * dy)
        inside = np.maximum(1 - squared - np.float32(a / determinant) * dy * dy, 0)
        if soft:
            total += np.float32(4 / 3 * depth) * inside * np.sqrt(inside)
            continue
        half = np.float32(depth) * np.sqrt(inside)
        middle = np.float32(centre[2]) + np.float32(slope_x) * dx + np.float32(slope_y) * dy
        low[..., index] = middle - half
        high[..., index] = middle + half
    if soft:
        return total
    # measure of a union of intervals: its extent less the gaps. With starts and ends sorted apart, a gap lies between
    # the i-th end and the next start. A ray beside a spheroid gives an interval of length zero and changes nothing.
    low.sort(axis=-1)
    high.sort(axis=-1)
    gaps = np.maximum(low[..., 1:] - high[..., :-1], 0).sum(-1)
    length = high[..., -1] - low[..., 0] - gaps
    return np.where(length > _ROUNDING_MM, length, np.float32(0))


def covered_diameter_mm(body: Body) -> float:
    """Diameter of the circle of the area that a body covers in the plane across the third axis."""
    (x0, y0, _), (x1, y1, _) = half_extent(body)
    steps = (np.arange(_MEASURING_STEPS) + 0.5) / _MEASURING_STEPS
    x, y = x0 + steps[None, :] * (x1 - x0), y0 + steps[:, None] * (y1 - y0)
    centres, matrices = _matrices(body)
    a, b, d = (matrices[:, i, j][:, None, None] for i, j in ((0, 0), (0, 1), (1, 1)))
    dx, dy = x - centres[:, 0, None, None], y - centres[:, 1, None, None]
    covered = (d * dx * dx - 2 * b * dx * dy + a * dy * dy <= a * d - b * b).any(0)
    return float(2 * np.sqrt(covered.mean() * (x1 - x0) * (y1 - y0) / np.pi))


def draw_body(
    rng: np.random.Generator,
    malignancy: Malignancy,
    morphology: Morphology,
    diameter_mm: float,
    direction: float | None,
) -> tuple[Body, float]:
    """Draw a body that covers a circle of `diameter_mm` seen along its third axis.

    Parameters
    ----------
    rng : numpy.random.Generator
    malignancy : {"benign", "malignant"}
        Sets the roughness of the surface.
    morphology : str
    diameter_mm : float
    direction : float or None
        Of linear forms and long axes in the plane, in radians from the first to the second axis; random when None.

    Returns
    -------
    body : tuple of Spheroid
        About the origin.
    aspect : float
        Length over width of the core.
    """
    aspect = float(rng.uniform(*ASPECT[morphology]))
    angle = float(rng.uniform(0, np.pi)) if direction is None else direction + float(rng.normal(0, 0.25))
    tilt = float(rng.normal(0, 0.35))
    axis = np.array([np.cos(angle) * np.cos(tilt), np.sin(angle) * np.cos(tilt), np.sin(tilt)])
    length, radius = 0.5 * float(np.sqrt(aspect)), 0.5 / float(np.sqrt(aspect))
    if morphology in ("linear", "branching"):
        body = _rod(rng, axis, length, radius)
        if morphology == "branching":
            side = 0.7 if rng.random() < 0.5 else -0.7
            turn = np.array([[np.cos(side), -np.sin(side), 0], [np.sin(side), np.cos(side), 0], [0, 0, 1]])
            branch = turn @ axis
            start = 0.2 * length * axis + 0.55 * length * branch
            body += _rod(rng, branch, 0.55 * length, 0.85 * radius, about=start)
    else:
        body = (Spheroid((0.0, 0.0, 0.0), _vector(axis), length, radius),)
        rough = ROUGHNESS[malignancy] * (1.5 if morphology == "coarse" else 1.0)
        body += _bumps(rng, axis, length, radius, rough, 4 if malignancy == "benign" else 6)
    # branches and bumps cover more than the core: the whole is scaled to the diameter asked for
    factor = diameter_mm / covered_diameter_mm(body)
    return tuple(part.scaled(factor) for part in body), aspect


def hazy(body: Body) -> Body:
    """The body of an amorphous calcification: wider and without a border, for `column_lengths(soft=True)`.

    A blur of 0.15 mm adds its variance to that of a solid ellipsoid, a fifth of its squared half axis; that of the
    soft one is a seventh. Of a rough body the core is taken, because a haze shows no bumps.
    """
    core = body[0]

    def wider(half: float) -> float:
        return float(np.sqrt(7 * (half**2 / 5 + BLUR_MM**2)))

    return (replace(core, length=wider(core.length), radius=wider(core.radius)),)


def _rod(
    rng: np.random.Generator,
    axis: NDArray[np.float64],
    length: float,
    radius: float,
    about: NDArray[np.float64] | None = None,
) -> Body:
    """A thin, slightly bent, beaded rod: a core and three beads of uneven width along it."""
    middle = np.zeros(3) if about is None else about
    parts = [Spheroid(_vector(middle), _vector(axis), length, 0.8 * radius)]
    for place in (-0.55, 0.0, 0.55):
        jitter = 0.35 * radius * rng.standard_normal(3)
        bead = float(rng.uniform(0.7, 1.15)) * radius
        parts.append(Spheroid(_vector(middle + place * length * axis + jitter), _vector(axis), 0.4 * length, bead))
    return tuple(parts)


def _bumps(
    rng: np.random.Generator, axis: NDArray[np.float64], length: float, radius: float, rough: float, count: int
) -> Body:
    """Small spheres that rise above the surface of a spheroid by about `rough` times its half width."""
    around = rng.standard_normal((count, 3))
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    along = around @ axis
    surface = radius * around + (length - radius) * along[:, None] * axis
    sizes = radius * rng.uniform(0.3, 0.6, count)
    rises = radius * rough * rng.uniform(0.4, 2.0, count)
    centres = surface + (rises - sizes)[:, None] * around
    return tuple(
        Spheroid(_vector(centre), _vector(axis), float(size), float(size))
        for centre, size in zip(centres, sizes, strict=True)
    )


def _matrices(body: Sequence[Spheroid]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres, shape (n, 3), and matrices M of the ellipsoids p' M^-1 p <= 1, shape (n, 3, 3)."""
    centres = np.array([part.centre for part in body])
    axes = np.array([part.axis for part in body])
    across = np.array([part.radius**2 for part in body])
    along = np.array([part.length**2 for part in body])
    return centres, across[:, None, None] * np.eye(3) + (along - across)[:, None, None] * (
        axes[:, :, None] * axes[:, None, :]
    )


def _vector(values: NDArray[np.float64]) -> Vector:
    return float(values[0]), float(values[1]), float(values[2])
