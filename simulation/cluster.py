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


def grow_cluster(
    candidates: Candidates,
    plan: ClusterPlan,
    permitted: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    spacing_mm: float,
    nipple: tuple[float, float],
) -> GrownCluster | None:
    """Grow a cluster from the best candidate.

    The set takes, one at a time, a candidate within a radius of any member; the radius starts at 1.4 times the mean
    spacing of the plan and widens by 1.3 when nothing is near. Pattern, smallest spacing and largest diameter
    limit the choice. Missing places are filled in at random inside the pattern, with repulsion.

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
        None when fewer than five, or fewer than 60 % of the planned, places were found.
    """
    if len(candidates) == 0:
        return None
    limit = plan.diameter_mm / spacing_mm
    apart = max(MINIMUM_SPACING_MM / spacing_mm, MINIMUM_SPACING_PX)
    available = np.stack([candidates.x, candidates.y], 1)
    start = available[0]
    axis = (
        float(np.arctan2(nipple[1] - start[1], nipple[0] - start[0]))
        if plan.pattern == "segmental"
        else float(candidates.direction[0])
    )
    allowed = _in_pattern(available - start, plan.pattern, axis, limit)
    chosen = [0]
    nearest = np.hypot(*(available - start).T)
    farthest = nearest.copy()
    radius = max(1.0 / spacing_mm, 1.4 * limit / np.sqrt(plan.count))
    while len(chosen) < plan.count:
        near = allowed & (nearest <= radius) & (nearest >= apart) & (farthest <= limit)
        options = np.flatnonzero(near)
        if options.size == 0:
            if radius > limit:
                break
            radius *= GROWTH
            continue
        weights = np.exp(0.5 * (candidates.score[options] - candidates.score[options].max()))
        pick = int(rng.choice(options, p=weights / weights.sum()))
        chosen.append(pick)
        distance = np.hypot(*(available - available[pick]).T)
        nearest, farthest = np.minimum(nearest, distance), np.maximum(farthest, distance)
    points = available[chosen] + rng.uniform(-0.5, 0.5, (len(chosen), 2))
    directions = candidates.direction[chosen]
    grown = len(chosen)
    points, directions = _fill(points, directions, start, axis, plan, permitted, rng, limit, apart)
    if len(points) < max(5, int(np.ceil(0.6 * plan.count))):
        return None
    return GrownCluster(points, directions, grown, _diameter(points) * spacing_mm)


def _in_pattern(offsets: NDArray[np.float64], pattern: str, axis: float, limit: float) -> NDArray[np.bool_]:
    along = offsets[:, 0] * np.cos(axis) + offsets[:, 1] * np.sin(axis)
    across = -offsets[:, 0] * np.sin(axis) + offsets[:, 1] * np.cos(axis)
    if pattern == "linear":
        return np.asarray(np.abs(across) <= limit / 8 + 1)
    if pattern == "segmental":  # a wedge that narrows towards the nipple, tip half a diameter ahead of the start
        width = np.clip(limit / 2 - along, 0, None) * np.tan(np.deg2rad(25))
        return np.asarray(np.abs(across) <= width + 0.5)
    return np.ones(len(offsets), bool)


def _fill(
    points: NDArray[np.float64],
    directions: NDArray[np.float64],
    start: NDArray[np.float64],
    axis: float,
    plan: ClusterPlan,
    permitted: NDArray[np.bool_],
    rng: np.random.Generator,
    limit: float,
    apart: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add random places inside pattern, diameter and permitted area, none closer than `apart` to another."""
    for _ in range(60 * max(plan.count - len(points), 0)):
        if len(points) >= plan.count:
            break
        turn, reach = rng.uniform(0, 2 * np.pi), limit * np.sqrt(rng.uniform(0, 1)) / 2
        place = points.mean(0) + reach * np.array([np.cos(turn), np.sin(turn)])
        row, column = int(np.floor(place[1])), int(np.floor(place[0]))
        if not (0 <= row < permitted.shape[0] and 0 <= column < permitted.shape[1] and permitted[row, column]):
            continue
        distance = np.hypot(*(points - place).T)
        if distance.min() < apart or distance.max() > limit:
            continue
        if not _in_pattern((place - start)[None], plan.pattern, axis, limit)[0]:
            continue
        points = np.concatenate([points, place[None]])
        directions = np.append(directions, axis)
    return points, directions


def _diameter(points: NDArray[np.float64]) -> float:
    difference = points[:, None, :] - points[None, :, :]
    return float(np.hypot(difference[..., 0], difference[..., 1]).max())
