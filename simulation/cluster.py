"""Iterative clustering: from candidate places to the places of one cluster (S000, section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.candidates import Candidates
from simulation.cluster_plan import ClusterPlan

GROWTH = 1.3
MINIMUM_SPACING_MM = 0.25
MINIMUM_SPACING_PX = 2.5
# The cluster reaches at least this share of the planned diameter.
LEAST_EXTENT = 0.92
LEAST_SHARE = 0.6
LEAST_COUNT = 5
# Linear clusters are five times as long as wide; segmental ones lie in a wedge of this half angle,
# whose axis turns away from the nipple by no more than the second angle.
LINEAR_HALF_WIDTH = 0.1
WEDGE_HALF_ANGLE_DEG = 25.0
WEDGE_TURN_DEG = 15.0
_FILL_TRIES = 60


@dataclass(frozen=True, eq=False)
class GrownCluster:
    """Places of the calcifications of one cluster.

    Attributes
    ----------
    points : ndarray of float64, shape (n, 2)
        (x, y) in continuous pixels.
    directions : ndarray of float64, shape (n,)
        Local direction in radians for linear forms.
    from_candidates : int
        How many places are candidates; the others were filled in.
    diameter_mm : float
        Largest distance between two places.
    """

    points: NDArray[np.float64]
    directions: NDArray[np.float64]
    from_candidates: int
    diameter_mm: float


@dataclass(frozen=True, eq=False)
class _Shape:
    """What a pattern allows, in pixels: a disc, a strand or a wedge around the line between the two farthest places."""

    pattern: str
    first: NDArray[np.float64]
    axis: float
    length: float

    def distances(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far points lie from the middle of the shape as a share of the half length."""
        middle = self.first + self.length / 2 * np.array([np.cos(self.axis), np.sin(self.axis)])
        return np.asarray(np.hypot(*(points - middle).T) / (self.length / 2))

    def allows(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        offset = points - self.first
        along = offset[:, 0] * np.cos(self.axis) + offset[:, 1] * np.sin(self.axis)
        across = np.abs(-offset[:, 0] * np.sin(self.axis) + offset[:, 1] * np.cos(self.axis))
        if self.pattern == "linear":
            return np.asarray(across <= LINEAR_HALF_WIDTH * self.length + 1)
        if self.pattern == "segmental":  # the axis points to the nipple, and so does the tip
            width = np.clip(self.length - along, 0, None) * np.tan(np.deg2rad(WEDGE_HALF_ANGLE_DEG))
            return np.asarray(across <= width + 1)
        return np.asarray(self.distances(points) <= 1 + 1e-9)


def grow_cluster(
    candidates: Candidates,
    plan: ClusterPlan,
    permitted: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    spacing_mm: float,
    nipple: tuple[float, float],
) -> GrownCluster | None:
    """Grow a cluster from two good candidates that lie the planned diameter apart.

    The two set the extent and, for linear and segmental patterns, the axis: along the local structure, or towards the
    nipple. The set then takes, one at a time, a candidate within a radius of any member; the radius starts at 1.4
    times the mean spacing of the plan and widens by 1.3 when nothing is near. Grouped clusters prefer their middle,
    regional ones keep their members apart. Missing places are filled in at random inside the pattern, with repulsion.

    Parameters
    ----------
    candidates : Candidates
    plan : ClusterPlan
    permitted : ndarray of bool, shape (rows, columns)
    rng : numpy.random.Generator
    spacing_mm : float
        Pixel size.
    nipple : tuple of float
        (x, y) in continuous pixels; segmental clusters point to it.

    Returns
    -------
    GrownCluster or None
        None when no two candidates lie far enough apart in the direction of the pattern, or when fewer than five, or
        fewer than 60 % of the planned, places were found.
    """
    limit = plan.diameter_mm / spacing_mm
    apart = _apart_px(spacing_mm)
    mean_spacing = limit / np.sqrt(plan.count)
    # malignant clusters are looser (Radiology 1988;169), not only wider: room follows the mean spacing of the plan
    apart = max(apart, (0.6 if plan.pattern == "regional" else 0.3) * mean_spacing)
    available = np.stack([candidates.x, candidates.y], 1)
    ends = _ends(available, candidates, plan.pattern, limit, nipple, rng)
    if ends is None:
        return None
    first, second = ends
    towards = available[second] - available[first]
    length = float(np.hypot(*towards))
    shape = _Shape(plan.pattern, available[first], float(np.arctan2(towards[1], towards[0])), length)
    preference = candidates.score.copy()
    if plan.pattern == "grouped":
        preference -= 2 * shape.distances(available)
    allowed = shape.allows(available)
    chosen = [first, second]
    nearest, farthest = np.full(len(available), np.inf), np.zeros(len(available))
    for one in chosen:
        distance = np.hypot(*(available - available[one]).T)
        nearest, farthest = np.minimum(nearest, distance), np.maximum(farthest, distance)
    radius = max(1.0 / spacing_mm, 1.4 * mean_spacing)
    while len(chosen) < plan.count:
        options = np.flatnonzero(allowed & (nearest <= radius) & (nearest >= apart) & (farthest <= limit))
        if options.size == 0:
            if radius > limit:
                break
            radius *= GROWTH
            continue
        chance = np.cumsum(np.exp(0.5 * (preference[options] - preference[options].max())))
        pick = int(options[np.searchsorted(chance, rng.random() * chance[-1])])
        chosen.append(pick)
        distance = np.hypot(*(available - available[pick]).T)
        nearest, farthest = np.minimum(nearest, distance), np.maximum(farthest, distance)
    points = available[chosen] + rng.uniform(-0.5, 0.5, (len(chosen), 2))
    directions = candidates.direction[chosen]
    missing = plan.count - len(chosen)
    if missing:
        filled = _fill(points, shape, missing, permitted, rng, limit, apart)
        points = np.concatenate([points, filled])
        directions = np.append(directions, np.full(len(filled), shape.axis))
    if len(points) < max(LEAST_COUNT, int(np.ceil(LEAST_SHARE * plan.count))):
        return None
    return GrownCluster(points, directions, len(chosen), _diameter(points) * spacing_mm)


def least_diameter_mm(count: int, spacing_mm: float) -> float:
    """Diameter in which that many calcifications find room at twice the area that the smallest spacing needs."""
    return 1.5 * _apart_px(spacing_mm) * spacing_mm * float(np.sqrt(count))


def _apart_px(spacing_mm: float) -> float:
    return max(MINIMUM_SPACING_MM / spacing_mm, MINIMUM_SPACING_PX)


def _ends(
    available: NDArray[np.float64],
    candidates: Candidates,
    pattern: str,
    limit: float,
    nipple: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[int, int] | None:
    """Two candidates about the planned diameter apart: a draw by score, and for some patterns by direction.

    Of a segmental pair the second is the one nearer to the nipple.
    """
    offset = available[None] - available[:, None]
    distance = np.hypot(offset[..., 0], offset[..., 1])
    first, second = np.nonzero((distance >= LEAST_EXTENT * limit) & (distance <= limit))
    if first.size == 0:
        return None
    weight = 0.5 * (candidates.score[first] + candidates.score[second]) - 30 * (1 - distance[first, second] / limit)
    if pattern in ("linear", "segmental"):
        pair = offset[first, second]
        turn = np.arctan2(pair[:, 1], pair[:, 0])
        if pattern == "linear":
            agreement = (
                np.cos(turn - candidates.direction[first]) ** 2 + np.cos(turn - candidates.direction[second]) ** 2
            )
            weight += 2 * agreement
        else:
            middle = (available[first] + available[second]) / 2
            agreement = np.cos(turn - np.arctan2(nipple[1] - middle[:, 1], nipple[0] - middle[:, 0]))
            weight = np.where(agreement > np.cos(np.deg2rad(WEDGE_TURN_DEG)), weight + 4 * agreement, -np.inf)
            if not np.isfinite(weight).any():
                return None
    chance = np.cumsum(np.exp(weight - weight.max()))
    pick = int(np.searchsorted(chance, rng.random() * chance[-1]))
    return int(first[pick]), int(second[pick])


def _fill(
    points: NDArray[np.float64],
    shape: _Shape,
    missing: int,
    permitted: NDArray[np.bool_],
    rng: np.random.Generator,
    limit: float,
    apart: float,
) -> NDArray[np.float64]:
    """Random places inside pattern, diameter and permitted area, none closer than `apart` to another."""
    tries = _FILL_TRIES * missing
    turn = rng.uniform(0, 2 * np.pi, tries)
    reach = shape.length / 2 * np.sqrt(rng.uniform(0, 1, tries))
    middle = shape.first + shape.length / 2 * np.array([np.cos(shape.axis), np.sin(shape.axis)])
    if shape.pattern == "linear":  # a disc would miss the strand nine times of ten
        along, across = reach * np.cos(turn), 0.2 * reach * np.sin(turn)
        cosine, sine = np.cos(shape.axis), np.sin(shape.axis)
        places = middle + np.stack([along * cosine - across * sine, along * sine + across * cosine], 1)
    else:
        places = middle + reach[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
    row, column = np.floor(places[:, 1]).astype(int), np.floor(places[:, 0]).astype(int)
    inside = (row >= 0) & (column >= 0) & (row < permitted.shape[0]) & (column < permitted.shape[1])
    places = places[inside][permitted[row[inside], column[inside]]]
    places = places[shape.allows(places)] if len(places) else places
    found: list[NDArray[np.float64]] = []
    members = points
    for place in places:
        distance = np.hypot(*(members - place).T)
        if distance.min() >= apart and distance.max() <= limit:
            found.append(place)
            members = np.concatenate([members, place[None]])
            if len(found) == missing:
                break
    return np.array(found).reshape(-1, 2)


def _diameter(points: NDArray[np.float64]) -> float:
    difference = points[:, None, :] - points[None, :, :]
    return float(np.hypot(difference[..., 0], difference[..., 1]).max())
