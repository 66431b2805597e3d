"""The enhancement of the project's own lesions, measured on training views (S000, section 2.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from simulation.enhancement import ContrastDistribution
from webapp.simulations.lesion_measures import LesionMeasures

ENOUGH = 5
"""Fewer measured clusters than this, and lesions of every type are taken; fewer of those, and the prior."""
Malignancy = Literal["benign", "malignant"]


@dataclass(frozen=True)
class MeasuredContrast:
    """A distribution and what it rests on."""

    distribution: ContrastDistribution
    source: str
    measured: int


def measured_contrasts(lesions: Sequence[LesionMeasures]) -> dict[Malignancy, MeasuredContrast]:
    """Relative contrast of the training lesions in their recombined images, by malignancy.

    Lesions whose surroundings cannot be measured are left out.
    """
    values: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for lesion in lesions:
        if lesion.contrast is not None and lesion.contrast > 0:
            values[lesion.malignancy, lesion.cluster].append(lesion.contrast)
    classes: tuple[Malignancy, ...] = ("benign", "malignant")
    return {malignancy: _choose(malignancy, values) for malignancy in classes}


def _choose(malignancy: Malignancy, values: dict[tuple[str, bool], list[float]]) -> MeasuredContrast:
    clusters = values[malignancy, True]
    if len(clusters) >= ENOUGH:
        return MeasuredContrast(
            ContrastDistribution.fit(clusters, malignancy), f"{malignancy} clusters of the training set", len(clusters)
        )
    lesions = clusters + values[malignancy, False]
    if len(lesions) >= ENOUGH:
        return MeasuredContrast(
            ContrastDistribution.fit(lesions, malignancy),
            f"{malignancy} lesions of every type in the training set, because only {len(clusters)} clusters could be "
            "measured",
            len(lesions),
        )
    return MeasuredContrast(
        ContrastDistribution.prior(malignancy),
        f"published prior, because only {len(lesions)} {malignancy} lesions of the training set could be measured",
        len(lesions),
    )
