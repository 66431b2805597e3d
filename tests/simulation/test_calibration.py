"""How log attenuation becomes grey values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft, ndimage

from simulation.calibration import calibrate, expected_noise
from simulation.contrast_to_noise import contrast_to_noise, local_noise, typical_contrast_to_noise
from simulation.errors import InvalidSettings
from simulation.vendor import PROFILES

ESSENTIAL = PROFILES["ge-essential"]


def quantum_noise(width: float, shape: tuple[int, int] = (900, 700), texture: float = 0.0) -> np.ndarray:
    """A flat image of pure, correctly shaped quantum noise behind a display curve of the given width."""
    rng = np.random.default_rng(2)
    white = rng.standard_normal(shape) / np.sqrt(ESSENTIAL.quanta)
    noise = fft.irfft2(fft.rfft2(white) * ESSENTIAL.response(shape, 0.1) ** 0.6, s=shape)
    noise = noise + texture * (rng.random(shape) > 0.997) * (np.arange(shape[1]) % 200 < 120)
    noise = noise + ESSENTIAL.enhancement_gain * (noise - ndimage.gaussian_filter(noise, 20))
    return np.rint(4095 / (1 + np.exp(-noise / width))).astype(np.uint16)


@pytest.mark.parametrize("width", [0.12, 0.24, 0.45])
def test_the_width_of_a_display_curve_is_found_from_the_noise(width: float) -> None:
    image = quantum_noise(width)
    found = calibrate(image, np.ones(image.shape, bool), 4095, ESSENTIAL, 0.1, kind="auto")
    assert found.kind == "noise"
    assert found.width == pytest.approx(width, rel=0.03)
    assert found.expected == pytest.approx(expected_noise(ESSENTIAL, 0.1), rel=0.1)


def test_texture_in_half_of_the_breast_does_not_mislead_the_noise() -> None:
    image = quantum_noise(0.24, texture=0.3)
    found = calibrate(image, np.ones(image.shape, bool), 4095, ESSENTIAL, 0.1, kind="noise")
    assert found.width == pytest.approx(0.24, rel=0.1)


def test_the_thin_margin_of_the_breast_does_not_mislead_the_noise() -> None:
    """Behind the margin there are more quanta; only the fully compressed part is measured."""
    image = quantum_noise(0.24)
    breast = np.zeros(image.shape, bool)
    breast[60:-60, :600] = True
    calm = np.rint(2048 + 0.3 * (image.astype(float) - 2048)).astype(np.uint16)
    edge = breast & (ndimage.distance_transform_edt(np.pad(breast, ((0, 0), (1, 0)), mode="edge"))[:, 1:] < 200)
    image = np.where(edge, calm, np.where(breast, image, 0))
    found = calibrate(image, breast, 4095, ESSENTIAL, 0.1, kind="noise")
    assert found.width == pytest.approx(0.24, rel=0.05)


def test_coarse_pixels_are_calibrated_on_the_anatomy() -> None:
    rng = np.random.default_rng(2)
    image = np.clip(np.rint(2000 + 600 * rng.standard_normal((200, 200))), 1, 4094).astype(np.uint16)
    found = calibrate(image, np.ones((200, 200), bool), 4095, ESSENTIAL, 0.8, kind="auto")
    assert found.kind == "anatomy"
    assert "0.2 mm" in found.reason


def test_known_display_curves_are_taken_unless_the_values_were_windowed_to_8_bit() -> None:
    image, breast = quantum_noise(0.24), np.ones((900, 700), bool)
    known = PROFILES["phantom-a"]
    assert calibrate(image, breast, 4095, known, 0.1, kind="auto").kind == "lut"
    windowed = (image // 16).astype(np.uint8)
    assert calibrate(windowed, breast, 255, known, 0.1, kind="auto").kind != "lut"
    with pytest.raises(ValueError, match="8-bit"):
        calibrate(windowed, breast, 255, known, 0.1, kind="lut")
    with pytest.raises(ValueError, match="no display curve"):
        calibrate(image, breast, 4095, ESSENTIAL, 0.1, kind="lut")


@pytest.mark.parametrize("target", [2.0, 4.0, 9.0])
def test_match_reaches_the_contrast_of_real_calcifications(target: float) -> None:
    image = quantum_noise(0.24)
    found = calibrate(image, np.ones(image.shape, bool), 4095, ESSENTIAL, 0.1, kind="match", target=target)
    assert found.kind == "match"
    assert found.measured == pytest.approx(target, rel=0.02)
    assert found.expected == target


def test_match_recovers_the_display_curve_under_which_the_real_ones_were_measured() -> None:
    image, breast = quantum_noise(0.24), np.ones((900, 700), bool)
    first = calibrate(image, breast, 4095, ESSENTIAL, 0.1, kind="match", target=4.0)
    other = quantum_noise(0.48)
    second = calibrate(other, breast, 4095, ESSENTIAL, 0.1, kind="match", target=4.0)
    # twice the width halves noise and contrast alike
    assert second.width == pytest.approx(2 * first.width, rel=0.05)


def test_auto_prefers_real_calcifications_to_the_noise() -> None:
    image, breast = quantum_noise(0.24), np.ones((900, 700), bool)
    assert calibrate(image, breast, 4095, ESSENTIAL, 0.1, kind="auto", target=4.0).kind == "match"
    with pytest.raises(ValueError, match="target_contrast_to_noise"):
        calibrate(image, breast, 4095, ESSENTIAL, 0.1, kind="match")


def test_the_target_is_the_median_of_enough_measured_calcifications() -> None:
    assert typical_contrast_to_noise([1.0] * 5 + [3.0] * 6) == 3.0
    with pytest.raises(InvalidSettings, match="at least 10"):
        typical_contrast_to_noise([3.0] * 9)
    with pytest.raises(InvalidSettings, match="finite"):
        typical_contrast_to_noise([float("nan")] * 10)


def test_contrast_to_noise_of_a_spot_is_its_height_over_the_noise() -> None:
    rng = np.random.default_rng(1)
    image = 1000 + 10 * rng.standard_normal((81, 81))
    assert abs(contrast_to_noise(image, 40.5, 40.5, 0.1)) < 1
    image[39:42, 39:42] += 200
    assert contrast_to_noise(image, 40.5, 40.5, 0.1) == pytest.approx(20, rel=0.1)
    with pytest.raises(ValueError, match="beyond the image"):
        contrast_to_noise(image, 3.0, 40.0, 0.1)


def test_local_noise_ignores_a_slope() -> None:
    rng = np.random.default_rng(1)
    noise, inner = 10 * rng.standard_normal((80, 80)), np.zeros((80, 80), bool)
    inner[10:-10, 10:-10] = True
    slope = np.arange(80)[None] * 30.0
    assert local_noise(noise + slope, 0.1, inner) == pytest.approx(local_noise(noise, 0.1, inner), rel=0.01)
    assert local_noise(noise, 0.1, inner) == pytest.approx(10, rel=0.1)
