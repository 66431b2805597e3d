"""How many calcifications a cluster has, how far it spreads and of which kind they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from simulation.calcification import MORPHOLOGIES, Malignancy, Morphology
from simulation.randomness import log_normal

Pattern = Literal["grouped", "regional", "linear", "segmental"]
T = TypeVar("T")


@dataclass(frozen=True)
class ClusterParameters:
    """Class-dependent distribution of clusters.

    S000 (section 2.2): malignant clusters spread over a larger area. Medians and pattern probabilities are an
    engineering prior. Counts and diameters are log-normal (median, sigma of the logarithm).
    """

    count_median: float
    count_sigma: float
    diameter_median_mm: float
    diameter_sigma: float
    patterns: tuple[tuple[Pattern, float], ...]


PARAMETERS: dict[Malignancy, ClusterParameters] = {
    "benign": ClusterParameters(
        10, 0.5, 7.0, 0.35, (("grouped", 0.70), ("regional", 0.20), ("linear", 0.05), ("segmental", 0.05))
    ),
    "malignant": ClusterParameters(
        18, 0.5, 14.0, 0.35, (("grouped", 0.55), ("regional", 0.10), ("linear", 0.15), ("segmental", 0.20))
    ),
}
COUNT_RANGE = (5, 60)
DIAMETER_RANGE_MM = (3.0, 40.0)


@dataclass(frozen=True)
class ClusterPlan:
    """What a cluster shall look like before its place is known.

    Attributes
    ----------
    count : int
    diameter_mm : float
        Largest distance between two calcifications.
    pattern : {"grouped", "regional", "linear", "segmental"}
    morphology : str
        Leading morphology; single particles may differ.
    comedo : bool
    """

    count: int
    diameter_mm: float
    pattern: Pattern
    morphology: Morphology
    comedo: bool


def draw_plan(rng: np.random.Generator, malignancy: Malignancy, *, spread_scale: float = 1.0) -> ClusterPlan:
    """Draw the plan of one cluster.

    Parameters
    ----------
    rng : numpy.random.Generator
    malignancy : {"benign", "malignant"}
    spread_scale : float
        Factor on the diameter for coarse pixels, see `spread_scale`.
    """
    parameters = PARAMETERS[malignancy]
    count = log_normal(rng, parameters.count_median, parameters.count_sigma, *COUNT_RANGE)
    diameter = log_normal(rng, parameters.diameter_median_mm, parameters.diameter_sigma, *DIAMETER_RANGE_MM)
    pattern = _choose(rng, parameters.patterns)
    if pattern != "grouped":  # longer, not only thinner or looser, than a grouped cluster
        diameter = min(diameter * 1.4, DIAMETER_RANGE_MM[1])
    morphology = _choose(rng, MORPHOLOGIES[malignancy])
    comedo = malignancy == "malignant" and rng.random() < 0.2
    return ClusterPlan(round(count), diameter * spread_scale, pattern, morphology, bool(comedo))


def particle_morphology(rng: np.random.Generator, plan: ClusterPlan, malignancy: Malignancy) -> Morphology:
    """Morphology of one particle: mostly the leading one; malignant clusters are more mixed."""
    keep = 0.75 if malignancy == "malignant" else 0.9
    return plan.morphology if rng.random() < keep else _choose(rng, MORPHOLOGIES[malignancy])


def spread_scale(spacing_mm: float) -> float:
    """Factor on cluster diameters for coarse pixels, so that enlarged particles do not merge.

    1 up to 0.15 mm, then the 0.35th power of the pixel size.
    """
    return max(1.0, float((spacing_mm / 0.15) ** 0.35))


def _choose(rng: np.random.Generator, weights: tuple[tuple[T, float], ...]) -> T:
    names = [name for name, _ in weights]
    probabilities = np.array([weight for _, weight in weights])
    return names[int(rng.choice(len(names), p=probabilities / probabilities.sum()))]
