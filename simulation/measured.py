"""What was measured on real lesions and replaces the priors of a simulation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulation.enhancement import ContrastDistribution
from simulation.site_weights import SiteWeights


@dataclass(frozen=True)
class Measured:
    """Distributions of one class from real lesions; None keeps the prior.

    Attributes
    ----------
    contrast : ContrastDistribution or None
        From ``fit-contrast``.
    site_weights : SiteWeights or None
        Where real clusters lie.
    """

    contrast: ContrastDistribution | None = None
    site_weights: SiteWeights | None = None

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `simulation.case.simulate`."""
        return {"contrast": self.contrast, "site_weights": self.site_weights}

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; None for each prior."""
        return {name: None if value is None else value.to_json() for name, value in self.arguments().items()}
