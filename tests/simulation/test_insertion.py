"""Insertion as if ray-traced."""

from __future__ import annotations

import numpy as np
import pytest

from simulation.calcification import Calcification, render
from simulation.insertion import (
    Calibration,
    calibrate,
    expected_noise,
    insert_calcifications,
    local_noise,
    log_template,
)
from simulation.phantom.acquisition import expose
from simulation.phantom.anatomy import Tissue, draw_breast, outline, tissue
from simulation.phantom.presentation import MAXIMUM, low_energy_image
from simulation.vendor import PROFILES, profile_of

A = PROFILES["phantom-a"]


def particles(
    count: int = 12, spread: float = 60.0, centre: tuple[float, float] = (150.0, 150.0)
) -> list[Calcification]:
    rng = np.random.default_rng(5)
    return [
        Calcification(
            centre[0] + float(rng.uniform(-spread, spread)),
            centre[1] + float(rng.uniform(-spread, spread)),
            "punctate",
            float(rng.uniform(0.3, 0.6)),
            1.2,
            0.3,
            0.8,
            1.0,
            (),
        )
        for _ in range(count)
    ]


def test_direct_insertion_equals_the_same_calcifications_in_the_raw_acquisition() -> None:
    """Oracle: put the calcifications into the phantom's attenuation and process both images alike."""
    spacing, shape = 0.15, (1500, 900)
    breast = draw_breast(3)
    form = outline(breast, "CC", shape, spacing)
    filling: Tissue = tissue(breast, form, "CC", spacing, seed=3, side="L")
    inside = particles(centre=(250.0, 750.0))
    attenuation = 0.6 * A.hydroxyapatite_low
    layer = render(inside, shape, spacing_mm=spacing, attenuation_per_mm=attenuation)
    bare = expose(filling, form.thickness_cm, np.zeros(shape, np.float32), A, spacing, seed=1)
    ill = expose(filling, form.thickness_cm, layer.tau, A, spacing, seed=1)
    host = low_energy_image(bare, form, A, spacing)
    truth = low_energy_image(ill, form, A, spacing).astype(float)
    made = insert_calcifications(
        host,
        inside,
        maximum=MAXIMUM,
        profile=A,
        spacing_mm=spacing,
        packing=0.6,
        calibration=Calibration("lut", A.display_width or 0.0),
        rng=np.random.default_rng(0),
        noise_consistency=False,
    )
    direct, traced = made.image.astype(float) - host, truth - host
    peaks = []
    for particle in inside:
        patch = (slice(int(particle.y) - 3, int(particle.y) + 4), slice(int(particle.x) - 3, int(particle.x) + 4))
        peaks.append(direct[patch].max() / traced[patch].max() - 1)
    assert abs(np.median(peaks)) < 0.02
    assert np.percentile(np.abs(peaks), 95) < 0.06


def test_without_blur_scatter_and_enhancement_the_template_is_the_attenuation() -> None:
    import dataclasses

    ideal = dataclasses.replace(A, mtf=(0.9999, 0.9998, 0.9997), scatter_to_primary=0.0, enhancement_gain=0.0)
    layer = render(particles(), (300, 300), spacing_mm=0.1, attenuation_per_mm=1.0)
    template = log_template(layer, ideal, 0.1, rng=None)
    assert np.abs(template - layer.tau).max() < 0.005


def test_scatter_and_blur_weaken_the_peak() -> None:
    import dataclasses

    plain = dataclasses.replace(A, enhancement_gain=0.0)
    layer = render(particles(), (300, 300), spacing_mm=0.1, attenuation_per_mm=1.0)
    template = log_template(layer, plain, 0.1, rng=None)
    assert template.max() < layer.tau.max() / 1.15


def test_pixels_outside_the_region_are_the_same_and_rounding_is_unbiased() -> None:
    host = np.full((400, 400), 2000, np.uint16)
    made = insert_calcifications(
        host,
        particles(6, 20.0, (200.0, 200.0)),
        maximum=4095,
        profile=A,
        spacing_mm=0.1,
        packing=0.6,
        calibration=Calibration("lut", 0.2),
        rng=np.random.default_rng(0),
    )
    outside = np.ones(host.shape, bool)
    row0, row1, column0, column1 = made.region
    outside[row0:row1, column0:column1] = False
    assert outside.any()
    assert (made.image[outside] == 2000).all()
    assert made.image[made.support].mean() > 2050
    assert made.clipped_fraction == 0


def test_the_width_of_a_display_curve_is_found_from_the_noise() -> None:
    """A flat image of pure, correctly shaped quantum noise shows its own display width."""
    from scipy import fft

    rng = np.random.default_rng(2)
    shape, width = (512, 512), 0.2
    profile = PROFILES["ge-essential"]
    response = profile.response(shape, 0.1) ** 0.6
    white = rng.standard_normal(shape) / np.sqrt(profile.quanta)
    noise = fft.irfft2(fft.rfft2(white) * response, s=shape)
    from scipy import ndimage

    noise = noise + profile.enhancement_gain * (noise - ndimage.gaussian_filter(noise, 20))
    image = np.rint(4095 / (1 + np.exp(-noise / width))).astype(np.uint16)
    found = calibrate(image, np.ones(shape, bool), 4095, profile, 0.1, kind="auto")
    assert found.kind == "noise"
    assert found.width == pytest.approx(width, rel=0.15)
    assert found.expected == pytest.approx(expected_noise(profile, 0.1))


def test_coarse_pixels_are_calibrated_on_the_anatomy() -> None:
    rng = np.random.default_rng(2)
    image = np.clip(np.rint(2000 + 600 * rng.standard_normal((200, 200))), 1, 4094).astype(np.uint16)
    found = calibrate(image, np.ones((200, 200), bool), 4095, PROFILES["ge-essential"], 0.8, kind="auto")
    assert found.kind == "anatomy"
    assert "0.2 mm" in found.reason


def test_local_noise_ignores_a_slope() -> None:
    rng = np.random.default_rng(1)
    noise = 10 * rng.standard_normal((80, 80))
    slope = np.arange(80)[None] * 30.0
    assert local_noise(noise + slope) == pytest.approx(local_noise(noise), rel=0.05)


def test_unknown_vendors_have_a_profile_that_says_so() -> None:
    assert profile_of("acme").key == "unknown"
    assert profile_of("acme").assumed
