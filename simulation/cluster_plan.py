"""How many calcifications a cluster has, how far it spreads and of which kind they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from simulation.cluster_parameters import (
    COUNT_RANGE,
    DIAMETER_RANGE_MM,
    PARAMETERS,
    ClusterParameters,
    Malignancy,
    Morphology,
    Pattern,
)
from simulation.randomness import log_normal

T = TypeVar("T")

# BI-RADS calls calcifications grouped up to 2 cm and regional above; a cluster has at least five in a square cm.
GROUPED_LIMIT_MM = 20.0
LEAST_PER_CM2 = 5.0


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


def draw_plan(
    rng: np.random.Generator,
    malignancy: Malignancy,
    *,
    spread_scale: float = 1.0,
    parameters: ClusterParameters | None = None,
) -> ClusterPlan:
    """Draw the plan of one cluster.

    Parameters
    ----------
    rng : numpy.random.Generator
    malignancy : {"benign", "malignant"}
    spread_scale : float
        Factor on the diameter for coarse pixels, see `spread_scale`.
    parameters : ClusterParameters, optional
        The prior of the class when None.
    """
    parameters = parameters or PARAMETERS[malignancy]
    count = round(log_normal(rng, parameters.count_median, parameters.count_sigma, *COUNT_RANGE))
    diameter = log_normal(rng, parameters.diameter_median_mm, parameters.diameter_sigma, *DIAMETER_RANGE_MM)
    pattern = _choose(rng, parameters.patterns)
    morphology = _choose(rng, parameters.morphologies)
    comedo = bool(rng.random() < parameters.comedo_share)
    if pattern == "grouped":
        diameter = min(diameter, GROUPED_LIMIT_MM, 10 * float(np.sqrt(4 * count / (np.pi * LEAST_PER_CM2))))
    return ClusterPlan(count, diameter * spread_scale, pattern, morphology, comedo)


def particle_morphology(
    rng: np.random.Generator, plan: ClusterPlan, malignancy: Malignancy, parameters: ClusterParameters | None = None
) -> Morphology:
    """Morphology of one particle: mostly the leading one; malignant clusters are more mixed."""
    keep = 0.75 if malignancy == "malignant" else 0.9
    weights = (parameters or PARAMETERS[malignancy]).morphologies
    return plan.morphology if rng.random() < keep else _choose(rng, weights)


def spread_scale(spacing_mm: float) -> float:
    """Factor on cluster diameters for coarse pixels, so that enlarged particles do not merge.

    1 up to 0.15 mm, then the 0.35th power of the pixel size.
    """
    return max(1.0, float((spacing_mm / 0.15) ** 0.35))


def _choose(rng: np.random.Generator, weights: tuple[tuple[T, float], ...]) -> T:
    names = [name for name, _ in weights]
    probabilities = np.array([weight for _, weight in weights])
    return names[int(rng.choice(len(names), p=probabilities / probabilities.sum()))]
