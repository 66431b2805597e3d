"""All realism measures of one set of synthetic lesions against one set of real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np

from simulation.errors import TooFewLesions
from simulation.realism.classifier_test import ClassifierTest, Shortcut, classifier_test, shortcut_tests
from simulation.realism.description import Description
from simulation.realism.gabor import FREQUENCIES_LP_MM
from simulation.realism.radiomic_distance import Coverage, RadiomicDistance, coverage, radiomic_distance
from simulation.realism.shortcuts import SHORTCUTS
from simulation.realism.statistics import RESAMPLES, Comparison, Sample, compare

SCHEMA = "cemlab.realism/1"
MINIMUM_LESIONS = 20
FEW_PATIENTS = 10

CALCIFICATION_MEASURES = {
    "peak contrast (grey values)": "peak_contrast",
    "contrast to noise": "contrast_to_noise",
    "area (mm2)": "area_mm2",
    "full width at half maximum (mm)": "fwhm_mm",
    "edge gradient (1/mm)": "edge_gradient",
}
"""Names in the report and attributes of `Spot`."""


@dataclass(frozen=True)
class Report:
    """Realism measures M1-M6.

    Attributes
    ----------
    real, synthetic, real_patients, synthetic_patients : int
        Lesions and patients; synthetic lesions count their hosts as patients.
    slopes, marginals, kurtosis : tuple of Comparison
        M1, M2, M6.
    coverage : Coverage or None
        M3.
    distance : RadiomicDistance or None
        M4.
    classifiers : tuple of ClassifierTest
        M5.
    shortcuts : tuple of Shortcut
        M5, one feature at a time.
    not_measured : dict of str to str
        Measures that could not be taken, with the reason.
    warnings : tuple of str
    """

    real: int
    synthetic: int
    real_patients: int
    synthetic_patients: int
    slopes: tuple[Comparison, ...]
    marginals: tuple[Comparison, ...]
    kurtosis: tuple[Comparison, ...]
    coverage: Coverage | None
    distance: RadiomicDistance | None
    classifiers: tuple[ClassifierTest, ...]
    shortcuts: tuple[Shortcut, ...]
    not_measured: dict[str, str]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary with the schema name."""
        return {
            "schema": SCHEMA,
            "real": {"lesions": self.real, "patients": self.real_patients},
            "synthetic": {"lesions": self.synthetic, "patients": self.synthetic_patients},
            "M1_power_spectrum": [item.to_json() for item in self.slopes],
            "M2_marginals": [item.to_json() for item in self.marginals],
            "M3_coverage": None if self.coverage is None else self.coverage.to_json(),
            "M4_radiomic_distance": None if self.distance is None else self.distance.to_json(),
            "M5_classifiers": [item.to_json() for item in self.classifiers],
            "M5_shortcuts": [item.to_json() for item in self.shortcuts],
            "M6_gabor_kurtosis": [item.to_json() for item in self.kurtosis],
            "not_measured": self.not_measured,
            "warnings": list(self.warnings),
        }


