"""What the clusters of a class are like: numbers, sizes, distributions and morphologies, as prior or as measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import inf
from typing import Any, Literal, get_args

from simulation.errors import InvalidSettings

SCHEMA = "cemlab.cluster-parameters/1"

Malignancy = Literal["benign", "malignant"]
Morphology = Literal["punctate", "amorphous", "coarse", "pleomorphic", "linear", "branching"]
Pattern = Literal["grouped", "regional", "linear", "segmental"]
SizePrior = Literal["s000", "comedo", "equal"]

COUNT_RANGE = (5, 60)
DIAMETER_RANGE_MM = (3.0, 40.0)
PARTICLE_RANGE_MM = (0.12, 1.2)
# Median particle diameter in mm (benign, malignant). The literature disagrees on which class has the larger ones:
# S000 and Willekens (BMC Cancer 2014) say benign; comedo carcinoma (324 um) and Schrup (2025) say malignant.
SIZE_PRIORS: Mapping[SizePrior, tuple[float, float]] = {
    "s000": (0.36, 0.26),
    "comedo": (0.30, 0.42),
    "equal": (0.31, 0.31),
}


@dataclass(frozen=True)
class ClusterParameters:
    """Distribution of the clusters of one class.

    Counts, cluster diameters and particle diameters are log-normal: median and standard deviation of the logarithm.
    The fourth BI-RADS distribution, diffuse, is not offered: it fills a breast and is no cluster.

    Attributes
    ----------
    malignancy : {"benign", "malignant"}
    count_median, count_sigma : float
        Calcifications of a cluster; drawn counts are kept within 5 to 60.
    diameter_median_mm, diameter_sigma : float
        Largest distance between two calcifications; kept within 3 to 40 mm.
    particle_median_mm, particle_sigma : float
        Diameter of the circle of the area that a calcification covers; kept within 0.12 to 1.2 mm.
    comedo_share : float
        Of clusters with the second size mode of 0.5-0.7 mm of comedo carcinoma.
    patterns, morphologies : tuple of (name, probability)
        BI-RADS distribution and morphology; probabilities are scaled to a sum of 1.
    source : str
        "prior", or what the values were measured on; no identifiers.
    """

    malignancy: Malignancy
    count_median: float
    count_sigma: float
    diameter_median_mm: float
    diameter_sigma: float
    particle_median_mm: float
    particle_sigma: float
    comedo_share: float
    patterns: tuple[tuple[Pattern, float], ...]
    morphologies: tuple[tuple[Morphology, float], ...]
    source: str = "prior"

    def __post_init__(self) -> None:
        if self.malignancy not in get_args(Malignancy):
            raise InvalidSettings(f"cluster parameters: class {self.malignancy!r}; choose benign or malignant")
        for name, low, high in (
            ("count_median", 1, 500),
            ("count_sigma", 0, 3),
            ("diameter_median_mm", 0.5, 100),
            ("diameter_sigma", 0, 3),
            ("particle_median_mm", 0.02, 5),
            ("particle_sigma", 0, 3),
            ("comedo_share", 0, 1),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise InvalidSettings(
                    f"cluster parameters: {name} is {value!r}; a number from {low} to {high} is needed"
                )
        for name, known in (("patterns", get_args(Pattern)), ("morphologies", get_args(Morphology))):
            weights = dict(getattr(self, name))
            numbers = [weight for weight in weights.values() if isinstance(weight, int | float) and 0 <= weight < inf]
            if not set(weights) <= set(known) or len(numbers) < len(weights) or sum(numbers) <= 0:
                raise InvalidSettings(
                    f"cluster parameters: {name} needs probabilities, not all zero, of {', '.join(known)}"
                )

    def to_json(self) -> dict[str, Any]:
        """Plain values with the schema name."""
        body = asdict(self)
        return {"schema": SCHEMA, **body, "patterns": dict(self.patterns), "morphologies": dict(self.morphologies)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any] | str) -> ClusterParameters:
        """Read what `to_json` wrote.

        Raises
        ------
        InvalidSettings
            If the schema is another one, a field is missing or unknown, or a value is out of range.
        """
        values = dict(json.loads(body) if isinstance(body, str) else body)
        schema = values.pop("schema", None)
        if schema != SCHEMA:
            raise InvalidSettings(f"cluster parameters have schema {schema!r}; expected {SCHEMA}")
        wrong = {field.name for field in fields(cls)} ^ set(values)
        if wrong:
            raise InvalidSettings(f"cluster parameters: missing or unknown fields: {', '.join(sorted(wrong))}")
        for name in ("patterns", "morphologies"):
            if not isinstance(values[name], Mapping):
                raise InvalidSettings(f"cluster parameters: {name} must give a probability for each name")
            values[name] = tuple(values[name].items())
        return cls(**values)

    def with_sizes(self, prior: SizePrior) -> ClusterParameters:
        """These parameters with the median particle diameter of a named prior."""
        return replace(self, particle_median_mm=SIZE_PRIORS[prior][self.malignancy == "malignant"])


# S000 (section 2.2): malignant calcifications are smaller and more uneven and their clusters spread over a larger
# area. Counts, sigmas and probabilities are an engineering prior from BI-RADS predictive values and published
# cluster statistics.
PARAMETERS: dict[Malignancy, ClusterParameters] = {
    "benign": ClusterParameters(
        malignancy="benign",
        count_median=10,
        count_sigma=0.5,
        diameter_median_mm=7.0,
        diameter_sigma=0.35,
        particle_median_mm=0.36,
        particle_sigma=0.25,
        comedo_share=0.0,
        patterns=(("grouped", 0.70), ("regional", 0.20), ("linear", 0.05), ("segmental", 0.05)),
        morphologies=(("punctate", 0.40), ("amorphous", 0.35), ("coarse", 0.15), ("pleomorphic", 0.10)),
    ),
    "malignant": ClusterParameters(
        malignancy="malignant",
        count_median=18,
        count_sigma=0.5,
        diameter_median_mm=14.0,
        diameter_sigma=0.35,
        particle_median_mm=0.26,
        particle_sigma=0.45,
        comedo_share=0.2,
        patterns=(("grouped", 0.55), ("regional", 0.10), ("linear", 0.15), ("segmental", 0.20)),
        morphologies=(("pleomorphic", 0.45), ("linear", 0.20), ("amorphous", 0.25), ("coarse", 0.10)),
    ),
}
