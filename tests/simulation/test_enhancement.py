"""Enhancement in the recombined image."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from simulation.enhancement import ContrastDistribution, enhance, measure_contrast, ring
from simulation.errors import InvalidSettings


def noisy_image(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shading = 40 * np.sin(np.arange(200) / 40)[None]
    return np.rint(2000 + shading + 30 * rng.standard_normal((200, 200))).astype(np.uint16)


def disc(radius: int = 30) -> np.ndarray:
    y, x = np.ogrid[:200, :200]
    return (x - 100) ** 2 + (y - 100) ** 2 <= radius**2


def fine_noise(image: np.ndarray, inside: np.ndarray) -> float:
    plain = image.astype(float)
    return float((plain - ndimage.gaussian_filter(plain, 1.5))[inside].std())


@pytest.mark.parametrize("contrast", [0.97, 1.0, 1.05, 1.2])
def test_gain_blend_reaches_the_contrast_and_keeps_the_noise(contrast) -> None:
    image, mask = noisy_image(), disc()
    done = enhance(image, mask, contrast, maximum=4095, sigma_px=5, blend="gain", rng=np.random.default_rng(1))
    assert done.realised == pytest.approx(contrast, abs=0.004)
    assert np.median(done.image[mask]) / np.median(image[mask]) == pytest.approx(contrast, abs=0.004)
    inner = ndimage.binary_erosion(mask, iterations=4)
    assert 0.9 < fine_noise(done.image, inner) / fine_noise(image, inner) < 1.1


def test_the_literal_blend_removes_the_noise_as_the_warning_says() -> None:
    image, mask = noisy_image(), disc()
    done = enhance(image, mask, 1.05, maximum=4095, sigma_px=5, blend="s000", rng=np.random.default_rng(1))
    inner = ndimage.binary_erosion(mask, iterations=4)
    assert fine_noise(done.image, inner) / fine_noise(image, inner) < 0.2
    assert np.array_equal(done.image[~mask], image[~mask])


@pytest.mark.parametrize("radius", [4, 8, 15])
def test_small_lesions_reach_the_contrast_in_spite_of_the_soft_edge(radius) -> None:
    done = enhance(
        noisy_image(), disc(radius), 1.08, maximum=4095, sigma_px=5, blend="gain", rng=np.random.default_rng(1)
    )
    assert done.realised == pytest.approx(1.08, abs=0.015)


def test_far_pixels_are_bit_identical() -> None:
    image, mask = noisy_image(), disc(20)
    done = enhance(image, mask, 1.1, maximum=4095, sigma_px=3, blend="gain", rng=np.random.default_rng(1))
    far = ndimage.distance_transform_edt(~mask) > 24
    assert np.array_equal(done.image[far], image[far])


def test_measured_contrast_is_lesion_over_ring() -> None:
    image = np.full((200, 200), 1000, np.uint16)
    image[disc()] = 1100
    assert measure_contrast(image, disc()) == pytest.approx(1.1)
    around = ring(disc())
    assert not (around & disc()).any()
    # twice-dilated minus once-dilated: the ring leaves a gap of one dilation
    assert ndimage.distance_transform_edt(~disc())[around].min() > 8


def test_air_in_the_ring_does_not_count() -> None:
    image = np.full((200, 200), 1000, np.uint16)
    image[:, 120:] = 0
    image[disc(18)] = 1100
    assert measure_contrast(image, disc(18)) == pytest.approx(1.1)


def test_contrast_without_tissue_around_is_an_error_not_a_number() -> None:
    image = np.where(disc(), 900, 0).astype(np.uint16)
    with pytest.raises(ValueError, match="no tissue"):
        measure_contrast(image, disc())
    with pytest.raises(ValueError, match="empty"):
        measure_contrast(image, np.zeros_like(disc()))


@given(st.lists(st.floats(0.5, 2.0), min_size=3, max_size=30), st.sampled_from(["benign", "malignant"]))
@settings(max_examples=50, deadline=None)
def test_fitted_distributions_survive_json_and_sample_alike(values, malignancy) -> None:
    fitted = ContrastDistribution.fit(values, malignancy)
    back = ContrastDistribution.from_json(json.loads(json.dumps(fitted.to_json())))
    assert back == fitted
    one, two = np.random.default_rng(3), np.random.default_rng(3)
    assert fitted.sample(one) == back.sample(two) > 0


def test_samples_follow_the_measured_values() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(1.08, 0.02, 60)
    fitted = ContrastDistribution.fit(values, "malignant")
    drawn = np.array([fitted.sample(rng) for _ in range(4000)])
    assert drawn.mean() == pytest.approx(values.mean(), abs=0.003)
    assert drawn.std() == pytest.approx(values.std(), rel=0.25)


def test_the_prior_enhances_malignant_clusters_far_more_often() -> None:
    rng = np.random.default_rng(0)
    share = {}
    for grade in ("benign", "malignant"):
        prior = ContrastDistribution.prior(grade)
        assert prior.is_prior
        share[grade] = np.mean([prior.sample(rng) > 1.03 for _ in range(2000)])
    assert share["malignant"] > 0.6
    assert share["benign"] < 0.1


@pytest.mark.parametrize("values", [[], [1.0, 1.1], [1.0, 1.1, -1.0], [1.0, 1.1, float("nan")]])
def test_too_few_or_impossible_values_are_refused(values) -> None:
    with pytest.raises(InvalidSettings):
        ContrastDistribution.fit(values, "benign")


def test_a_foreign_file_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="schema"):
        ContrastDistribution.from_json({"schema": "else", "malignancy": "benign"})
