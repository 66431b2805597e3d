"""Grid, features and ranking."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from simulation.host import prepare_host
from simulation.location_strata import location_parts, scores_within_parts
from simulation.phantom import phantom_patient
from simulation.robust_scale import robust_z
from simulation.settings import SimulationSettings
from simulation.site_selection import WEIGHTS, rank_cells
from simulation.texture import FEATURE_NAMES, CellFeatures, cell_features
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
    settings = SimulationSettings(best_fraction=0.25)
    drawn = [rank_cells(features(), "malignant", np.random.default_rng(seed), settings).order for seed in range(40)]
    assert all(sorted(order) == list(range(60)) for order in drawn)
    scores = rank_cells(features(), "malignant", np.random.default_rng(0), settings).scores
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


def test_the_draw_is_never_from_fewer_cells_than_set() -> None:
    settings = SimulationSettings(best_fraction=0.01, best_minimum=8, temperature=100.0)
    order = np.argsort(-rank_cells(features(), "benign", np.random.default_rng(0), settings).scores)
    first = {rank_cells(features(), "benign", np.random.default_rng(seed), settings).order[0] for seed in range(200)}
    assert first == set(order[:8].tolist())
    few = table(np.random.default_rng(0).normal(size=(5, len(FEATURE_NAMES))))
    assert sorted(rank_cells(few, "benign", np.random.default_rng(0), settings).order) == list(range(5))


def test_parts_hold_about_as_many_cells_and_lie_together() -> None:
    centres = np.random.default_rng(3).uniform(0, 100, (150, 2))
    parts = location_parts(centres)
    counts = np.bincount(parts)
    assert len(counts) == 16 and counts.max() - counts.min() <= 2
    spread = [centres[parts == part].std(axis=0).mean() for part in range(16)]
    assert max(spread) < 0.5 * centres.std()


def test_few_cells_are_one_part() -> None:
    assert set(location_parts(np.random.default_rng(0).uniform(0, 9, (12, 2)))) == {0}


@given(st.integers(0, 10_000), st.integers(12, 90))
def test_every_part_has_the_same_distribution_of_scores(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 100, (count, 2))
    parts = location_parts(centres)
    # texture that rises towards one side
    scores = scores_within_parts(centres[:, 0] + rng.normal(0, 1, count), parts)
    means = [scores[parts == part].mean() for part in np.unique(parts)]
    np.testing.assert_allclose(means, 0, atol=1e-12)
    for part in np.unique(parts):
        members = np.flatnonzero(parts == part)
        assert len(set(scores[members])) == members.size


def test_the_paper_compares_cells_of_the_whole_view() -> None:
    settings = SimulationSettings(site_selection="best")
    centres = np.random.default_rng(5).uniform(0, 100, (60, 2))
    rng = np.random.default_rng(0)
    assert (
        rank_cells(features(), "benign", rng, settings, centres=centres).order
        == rank_cells(features(), "benign", rng, settings).order
    )


def places(size: str, patients: int, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres of chosen and of evenly drawn cells as shares of the breast's height and width; draws x views x 2."""
    chosen, even = [], []
    for seed in range(patients):
        side = "LR"[seed % 2]
        for view in phantom_patient(seed=seed, site="AB"[seed % 2], size=size, views=((side, "CC"), (side, "MLO"))):
            host = prepare_host(view.pair, lesion_free=True, exclusion=None, settings=SimulationSettings())
            measured = cell_features(host.low_energy, [cell.box for cell in host.cells], bin_count=32)
            where = np.argwhere(host.breast)
            low, span = where.min(axis=0), np.ptp(where, axis=0) + 1
            centres = (np.array([cell.centre[::-1] for cell in host.cells]) - low) / span
            rng = np.random.default_rng(seed)
            malignancy = ("benign", "malignant")[seed // 2 % 2]
            inside = np.array([cell.centre for cell in host.cells])
            orders = [
                rank_cells(measured, malignancy, rng, SimulationSettings(), centres=inside).order[0]
                for _ in range(draws)
            ]
            chosen.append(centres[orders])
            even.append(centres[rng.integers(len(centres), size=draws)])
    return np.stack(chosen, axis=1), np.stack(even, axis=1)


def entropy(centres: np.ndarray) -> float:
    """Bits of the place in a grid of 4 x 4 over the breast."""
    place = (centres * 4).astype(int).clip(0, 3) @ (4, 1)
    return float(stats.entropy(np.bincount(place.ravel(), minlength=16), base=2))


@pytest.mark.slow
def test_the_place_tells_nothing_over_100_hosts() -> None:
    """Chosen places spread nearly as far as evenly drawn ones, and no coordinate tells them apart."""
    chosen, even = places("small", patients=50, draws=20)
    assert np.mean([entropy(one) for one in chosen]) >= 0.9 * np.mean([entropy(one) for one in even])
    labels = np.repeat([1, 0], chosen[..., 0].size)
    for coordinate in (
        lambda centres: centres[..., 0],
        lambda centres: centres[..., 1],
        lambda centres: np.abs(centres[..., 0] - 0.5),
        lambda centres: np.hypot(*np.moveaxis(centres - 0.5, -1, 0)),
    ):
        values = np.concatenate([coordinate(chosen).ravel(), coordinate(even).ravel()])
        area = roc_auc_score(labels, values)
        assert max(area, 1 - area) <= 0.55
