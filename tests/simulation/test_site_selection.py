"""Grid, features and ranking."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.phantom import PhantomView
from simulation.settings import SimulationSettings
from simulation.site_selection import WEIGHTS, rank_cells, robust_z
from simulation.texture.features import FEATURE_NAMES, FEATURES, cell_features
from simulation.texture.grid import Cell, cell_size, cells_inside


def test_features_equal_pyradiomics_called_on_the_whole_image(host: PhantomView) -> None:
    """Oracle: the feature extractor on the full image with a full-size mask, one cell at a time."""
    from radiomics import featureextractor

    image = host.pair.low_energy
    cells = [Cell(220, 90, 32), Cell(300, 150, 32), Cell(250, 200, 48)]
    extractor = featureextractor.RadiomicsFeatureExtractor(
        binCount=32, force2D=True, force2Ddimension=0, additionalInfo=False
    )
    extractor.disableAllFeatures()
    extractor.enableFeaturesByName(
        firstorder=["Mean", "Entropy", "Variance"],
        glcm=["Contrast", "Idm"],
        glszm=["SmallAreaEmphasis"],
        gldm=["LargeDependenceEmphasis"],
    )
    found = cell_features(image, cells, bin_count=32)
    for row, cell in zip(found, cells, strict=True):
        mask = np.zeros(image.shape, np.uint8)
        mask[cell.slices] = 1
        values = extractor.execute(
            sitk.GetImageFromArray(image.astype(float)[None]), sitk.GetImageFromArray(mask[None])
        )
        expected = [float(values[f"original_{family}_{name}"]) for family, name in FEATURES]
        assert row == pytest.approx(expected, rel=1e-9)


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


def features(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(60, len(FEATURE_NAMES)))


def test_best_takes_cells_by_score() -> None:
    ranking = rank_cells(features(), "malignant", np.random.default_rng(0), SimulationSettings(site_selection="best"))
    scores = ranking.scores[list(ranking.order)]
    assert (np.diff(scores) <= 0).all()


def test_sample_draws_among_the_best_and_varies() -> None:
    table = features()
    drawn = [
        rank_cells(table, "malignant", np.random.default_rng(seed), SimulationSettings()).order for seed in range(40)
    ]
    assert all(sorted(order) == list(range(60)) for order in drawn)
    scores = rank_cells(table, "malignant", np.random.default_rng(0), SimulationSettings()).scores
    best = set(np.argsort(-scores)[:15].tolist())
    assert all(order[0] in best for order in drawn)
    assert len({order[0] for order in drawn}) > 3


def test_bright_busy_cells_are_preferred() -> None:
    table = np.random.default_rng(1).normal(size=(60, len(FEATURE_NAMES))) * 0.2
    table[17] = [10 if WEIGHTS[name] > 0 else -10 for name in FEATURE_NAMES]
    for malignancy in ("benign", "malignant"):
        ranking = rank_cells(table, malignancy, np.random.default_rng(0), SimulationSettings(site_selection="best"))
        assert ranking.order[0] == 17
