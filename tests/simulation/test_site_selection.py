"""Grid, features and ranking."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.robust_scale import robust_z
from simulation.settings import SimulationSettings
from simulation.site_selection import WEIGHTS, rank_cells
from simulation.texture import FEATURE_NAMES, CellFeatures
from simulation.texture.grid import cell_size, cells_inside


@given(
    rows=st.integers(20, 90),
    columns=st.integers(20, 90),
    size=st.integers(8, 20),
    overlap=st.sampled_from([0.0, 0.5, 0.75]),
    seed=st.integers(0, 99),
)
@settings(max_examples=50, deadline=None)
def test_cells_lie_completely_in_the_permitted_area(rows, columns, size, overlap, seed) -> None:
    permitted = np.random.default_rng(seed).random((rows, columns)) > 0.002
    cells = cells_inside(permitted, size, overlap=overlap, maximum=100_000)
    assert all(permitted[cell.slices].all() for cell in cells)
    assert all(permitted[cell.slices].shape == (size, size) for cell in cells)
    # oracle: every grid position that is free is found
    step = max(1, round(size * (1 - overlap)))
    free = [
        (r, c)
        for r in range(0, rows - size + 1, step)
        for c in range(0, columns - size + 1, step)
        if permitted[r : r + size, c : c + size].all()
    ]
    assert [(cell.row, cell.column) for cell in cells] == free


def test_the_number_of_cells_is_limited_and_spread() -> None:
    cells = cells_inside(np.ones((400, 400), bool), 32, overlap=0.5, maximum=40)
    assert len(cells) == 40
    assert min(cell.row for cell in cells) == 0
    assert max(cell.row for cell in cells) == 368


def test_cells_are_never_too_small_for_texture() -> None:
    assert cell_size(12.8, 0.1) == 128
    assert cell_size(12.8, 0.8) == 32


def test_robust_z_is_clipped_and_zero_for_a_constant_feature() -> None:
    values = np.array([[1.0, 5], [2, 5], [3, 5], [100, 5]])
    z = robust_z(values)
    assert z[3, 0] == 3
    assert (z[:, 1] == 0).all()


def table(values: np.ndarray) -> CellFeatures:
    return CellFeatures(FEATURE_NAMES, values, np.full(len(values), 32), "32 bins")


def features(seed: int = 0) -> CellFeatures:
    return table(np.random.default_rng(seed).normal(size=(60, len(FEATURE_NAMES))))


def test_best_takes_cells_by_score() -> None:
    ranking = rank_cells(features(), "malignant", np.random.default_rng(0), SimulationSettings(site_selection="best"))
    scores = ranking.scores[list(ranking.order)]
    assert (np.diff(scores) <= 0).all()


def test_sample_draws_among_the_best_and_varies() -> None:
    drawn = [
        rank_cells(features(), "malignant", np.random.default_rng(seed), SimulationSettings()).order
        for seed in range(40)
    ]
    assert all(sorted(order) == list(range(60)) for order in drawn)
    scores = rank_cells(features(), "malignant", np.random.default_rng(0), SimulationSettings()).scores
    best = set(np.argsort(-scores)[:15].tolist())
    assert all(order[0] in best for order in drawn)
    assert len({order[0] for order in drawn}) > 3


def test_bright_busy_cells_are_preferred() -> None:
    values = np.random.default_rng(1).normal(size=(60, len(FEATURE_NAMES))) * 0.2
    for name, weight in WEIGHTS.items():
        values[17, FEATURE_NAMES.index(name)] = 10 if weight > 0 else -10
    for malignancy in ("benign", "malignant"):
        ranking = rank_cells(
            table(values), malignancy, np.random.default_rng(0), SimulationSettings(site_selection="best")
        )
        assert ranking.order[0] == 17
