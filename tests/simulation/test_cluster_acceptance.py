"""Distributions of inserted clusters on phantom hosts: as requested, and benign and malignant apart as designed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist

from simulation.analysed_host import analyse_host
from simulation.case import SimulatedCase, simulate
from simulation.cluster_parameters import PARAMETERS
from simulation.cluster_plan import draw_plan
from simulation.errors import SimulationError
from simulation.phantom import phantom_patient
from simulation.randomness import generator

EACH = 100
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cases() -> dict[str, list[SimulatedCase]]:
    """A hundred clusters of each class in four small phantom views."""
    found: dict[str, list[SimulatedCase]] = {"benign": [], "malignant": []}
    hosts = [
        phantom_patient(seed=seed, site=site, size="small", views=(("L", view),))[0].pair
        for seed, site, view in ((31, "A", "CC"), (32, "B", "CC"), (33, "A", "MLO"), (34, "B", "MLO"))
    ]
    analysed = [analyse_host(pair, lesion_free=True) for pair in hosts]
    for malignancy, made in found.items():
        for variant in range(2 * EACH):
            index = variant % len(hosts)
            try:
                made.append(
                    simulate(
                        hosts[index],
                        malignancy=malignancy,
                        seed=1,
                        variant=variant,
                        lesion_free=True,
                        analysed=analysed[index],
                    )
                )
            except SimulationError:
                continue
            if len(made) == EACH:
                break
    return found


def of_clusters(cases: list[SimulatedCase], name: str) -> np.ndarray:
    return np.array([case.record["cluster"][name] for case in cases], float)


def planned(cases: list[SimulatedCase], name: str) -> np.ndarray:
    return np.array([case.record["cluster"]["plan"][name] for case in cases], float)


def spacing_mm(case: SimulatedCase) -> float:
    """Mean distance of two calcifications of a cluster, as in Radiology 1988;169."""
    places = np.array([(one.x, one.y) for one in case.calcifications]) * case.record["host"]["spacing_mm"]
    return float(pdist(places).mean())


def heterogeneity(case: SimulatedCase) -> float:
    """Standard deviation of the logarithm of the particle diameters of one cluster."""
    return float(np.std(np.log([one.diameter_mm for one in case.calcifications])))


@pytest.mark.parametrize("malignancy", ["benign", "malignant"])
@pytest.mark.parametrize("name", ["count", "diameter_mm"])
def test_clusters_are_as_planned(cases: dict[str, list[SimulatedCase]], malignancy: str, name: str) -> None:
    made = cases[malignancy]
    assert len(made) == EACH
    assert stats.ks_2samp(of_clusters(made, name), planned(made, name)).statistic <= 0.1


@pytest.mark.parametrize("malignancy", ["benign", "malignant"])
def test_refusals_do_not_shift_the_drawn_counts(cases: dict[str, list[SimulatedCase]], malignancy: str) -> None:
    rng = generator(0, "acceptance")
    drawn = [draw_plan(rng, malignancy, parameters=PARAMETERS[malignancy]).count for _ in range(4000)]
    # 5 % critical value of a hundred against many is 0.136
    assert stats.ks_2samp(of_clusters(cases[malignancy], "count"), drawn).statistic <= 0.136


@pytest.mark.parametrize("measure", ["diameter", "spacing", "heterogeneity"])
def test_malignant_clusters_are_wider_looser_and_more_uneven(
    cases: dict[str, list[SimulatedCase]], measure: str
) -> None:
    benign, malignant = (
        {
            "diameter": lambda made: of_clusters(made, "diameter_mm"),
            "spacing": lambda made: np.array([spacing_mm(case) for case in made]),
            "heterogeneity": lambda made: np.array([heterogeneity(case) for case in made]),
        }[measure](cases[malignancy])
        for malignancy in ("benign", "malignant")
    )
    assert np.median(malignant) > np.median(benign)
    assert stats.ks_2samp(malignant, benign).pvalue < 1e-3


def test_particle_diameters_follow_their_distribution(cases: dict[str, list[SimulatedCase]]) -> None:
    for malignancy, made in cases.items():
        sizes = np.array(
            [one.diameter_mm for case in made for one in case.calcifications if one.morphology != "coarse"]
        )
        wanted = PARAMETERS[malignancy]
        logs = np.log(sizes / wanted.particle_median_mm) / wanted.particle_sigma
        assert stats.kstest(logs, "norm").statistic <= 0.1


def test_every_outline_holds_every_calcification(cases: dict[str, list[SimulatedCase]]) -> None:
    for made in cases.values():
        for case in made:
            assert case.mask[case.support].all()
            assert all(case.mask[int(one.y), int(one.x)] for one in case.calcifications)
            assert case.record["mask"]["clipped_fraction"] <= 0.05
            assert case.record["mask"]["area_mm2"] >= 10
