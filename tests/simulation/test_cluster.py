"""Growth of a cluster."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.candidates import Candidates, find_candidates
from simulation.cluster import MINIMUM_SPACING_PX, grow_cluster
from simulation.cluster_plan import ClusterPlan, draw_plan, spread_scale


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
    assert grown.from_candidates >= 1


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


def test_bright_spots_and_ridges_are_candidates_and_forbidden_pixels_are_not() -> None:
    rng = np.random.default_rng(0)
    image = 1000 + 5 * rng.standard_normal((120, 120))
    image[50, 40:80] += 120
    image[70, 60] += 200
    permitted = np.ones(image.shape, bool)
    permitted[:45] = False
    found = find_candidates(image, (slice(30, 90), slice(30, 90)), permitted, rng, wanted=5)
    assert (found.y >= 45).all()
    assert np.hypot(found.x - 60.5, found.y - 70.5).min() < 2
    near = np.flatnonzero((np.abs(found.y - 50.5) < 1.5) & (found.x > 45) & (found.x < 75))
    assert near.size
    # the direction follows the ridge, which runs along x
    assert np.abs(np.cos(found.direction[near])).mean() > 0.95
    assert (np.diff(found.score) <= 0).all()
    assert len(found.x) == pytest.approx(len(found))
