"""What difference the test set of the primary endpoint can show, said before the design is frozen."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from detection.evaluation.lesion_groups import LESION_TYPES
from webapp.datasets.models import DatasetVersion, VersionAnnotation
from webapp.experiments.design import ENDPOINTS

POWER = 0.8
ALPHA = 0.05
DISAGREEMENTS = (0.1, 0.2, 0.3)
"""Shares of lesions that one arm finds and the other misses, which nobody knows beforehand."""
ALIKE = 0.5
"""Assumed correlation between lesions of one patient."""
_STEPS = 1000


@dataclass(frozen=True)
class Detectable:
    """Smallest differences in sensitivity that a paired comparison would show.

    Attributes
    ----------
    lesions, patients : int
        Lesions on a view in the test set that the endpoint counts, and their patients.
    design_effect : float
        1 + (m - 1) x 0.5 with m lesions a patient.
    differences : list of (float, float or None)
        Share of lesions on which the arms disagree, and the smallest difference; None where no difference can be shown.
    reason : str
        Why nothing is given, else empty.
    """

    lesions: int
    patients: int
    design_effect: float
    differences: list[tuple[float, float | None]]
    reason: str = ""

    @property
    def power(self) -> float:
        """Chance of showing a difference that is there."""
        return POWER

    @property
    def alike(self) -> float:
        """Assumed correlation between lesions of one patient."""
        return ALIKE

    @property
    def smallest(self) -> float | None:
        """The most favourable of the differences."""
        return min((value for _, value in self.differences if value is not None), default=None)


def detectable(version: DatasetVersion, endpoint: str) -> Detectable | None:
    """Work it out for an endpoint, by McNemar's test (`detection.evaluation.sample_size.paired_proportions`).

    None for an unknown endpoint.
    """
    if endpoint not in ENDPOINTS:
        return None
    measure, group, test_set = endpoint.split(":")
    counted = VersionAnnotation.objects.filter(
        version_view__version=version,
        version_view__split=test_set,
        malignancy="malignant",
        lesion_type__in=LESION_TYPES[group],  # type: ignore[index]
    )
    lesions = counted.count()
    patients = counted.values("version_view__patient").distinct().count()
    effect = 1 + (lesions / patients - 1) * ALIKE if patients else 1.0
    if not lesions:
        return Detectable(0, 0, effect, [], "the test set has no such lesion")
    if measure != "sensitivity":
        return Detectable(lesions, patients, effect, [], "worked out for sensitivity only, where n is known beforehand")
    found = [(share, smallest_difference(lesions, share, design_effect=effect)) for share in DISAGREEMENTS]
    return Detectable(lesions, patients, effect, found)


def smallest_difference(lesions: int, disagreement: float, *, design_effect: float) -> float | None:
    """Smallest difference, to 0.001, that so many lesions show with the power above; None where none can be shown."""
    # SciPy is loaded by the page that asks, not by every process at its start
    from detection.evaluation.sample_size import paired_proportions

    steps = range(1, round(_STEPS * disagreement) + 1)

    def enough(step: int) -> bool:
        needed = paired_proportions(
            min(step / _STEPS, disagreement), disagreement, power=POWER, alpha=ALPHA, design_effect=design_effect
        )
        return needed.clustered <= lesions

    first = bisect_left(steps, True, key=enough)
    return steps[first] / _STEPS if first < len(steps) else None
