"""Insertion as if ray-traced: template, display curve, limits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.calcification import Calcification, render
from simulation.calibration import Calibration
from simulation.display_curve import to_grey, to_logit
from simulation.insertion import insert_calcifications, insert_within_limits
from simulation.template import log_template
from simulation.vendor import PROFILES, profile_of
from tests.simulation.solid_balls import solid_ball

A = PROFILES["phantom-a"]
LUT = Calibration("lut", 0.24)


def particles(
    count: int = 12, spread: float = 60.0, centre: tuple[float, float] = (150.0, 150.0)
) -> list[Calcification]:
    rng = np.random.default_rng(5)
    return [
        solid_ball(
            centre[0] + float(rng.uniform(-spread, spread)),
            centre[1] + float(rng.uniform(-spread, spread)),
            float(rng.uniform(0.3, 0.6)),
            density=0.8,
        )
        for _ in range(count)
    ]


def noisy(mean: float = 2000.0, spread: float = 150.0, shape: tuple[int, int] = (400, 400)) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.rint(mean + spread * rng.standard_normal(shape)).astype(np.uint16)


def insert(image: np.ndarray, packing: float = 0.6, maximum: int = 4095, **changes: object):  # type: ignore[no-untyped-def]
    arguments = {
        "maximum": maximum,
        "profile": A,
        "spacing_mm": 0.1,
        "packing": packing,
        "calibration": LUT,
        "rng": np.random.default_rng(0),
    } | changes
    return insert_calcifications(image, particles(12, 40.0, (200.0, 200.0)), **arguments)  # type: ignore[arg-type]


@given(st.integers(1, 4094))
def test_the_display_curve_has_an_exact_inverse(value: int) -> None:
    assert to_grey(to_logit(np.array([value]), 4095), 4095) == pytest.approx(value, abs=0.01)


def test_without_blur_scatter_and_enhancement_the_template_is_the_attenuation() -> None:
    ideal = dataclasses.replace(
        A, mtf=(0.9999, 0.9998, 0.9997), pixel_mm=1e-6, scatter_to_primary=0.0, enhancement_gain=0.0
    )
    layer = render(particles(), (300, 300), spacing_mm=0.1, attenuation_per_mm=1.0)
    template = log_template(layer, ideal, 0.1, rng=None)
    assert np.abs(template - layer.tau).max() < 0.005


def test_scatter_and_blur_weaken_the_peak() -> None:
    plain = dataclasses.replace(A, enhancement_gain=0.0)
    layer = render(particles(), (300, 300), spacing_mm=0.1, attenuation_per_mm=1.0)
    template = log_template(layer, plain, 0.1, rng=None)
    assert template.max() < layer.tau.max() / 1.15


def test_the_aperture_of_the_pixel_acts_once() -> None:
    """Pixels are averages already: what the detector adds is its MTF without the aperture."""
    shape = (128, 128)
    f = 40 / 128 / 0.1  # lp/mm along one axis
    aperture = np.sin(np.pi * f * 0.1) / (np.pi * f * 0.1)
    assert A.blur(shape, 0.1)[40, 0] * aperture == pytest.approx(A.response(shape, 0.1)[40, 0], rel=1e-5)


def test_pixels_outside_the_region_are_the_same_and_the_halo_is_the_enhancement() -> None:
    host = np.full((400, 400), 2000, np.uint16)
    made = insert(host, noise_consistency=False)
    outside = np.ones(host.shape, bool)
    row0, row1, column0, column1 = made.region
    outside[row0:row1, column0:column1] = False
    assert outside.any()
    assert (made.image[outside] == 2000).all()
    assert made.image[made.support].mean() > 2050
    assert made.clipped_fraction == 0
    assert abs(made.mean_shift) < 0.15
    assert made.halo_shift < 0
    plain = insert(host, profile=dataclasses.replace(A, enhancement_gain=0.0), noise_consistency=False)
    assert abs(plain.halo_shift) < 0.02


@pytest.mark.parametrize("maximum", [255, 4095, 65535])
def test_zero_packing_goes_through_every_step_and_changes_nothing(maximum: int) -> None:
    host = noisy(maximum / 2, maximum / 27).astype(np.uint8 if maximum == 255 else np.uint16)
    off, on = insert(host, packing=0.0, maximum=maximum), insert(host, maximum=maximum)
    assert (off.image == host).all()
    assert (off.support == on.support).all()
    assert (on.image != host).any()


def test_the_weakened_beam_is_noisier() -> None:
    host = np.full((400, 400), 2000, np.uint16)
    calm, noised = insert(host, noise_consistency=False), insert(host)
    difference = noised.image.astype(float) - calm.image
    assert difference[noised.support].std() > 3 * difference[~noised.support].std()


def test_too_strong_clusters_are_made_of_less_dense_calcifications() -> None:
    host = noisy(spread=40.0)
    assert insert(host).shortcoming == "insertion too strong against the local noise"
    milder = insert_within_limits(
        host,
        particles(12, 40.0, (200.0, 200.0)),
        maximum=4095,
        profile=A,
        spacing_mm=0.1,
        packing=0.6,
        calibration=LUT,
        rng=np.random.default_rng(0),
    )
    assert milder.packing < 0.6
    assert milder.shortcoming is None


@pytest.mark.parametrize(("level", "fits"), [(4086.0, True), (4093.0, False)])
def test_saturating_clusters_get_less_packing_or_are_refused(level: float, fits: bool) -> None:
    host = np.minimum(noisy(mean=level, spread=1.0), 4094)
    made = insert_within_limits(
        host,
        particles(12, 40.0, (200.0, 200.0)),
        maximum=4095,
        profile=A,
        spacing_mm=0.1,
        packing=0.8,
        calibration=LUT,
        rng=np.random.default_rng(0),
    )
    assert made.packing < 0.8
    assert (made.clipped_fraction <= 0.005) is fits
    assert fits or made.shortcoming == "insertion saturates"
    assert made.image.max() <= 4094


def test_faint_clusters_are_refused() -> None:
    assert insert(noisy(spread=300.0), packing=0.1).shortcoming == "insertion too faint against the local noise"


def test_air_and_the_zeros_around_the_breast_stay_zero() -> None:
    host = noisy()
    host[:, 260:] = 0
    made = insert(host)
    assert (made.image[:, 260:] == 0).all()


def test_unknown_vendors_have_a_profile_that_says_so() -> None:
    assert profile_of("acme").key == "unknown"
    assert profile_of("acme").assumed
