"""What full-size phantom images measure: texture, noise and grey values beside those of real CEM pairs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from benchmarks.phantoms import (
    LONG_SIDE_MM,
    central_range,
    display_range,
    measure_real,
    measure_view,
    relative_noise,
    spectral_slope,
)
from simulation.phantom import LesionPlan, PhantomView, PlannedLesion, phantom_patient
from simulation.phantom.anatomy import GLANDULAR_FRACTION, draw_breast
from simulation.phantom.fields import FieldGrid, draw_curves

# `OMP_NUM_THREADS=1 python -m benchmarks.phantoms`: 2.5th and 97.5th percentile of the real pairs, the wider of
# cem-pairs-1024 (n = 6) and cdd-cesm-512 (n = 120).
REAL_SLOPE = (0.987, 3.085)
REAL_NOISE = (0.008, 0.072)
SHARED = Path(os.environ.get("CEM_SHARED_DATA", "../shared/data"))


@pytest.fixture(scope="module")
def full_views() -> list[PhantomView]:
    """CC and MLO views of both sites that hold every density class."""
    seeds = [next(s for s in range(100, 200) if draw_breast(s).density_class == wanted) for wanted in "abcd"]
    return [
        view
        for number, seed in enumerate(seeds)
        for site in ("A", "B")
        for view in phantom_patient(seed=seed, site=site, size="full", views=(("L", ("CC", "MLO")[number % 2]),))
    ]


@pytest.mark.parametrize("exponent", [2.0, 3.0])
def test_the_slope_of_a_field_of_known_slope_is_found(exponent: float) -> None:
    grid = FieldGrid((600, 600), 0.1)
    field = grid.power_law(np.random.default_rng(1), exponent=exponent, corner_lp_mm=0.02)
    slope, windows = spectral_slope(field, np.ones(field.shape, bool), 0.1)
    assert slope == pytest.approx(exponent, abs=0.25)
    assert windows == 9


def test_relative_noise_grows_with_noise_and_not_with_shading() -> None:
    rng = np.random.default_rng(2)
    ramp = np.tile(np.linspace(0, 1000, 200), (200, 1))
    area = np.ones(ramp.shape, bool)
    quiet, loud = (ramp + rng.normal(0, sigma, ramp.shape) for sigma in (5, 20))
    assert relative_noise(ramp, area) < 1e-3
    assert relative_noise(loud, area) > 3 * relative_noise(quiet, area)


def test_steered_structures_run_along_their_direction() -> None:
    grid = FieldGrid((256, 256), 0.2)
    for angle in (0.0, np.pi / 3, np.pi / 2):
        direction = np.full((256, 256), np.exp(1j * angle), np.complex64)
        field = grid.steered(np.random.default_rng(3), wavelength_mm=4, direction=direction)
        down, right = np.gradient(field)
        along = np.mean((right * np.cos(angle) + down * np.sin(angle)) ** 2)
        across = np.mean((down * np.cos(angle) - right * np.sin(angle)) ** 2)
        assert across > 4 * along


def test_a_drawn_curve_has_its_height_on_the_axis() -> None:
    points = np.array([[10.0, 20.5], [90.0, 20.5]])
    drawn = draw_curves((41, 100), [(points, np.ones(2))], width_px=5)
    assert drawn[20, 50] == pytest.approx(1, abs=0.05)
    assert drawn[20 + 8, 50] < 0.01


@pytest.mark.slow
def test_low_energy_texture_has_the_slope_of_mammograms(full_views) -> None:
    for view in full_views:
        assert 2.7 <= measure_view(view, LONG_SIDE_MM / 1024).low_energy_slope <= 3.4


@pytest.mark.slow
@pytest.mark.parametrize("long_side_px", [1024, 512])
def test_recombined_slope_and_noise_lie_in_the_range_of_real_pairs(full_views, long_side_px: int) -> None:
    for view in full_views:
        measured = measure_view(view, LONG_SIDE_MM / long_side_px)
        assert REAL_SLOPE[0] <= measured.slope <= REAL_SLOPE[1]
        assert REAL_NOISE[0] <= measured.noise <= REAL_NOISE[1]


@pytest.mark.slow
def test_the_recorded_range_is_that_of_the_real_pairs() -> None:
    found = [values for values in measure_real(SHARED).values() if values]
    if len(found) < 2:
        pytest.skip("no real CEM pairs: CEM_SHARED_DATA names no folder with cem-pairs-1024 and cdd-cesm-512")
    for name, recorded in (("slope", REAL_SLOPE), ("noise", REAL_NOISE)):
        ranges = [central_range([getattr(one, name) for one in values]) for values in found]
        assert min(low for low, _ in ranges) == pytest.approx(recorded[0], abs=0.02)
        assert max(high for _, high in ranges) == pytest.approx(recorded[1], abs=0.02)


@pytest.mark.slow
def test_breast_pixels_fill_four_fifths_of_the_display_range(full_views) -> None:
    for view in full_views:
        assert display_range(view) >= 0.8
        values = view.pair.low_energy[view.truth.breast]
        assert (values > 0.97 * 4095).mean() < 0.03


@pytest.mark.slow
def test_the_recombined_skin_does_not_shine(full_views) -> None:
    for view in full_views:
        depth = ndimage.distance_transform_edt(np.pad(view.truth.breast, ((1, 1), (1, 1)), mode="edge"))[1:-1, 1:-1]
        rim = (depth > 0) & (depth <= 15)
        below = (depth > 25) & (depth <= 60)
        values = view.pair.recombined.astype(float)
        assert np.median(values[rim]) < np.median(values[below]) + values[below].std()


@pytest.mark.slow
def test_denser_classes_attenuate_more() -> None:
    share = {}
    for wanted in GLANDULAR_FRACTION:
        seeds = [s for s in range(100, 160) if draw_breast(s).density_class == wanted][:3]
        views = [phantom_patient(seed=s, size="test", views=(("L", "CC"),))[0] for s in seeds]
        # bright tissue by the same rule in each: above the middle between fat and the brightest tenth
        share[wanted] = np.mean([_bright(view) for view in views])
    assert share["a"] < share["b"] < share["d"]
    assert share["a"] < share["c"]


def _bright(view: PhantomView) -> float:
    values = view.pair.low_energy[view.truth.breast].astype(float)
    low, high = np.percentile(values, (2, 98))
    return float((values > (low + high) / 2).mean())


@pytest.mark.slow
def test_malignant_masses_are_rougher_than_benign_ones() -> None:
    roughness: dict[str, list[float]] = {"benign": [], "malignant": []}
    for grade, values in roughness.items():
        for seed in range(12):
            plan = LesionPlan((PlannedLesion("mass", grade, "L"),))
            view = phantom_patient(seed=seed, size="small", lesions=plan, views=(("L", "CC"),))[0]
            mask = view.truth.lesions
            border = mask & ~ndimage.binary_erosion(mask)
            values.append(float(border.sum() / np.sqrt(mask.sum())))
    assert np.median(roughness["malignant"]) > 1.15 * np.median(roughness["benign"])