def evaluate(
    real: Sequence[Description],
    synthetic: Sequence[Description],
    *,
    resamples: int = RESAMPLES,
    trees: int = 200,
    seed: int = 0,
) -> Report:
    """Compare synthetic with real lesions.

    Parameters
    ----------
    real, synthetic : sequence of Description
        At least 20 each.
    resamples : int
        Of patients, for every interval.
    trees : int
        Of the random forests.
    seed : int

    Raises
    ------
    TooFewLesions
        If a side has fewer than 20 lesions.
    """
    for name, side in (("real", real), ("synthetic", synthetic)):
        if len(side) < MINIMUM_LESIONS:
            raise TooFewLesions(
                f"{len(side)} {name} lesions could be measured; realism measures need at least {MINIMUM_LESIONS} a side"
            )
    missing: dict[str, str] = {}

    def attempt(name: str, measure: Callable[[], Any]) -> Any:
        try:
            return measure()
        except ValueError as error:
            missing[name] = str(error)
            return None

    def comparisons(pairs: dict[str, tuple[Sample, Sample]]) -> tuple[Comparison, ...]:
        done = (
            attempt(name, partial(compare, name, *sides, resamples=resamples, seed=seed))
            for name, sides in pairs.items()
        )
        return tuple(item for item in done if item is not None)

    def pair(value: Callable[[Description], Any]) -> tuple[Sample, Sample]:
        return by_lesion(real, value), by_lesion(synthetic, value)

    texture = pair(attrgetter("texture"))
    told_apart = {"calcification patches": (spot_values(real), spot_values(synthetic)), "12.8 mm squares": texture}
    tests = (
        attempt(f"M5 {name}", partial(classifier_test, name, *sides, trees=trees, resamples=resamples, seed=seed))
        for name, sides in told_apart.items()
    )
    single = {name: pair(partial(_shortcut, name)) for name in SHORTCUTS}
    return Report(
        len(real),
        len(synthetic),
        _patients(real),
        _patients(synthetic),
        comparisons(
            {
                "slope at the lesion": pair(attrgetter("slope_inside")),
                "slope beside the lesion": pair(attrgetter("slope_outside")),
            }
        ),
        comparisons(
            calcification_marginals(real, synthetic)
            | {
                "calcifications in a cluster": pair(attrgetter("cluster.count")),
                "cluster diameter (mm)": pair(lambda item: item.cluster.diameter_mm or float("nan")),
            }
        ),
        comparisons(
            {
                f"kurtosis at {frequency:g} lp/mm": pair(partial(_kurtosis, index))
                for index, frequency in enumerate(FREQUENCIES_LP_MM)
            }
        ),
        attempt("M3", partial(coverage, *texture, real[0].texture_names, resamples=resamples, seed=seed)),
        attempt("M4", partial(radiomic_distance, *texture, seed=seed)),
        tuple(test for test in tests if test is not None),
        tuple(
            shortcut_tests(
                {name: sides[0] for name, sides in single.items()},
                {name: sides[1] for name, sides in single.items()},
                resamples=resamples,
                seed=seed,
            )
        ),
        missing,
        tuple(_warnings(real, synthetic)),
    )


def by_lesion(descriptions: Sequence[Description], value: Callable[[Description], Any]) -> Sample:
    """One value, or one row of values, of each lesion."""
    return Sample.of([value(item) for item in descriptions], [item.patient for item in descriptions])


def calcification_marginals(
    real: Sequence[Description], synthetic: Sequence[Description]
) -> dict[str, tuple[Sample, Sample]]:
    """The marginals of M2 whose unit is a calcification; intervals still go by patient."""

    found = {
        name: (_by_calcification(real, attrgetter(field)), _by_calcification(synthetic, attrgetter(field)))
        for name, field in CALCIFICATION_MEASURES.items()
    }
    found["nearest neighbour (mm)"] = (_by_neighbour(real), _by_neighbour(synthetic))
    return found


def _by_calcification(descriptions: Sequence[Description], value: Callable[[Any], float]) -> Sample:
    rows = [(value(spot), item.patient) for item in descriptions for spot in item.cluster.spots]
    return Sample.of([row[0] for row in rows], [row[1] for row in rows])


def _by_neighbour(descriptions: Sequence[Description]) -> Sample:
    rows = [(distance, item.patient) for item in descriptions for distance in item.cluster.nearest_mm]
    return Sample.of([row[0] for row in rows], [row[1] for row in rows])


def _shortcut(name: str, description: Description) -> float:
    return description.shortcuts[name]


def _kurtosis(index: int, description: Description) -> float:
    return description.kurtosis[index]


def spot_values(descriptions: Sequence[Description]) -> Sample:
    """The 12 features of every calcification."""
    filled = [item for item in descriptions if len(item.spots)]
    if not filled:
        return Sample.of(np.empty((0, 12)), [])
    return Sample.of(
        np.concatenate([item.spots for item in filled]),
        [item.patient for item in filled for _ in item.spots],
    )


def _patients(descriptions: Sequence[Description]) -> int:
    return len({item.patient for item in descriptions})


def _warnings(real: Sequence[Description], synthetic: Sequence[Description]) -> list[str]:
    found = []
    for name, side in (("real", real), ("synthetic", synthetic)):
        if _patients(side) < FEW_PATIENTS:
            found.append(f"{_patients(side)} {name} patients: intervals over so few are not reliable")
        empty = sum(item.cluster.count == 0 for item in side)
        if empty:
            found.append(f"no calcification was found in {empty} of {len(side)} {name} lesions")
    if {item.bits_stored for item in real} != {item.bits_stored for item in synthetic}:
        found.append("the two sides have grey values of other depth; peak contrast and texture cannot be compared")
    spacings = [np.median([item.spacing_mm for item in side]) for side in (real, synthetic)]
    if abs(spacings[0] - spacings[1]) > 0.05 * spacings[0]:
        found.append("the two sides have other pixel sizes; only sizes in mm may be compared")
    if {item.patient for item in real} & {item.patient for item in synthetic}:
        found.append("a patient is on both sides: real and synthetic lesions are of the same breasts")
    return found
