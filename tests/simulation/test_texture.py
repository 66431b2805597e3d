"""The 93 radiomics features of cells: equal to pyradiomics, the same with and without numba, and clear about misuse."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.texture import BINS, equality, made_cells, phantom_cells, relative_difference
from simulation.errors import SimulationError
from simulation.texture import FEATURE_NAMES, cell_features
from simulation.texture.correlation_coefficient import maximal_correlation, maximal_correlation_compiled
from simulation.texture.features import FAMILIES, Engine
from simulation.texture.quantise import bin_edges
from simulation.texture.reference import volume

ROOT = Path(__file__).resolve().parents[2]
ENGINES: tuple[Engine, ...] = ("numba", "numpy")


def image(seed: int = 0, size: int = 96) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 40, (size, size)).cumsum(0).cumsum(1) / 30 + 2000).clip(0, 4095).astype(np.uint16)


def test_there_are_93_features_with_the_names_of_pyradiomics() -> None:
    assert {family: len(names) for family, names in FAMILIES.items()} == {
        "firstorder": 18,
        "glcm": 24,
        "glrlm": 16,
        "glszm": 16,
        "gldm": 14,
        "ngtdm": 5,
    }
    assert len(FEATURE_NAMES) == len(set(FEATURE_NAMES)) == 93
    found = cell_features(image(), [(0, 0, 32, 32)])
    assert found.names == FEATURE_NAMES
    assert found.values.shape == (1, 93)
    assert found.values.dtype == np.float64
    assert found.column("firstorder_Mean") == found.column("original_firstorder_Mean") == image()[:32, :32].mean()


@pytest.mark.parametrize("engine", ENGINES)
def test_made_cells_equal_pyradiomics(engine: Engine) -> None:
    """Flat, two-level, stripes, a single spot, float and negative values: where formulas divide by zero."""
    compared = 0
    for kind, plane, cells, _ in made_cells():
        if kind == "more than 100 levels":
            continue
        bins = BINS[compared % 3]
        with warnings.catch_warnings():  # pyradiomics divides by zero on flat cells
            warnings.simplefilter("ignore")
            expected = cell_features(plane, cells, **bins, engine="pyradiomics")
        found = cell_features(plane, cells, **bins, engine=engine)
        assert relative_difference(found.values, expected.values).max() <= 1e-6
        compared += len(cells)
    assert compared >= 30


@pytest.mark.parametrize("engine", ENGINES)
def test_textured_cells_equal_pyradiomics(engine: Engine) -> None:
    cells = [(0, 0, 32, 32), (10, 30, 64, 64), (40, 0, 20, 90)]
    for plane, bins in (
        (image(), BINS[0]),
        (image(), BINS[2]),
        (image(1).astype(np.int16) - 3000, BINS[0]),
        (image(2).astype(np.float64) * 0.37 + np.pi, BINS[0]),
    ):
        expected = cell_features(plane, cells, **bins, spacing=(0.1, 0.3), engine="pyradiomics")
        found = cell_features(plane, cells, **bins, spacing=(0.1, 0.3), engine=engine)
        assert relative_difference(found.values, expected.values).max() <= 1e-6
        np.testing.assert_array_equal(found.grey_levels, expected.grey_levels)


def test_features_equal_pyradiomics_called_with_the_whole_image_and_a_mask() -> None:
    """The reference of the other tests crops; this is how pyradiomics is mostly used."""
    from radiomics import featureextractor

    plane = image(3)
    cells = [(5, 7, 32, 48), (50, 40, 40, 33)]
    extractor = featureextractor.RadiomicsFeatureExtractor(binWidth=25, force2D=True, additionalInfo=False)
    extractor.disableAllFeatures()
    for family in FAMILIES:
        extractor.enableFeatureClassByName(family)
    for cell, row in zip(cells, cell_features(plane, cells).values, strict=True):
        mask = np.zeros(plane.shape, np.uint8)
        mask[cell[0] : cell[0] + cell[2], cell[1] : cell[1] + cell[3]] = 1
        found = extractor.execute(volume(plane.astype(float)), volume(mask))
        expected = np.array([float(found[name]) for name in FEATURE_NAMES])
        assert relative_difference(row, expected).max() <= 1e-6


@pytest.mark.slow
def test_500_cells_of_phantoms_and_where_present_real_images_equal_pyradiomics() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = equality(19)
    assert report["cells"] >= 500
    assert report["kinds"]["more than 100 levels"]["most_levels"] > 100
    for part in report["engines"].values():
        assert part["largest_difference"] <= 1e-6


def test_both_engines_give_the_same_numbers() -> None:
    for _, plane, cells, several in phantom_cells(1):
        for bins in several:
            one, two = (cell_features(plane, cells, **bins, engine=engine) for engine in ENGINES)
            assert relative_difference(one.values, two.values).max() <= 1e-6
            np.testing.assert_array_equal(one.grey_levels, two.grey_levels)


@given(
    seed=st.integers(0, 1000),
    height=st.integers(2, 24),
    width=st.integers(2, 24),
    levels=st.sampled_from([1, 2, 3, 9, 200]),
    dtype=st.sampled_from([np.uint8, np.int16, np.uint16, np.float32]),
)
@settings(max_examples=60, deadline=None)
def test_both_engines_agree_on_small_cells_of_any_shape(seed, height, width, levels, dtype) -> None:
    rng = np.random.default_rng(seed)
    plane = rng.integers(0, levels, (height + 3, width + 2)).astype(dtype)
    one, two = (cell_features(plane, [(2, 1, height, width)], bin_width=1, engine=engine) for engine in ENGINES)
    off = relative_difference(one.values, two.values)
    # the root in Imc2 turns the last digit of independent levels into 1e-8
    off[:, FEATURE_NAMES.index("original_glcm_Imc2")] *= 0.01
    assert off.max() <= 1e-6


@given(st.integers(0, 10_000), st.integers(2, 40))
@settings(max_examples=60, deadline=None)
def test_maximal_correlation_equals_the_eigenvalues(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, (4, levels, levels)) * (rng.random((4, levels, levels)) < 0.3)
    counts += np.eye(levels, dtype=np.int64)
    counts = (counts + counts.transpose(0, 2, 1)).astype(np.int32)
    assert maximal_correlation_compiled(counts) == pytest.approx(maximal_correlation(counts), rel=1e-8, abs=1e-9)


@given(
    st.floats(-5000, 5000, width=32),
    st.floats(0, 3000, width=32),
    st.sampled_from([{"bin_width": 25.0}, {"bin_width": 5.0}, {"bin_width": 7.3}, {"bin_count": 32}, {"bin_count": 7}]),
)
@settings(max_examples=200, deadline=None)
def test_edges_of_bins_equal_pyradiomics(low: float, span: float, bins: dict[str, Any]) -> None:
    from radiomics.imageoperations import getBinEdges

    values = np.array([low, low + span])
    names = {"bin_width": "binWidth", "bin_count": "binCount"}
    expected = getBinEdges(values, **{names[key]: value for key, value in bins.items()})
    found = bin_edges(values[:1], values[1:], **{"bin_width": 25.0, "bin_count": None, **bins})[0]
    np.testing.assert_array_equal(found, expected)


def test_value_types_do_not_change_the_features() -> None:
    cells = [(0, 0, 64, 64)]
    expected = cell_features(image(), cells, bin_count=32).values
    for dtype in (np.int16, np.int64, np.float32, np.float64):
        found = cell_features(image().astype(dtype), cells, bin_count=32).values
        assert relative_difference(found, expected).max() < 1e-9
    strided = np.repeat(image(), 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(cell_features(strided, cells, bin_count=32).values, expected)


def test_no_cells_give_no_rows() -> None:
    for engine in ENGINES:
        assert cell_features(image(), [], engine=engine).values.shape == (0, 93)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": np.zeros((4, 4, 3))}, "3-dimensional"),
        ({"image": np.zeros((40, 40), complex)}, "complex"),
        ({"image": np.full((40, 40), np.nan)}, "finite"),
        ({"cells": [(0, 0, 32)]}, r"\(cells, 4\)"),
        ({"cells": [(0, 0, 32.5, 32)]}, "whole numbers"),
        ({"cells": [(0, 0, 8, 8), (20, 0, 32, 32)]}, "1 of 2 cells"),
        ({"cells": [(-1, 0, 8, 8)]}, "not inside"),
        ({"cells": [(0, 0, 1, 8)]}, "smaller than 2 x 2"),
        ({"bin_width": 0.0}, "bin_width"),
        ({"bin_width": 0.001}, "wider bins"),
        ({"bin_count": 0}, "bin_count"),
        ({"bin_count": 5000}, "bin_count"),
        ({"spacing": (0.1, -1.0)}, "spacing"),
        ({"engine": "fortran"}, "fortran"),
    ],
)
def test_misuse_is_a_value_error_that_says_what_is_expected(change: dict[str, Any], words: str) -> None:
    call = {"image": image(size=40), "cells": [(0, 0, 16, 16)], **change}
    with pytest.raises(ValueError, match=words) as raised:
        cell_features(call.pop("image"), call.pop("cells"), **call)
    assert isinstance(raised.value, SimulationError)
    assert raised.value.code == "unusable-cells"


PROGRAM = """
import sys
{before}
import numpy as np
from simulation.texture import cell_features
plane = np.arange(4096, dtype=np.uint16).reshape(64, 64) * 7 % 1000
total = float(cell_features(plane, [(0, 0, 64, 64)]).values.sum())
print(repr(total), sorted({{"numba", "radiomics"}} & set(sys.modules)))
"""


def run(before: str = "", **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM.format(before=before)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def expected_sum() -> float:
    plane = np.arange(4096, dtype=np.uint16).reshape(64, 64) * 7 % 1000
    return float(cell_features(plane, [(0, 0, 64, 64)]).values.sum())


def test_without_numba_the_numpy_engine_is_taken() -> None:
    blocked = "import importlib.util as u; find = u.find_spec; u.find_spec = lambda n: n != 'numba' and find(n) or None"
    total, modules = run(blocked).split(" ", 1)
    assert float(total) == pytest.approx(expected_sum(), rel=1e-9)
    assert modules == "[]"


def test_the_engine_can_be_chosen_by_the_environment() -> None:
    total, modules = run(CEMLAB_TEXTURE_ENGINE="numpy").split(" ", 1)
    assert float(total) == pytest.approx(expected_sum(), rel=1e-9)
    assert "radiomics" not in modules


@pytest.mark.slow
def test_kernels_work_where_no_folder_can_keep_them() -> None:
    """A read-only installation without a home: the kernels are compiled in each process."""
    nowhere = "import numba.core.caching as c; c.CacheImpl._locator_classes = []"
    assert float(run(nowhere).split(" ", 1)[0]) == pytest.approx(expected_sum(), rel=1e-9)


@pytest.mark.slow
def test_kernels_are_kept_in_the_folder_that_is_named(tmp_path: Path) -> None:
    run(NUMBA_CACHE_DIR=str(tmp_path))
    assert list(tmp_path.rglob("*.nbi"))
