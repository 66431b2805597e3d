"""Growth of a cluster."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.candidates import Candidates
from simulation.cluster import LEAST_EXTENT, MINIMUM_SPACING_PX, GrownCluster, grow_cluster, least_diameter_mm
from simulation.cluster_plan import GROUPED_LIMIT_MM, ClusterPlan, draw_plan, spread_scale


def spread_candidates(seed: int, count: int = 80) -> Candidates:
    rng = np.random.default_rng(seed)
    return Candidates(
        rng.uniform(60, 240, count),
        rng.uniform(60, 240, count),
        np.sort(rng.normal(size=count))[::-1],
        rng.uniform(0, np.pi, count),
        80.0,
    )


@given(
    seed=st.integers(0, 500),
    count=st.integers(5, 40),
    diameter=st.floats(6, 16),
    pattern=st.sampled_from(["grouped", "regional", "linear", "segmental"]),
)
@settings(max_examples=60, deadline=None)
def test_a_cluster_keeps_its_diameter_and_spacing(seed, count, diameter, pattern) -> None:
    plan = ClusterPlan(count, diameter, pattern, "punctate", False)
    grown = grow_cluster(
        spread_candidates(seed),
        plan,
        np.ones((300, 300), bool),
        np.random.default_rng(seed),
        spacing_mm=0.1,
        nipple=(300.0, 150.0),
    )
    if grown is None:
        return
    assert max(5, 0.6 * count) <= len(grown.points) <= count
    gaps = np.hypot(*(grown.points[:, None] - grown.points[None]).transpose(2, 0, 1))
    assert gaps.max() <= diameter / 0.1 + 1.5  # sub-pixel jitter
    assert gaps[np.triu_indices(len(gaps), 1)].min() >= MINIMUM_SPACING_PX - 1.5
    assert gaps.max() >= LEAST_EXTENT * diameter / 0.1 - 1.5
    assert grown.from_candidates >= 2


def test_linear_clusters_are_elongated() -> None:
    ratios = {"grouped": [], "linear": []}
    for pattern, values in ratios.items():
        for seed in range(20):
            plan = ClusterPlan(14, 12, pattern, "linear", False)
            grown = grow_cluster(
                spread_candidates(seed),
                plan,
                np.ones((300, 300), bool),
                np.random.default_rng(seed),
                spacing_mm=0.1,
                nipple=(300.0, 150.0),
            )
            if grown is not None:
                spread = np.linalg.svd(grown.points - grown.points.mean(0), compute_uv=False)
                values.append(spread[0] / spread[1])
    assert np.median(ratios["linear"]) > 1.5 * np.median(ratios["grouped"])


def test_no_candidates_give_no_cluster() -> None:
    none = Candidates(*(np.zeros(0),) * 4, 60.0)
    plan = ClusterPlan(8, 7, "grouped", "punctate", False)
    rng = np.random.default_rng(0)
    assert grow_cluster(none, plan, np.ones((9, 9), bool), rng, spacing_mm=0.1, nipple=(9.0, 4.0)) is None


def test_plans_differ_between_classes_as_designed() -> None:
    rng = np.random.default_rng(0)
    plans = {grade: [draw_plan(rng, grade) for _ in range(400)] for grade in ("benign", "malignant")}
    count = {grade: np.median([p.count for p in drawn]) for grade, drawn in plans.items()}
    width = {grade: np.median([p.diameter_mm for p in drawn]) for grade, drawn in plans.items()}
    assert count["malignant"] > count["benign"]
    assert width["malignant"] > 1.5 * width["benign"]
    assert all(5 <= p.count <= 60 for drawn in plans.values() for p in drawn)
    assert not any(p.comedo for p in plans["benign"])
    assert spread_scale(0.1) == 1.0 < spread_scale(0.8)


NIPPLE = (900.0, 150.0)


def grown_clusters(pattern: str, *, count: int = 16, diameter: float = 13.0) -> list[GrownCluster]:
    found = []
    for seed in range(30):
        grown = grow_cluster(
            spread_candidates(seed, 200),
            ClusterPlan(count, diameter, pattern, "punctate", False),
            np.ones((300, 300), bool),
            np.random.default_rng(seed),
            spacing_mm=0.1,
            nipple=NIPPLE,
        )
        if grown is not None:
            found.append(grown)
    assert len(found) >= 20
    return found


def test_segmental_clusters_are_wedges_that_narrow_towards_the_nipple() -> None:
    near, far = [], []
    for grown in grown_clusters("segmental"):
        towards = np.array(NIPPLE) - grown.points.mean(0)
        towards /= np.hypot(*towards)
        offset = grown.points - grown.points.mean(0)
        along, across = offset @ towards, np.abs(offset @ np.array([-towards[1], towards[0]]))
        near.append(across[along > np.quantile(along, 0.7)].mean())
        far.append(across[along < np.quantile(along, 0.3)].mean())
    assert np.mean(near) < 0.8 * np.mean(far)


def test_regional_clusters_are_more_even_than_grouped_ones_of_the_same_size() -> None:
    def nearest(pattern: str) -> float:
        values = []
        for grown in grown_clusters(pattern):
            gaps = np.hypot(*(grown.points[:, None] - grown.points[None]).transpose(2, 0, 1))
            np.fill_diagonal(gaps, np.inf)
            values.append(gaps.min(0).mean())
        return float(np.mean(values))

    assert nearest("regional") > 1.15 * nearest("grouped")


def test_grouped_clusters_stay_within_two_centimetres_and_five_in_a_square_centimetre() -> None:
    rng = np.random.default_rng(1)
    grouped = [plan for plan in (draw_plan(rng, "malignant") for _ in range(500)) if plan.pattern == "grouped"]
    assert max(plan.diameter_mm for plan in grouped) <= GROUPED_LIMIT_MM
    density = [plan.count / (np.pi / 4 * (plan.diameter_mm / 10) ** 2) for plan in grouped]
    assert min(density) >= 5 - 1e-9


def test_a_narrow_cluster_of_many_calcifications_is_given_room_on_coarse_pixels() -> None:
    assert least_diameter_mm(60, 0.1) < 3.0
    assert least_diameter_mm(20, 0.8) > 10.0
