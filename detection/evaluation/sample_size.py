"""How many lesions a comparison of two arms needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri

from detection.evaluation.errors import EvaluationError


@dataclass(frozen=True)
class PairsNeeded:
    """Number of pairs, and after multiplication with the design effect of clustered lesions.

    Attributes
    ----------
    pairs, clustered : int
    """

    pairs: int
    clustered: int


def paired_proportions(
    difference: float,
    discordance: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    design_effect: float = 1.0,
) -> PairsNeeded:
    """Pairs for McNemar's test of two sensitivities on the same lesions (Connor 1987).

    n = (z_a sqrt(d) + z_b sqrt(d - D^2))^2 / D^2 with difference D, share d of pairs on which the arms differ, and
    two-sided alpha. Lesions of one patient are alike: multiply by the design effect 1 + (m - 1) rho.

    Raises
    ------
    EvaluationError
        If 0 < |difference| <= discordance <= 1, the power or alpha, or a design effect of at least 1 is not given.
    """
    if not 0 < abs(difference) <= discordance <= 1:
        raise EvaluationError(
            f"Sample size: expected 0 < difference <= discordance <= 1, found {difference:g} and {discordance:g}."
        )
    if not (0 < alpha < 1 and 0 < power < 1 and design_effect >= 1):
        raise EvaluationError("Sample size: expected alpha and power between 0 and 1, and a design effect from 1.")
    below = ndtri(1 - alpha / 2) * math.sqrt(discordance)
    above = ndtri(power) * math.sqrt(discordance - difference**2)
    pairs = math.ceil(((below + above) / difference) ** 2)
    return PairsNeeded(pairs, math.ceil(pairs * design_effect))
