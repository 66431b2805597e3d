"""Insertion against the oracle: the same calcifications ray-traced through the phantom's whole chain."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.insertion_oracle import (
    BOUNDS,
    Trial,
    draw_particles,
    insert_directly,
    noise_calibration,
    null_half_width,
    peaks,
    pixel_size_bug,
    run,
    trial,
)
from simulation.calibration import Calibration
from simulation.phantom.anatomy import Outline
from simulation.phantom.fields import FieldGrid
from simulation.phantom.patient import VENDOR, Site
from simulation.phantom.ray_traced import Scene, ray_traced
from simulation.phantom.tissue import Tissue
from simulation.vendor import PROFILES


def slab(site: Site, shape: tuple[int, int] = (560, 560)) -> Scene:
    """Textured tissue of even thickness between the plates: quick to make, with full-size pixels."""
    texture = FieldGrid(shape, 0.1).power_law(np.random.default_rng(4), exponent=3.1, corner_lp_mm=0.05)
    form = Outline(
        np.ones(shape, bool),
        np.full(shape, 50.0, np.float32),
        np.full(shape, 5.0, np.float32),
        np.zeros(shape, np.float32),
        (float(shape[1]), shape[0] / 2),
        shape[0] / 2,
    )
    filling = Tissue(np.clip(1.5 + 0.3 * texture, 0, 5).astype(np.float32), np.zeros(shape, np.float32))
    return Scene(form, filling, PROFILES[VENDOR[site]], 0.1, 1)


@pytest.fixture(scope="module", params=["A", "B"])
def done(request: pytest.FixtureRequest) -> Trial:
    scene = slab(request.param)
    particles = draw_particles(scene, 40, np.random.default_rng(2))
    return Trial(scene, scene.low_energy(), ray_traced(scene, particles, packing=1.0), particles)


def peak_errors(done: Trial, direct: np.ndarray) -> np.ndarray:
    return np.abs(peaks(direct, done) / peaks(done.traced, done) - 1)


def known(done: Trial) -> Calibration:
    return Calibration("lut", float(done.scene.profile.display_width or 0))


def test_equal_exposures_differ_only_where_calcifications_are(done: Trial) -> None:
    assert (done.scene.low_energy() == done.host).all()
    assert (ray_traced(done.scene, [], packing=0.6) == done.host).all()
    assert (done.traced != done.host).any()


@pytest.mark.parametrize("kind", ["lut", "noise"])
def test_direct_insertion_equals_the_ray_traced_image(done: Trial, kind: str) -> None:
    calibration = known(done) if kind == "lut" else noise_calibration(done, 0)
    errors = peak_errors(done, insert_directly(done, done.scene.profile, calibration, noise=False))
    assert len(errors) > 20
    assert np.median(errors) < BOUNDS[kind][0]
    assert np.percentile(errors, 95) < BOUNDS[kind][1]


def test_a_wrong_pixel_size_is_noticed(done: Trial) -> None:
    direct = insert_directly(done, pixel_size_bug(done.scene.profile), known(done), noise=False)
    assert np.median(peak_errors(done, direct)) > 0.15


def test_the_null_band_is_that_of_the_rank_statistic() -> None:
    assert null_half_width(600) == pytest.approx(0.0327, abs=1e-4)


@pytest.mark.slow
def test_on_full_size_phantoms_of_both_sites_the_bounds_hold() -> None:
    errors: dict[str, list[np.ndarray]] = {"lut": [], "noise": []}
    for index in (0, 3):
        done = trial(index, 52)
        for kind, calibration in (("lut", known(done)), ("noise", noise_calibration(done, index))):
            inserted = insert_directly(done, done.scene.profile, calibration, noise=False)
            errors[kind].append(peak_errors(done, inserted))
    for kind, parts in errors.items():
        together = np.concatenate(parts)
        assert len(together) == 208
        assert np.median(together) <= BOUNDS[kind][0]
        assert np.percentile(together, 95) <= BOUNDS[kind][1]


@pytest.mark.slow
def test_classifiers_do_not_tell_inserted_from_ray_traced_spots() -> None:
    result = run(5, 20)
    band = null_half_width(result["a_side"])
    for kind in BOUNDS:
        # folds of few images make the classifiers noisier than the rank statistic alone
        assert all(abs(auc - 0.5) < 2 * band for auc in result["rows"][kind]["auc"].values())
    assert result["rows"]["lut"]["ks"] < 0.05
    assert result["rows"]["pixel size wrong"]["ks"] > result["rows"]["lut"]["ks"]
