"""What was measured on real lesions and replaces the priors of a simulation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulation.cluster_parameters import ClusterParameters
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
    clusters : ClusterParameters or None
        From ``fit-clusters``.
    """

    contrast: ContrastDistribution | None = None
    site_weights: SiteWeights | None = None
    clusters: ClusterParameters | None = None

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `simulation.case.simulate`."""
        return {"contrast": self.contrast, "site_weights": self.site_weights, "clusters": self.clusters}

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; None for each prior."""
        return {name: None if value is None else value.to_json() for name, value in self.arguments().items()}
