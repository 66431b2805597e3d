"""Statistics of the realism measures against independent oracles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, stats
from sklearn.metrics import roc_auc_score

from simulation.realism.classifier_test import auc, classifier_test, null_half_width, shortcut_tests
from simulation.realism.gabor import response_kurtosis
from simulation.realism.power_spectrum import power_law_slope
from simulation.realism.radiomic_distance import (
    coverage,
    frechet_distance,
    frechet_distance_of_gaussians,
    radiomic_distance,
)
from simulation.realism.shortcuts import SHORTCUTS, shortcut_features
from simulation.realism.statistics import Sample, compare, ks_distance

numbers = st.lists(st.integers(-5, 5).map(float), min_size=3, max_size=40)


def patients(count: int, each: int) -> list[str]:
    return [f"p{i}" for i in range(count) for _ in range(each)]


def grouped(rng: np.random.Generator, count: int, each: int, shift: float = 0.0, within: float = 1.0) -> Sample:
    """Values that vary between patients more than within one."""
    level = np.repeat(rng.standard_normal(count), each)
    return Sample.of(shift + level + within * rng.standard_normal(count * each), patients(count, each))


@given(numbers, numbers)
@settings(max_examples=100, deadline=None)
def test_distances_and_auc_equal_those_of_scipy_and_scikit_learn(one, two) -> None:
    a, b = np.array(one), np.array(two)
    assert ks_distance(a, b) == pytest.approx(stats.ks_2samp(a, b, method="asymp").statistic)
    labels = np.repeat([0, 1], [len(a), len(b)])
    assert auc(a, b) == pytest.approx(roc_auc_score(labels, np.concatenate([a, b])))


def test_a_comparison_gives_scipy_s_numbers_and_an_interval_around_them() -> None:
    rng = np.random.default_rng(0)
    real, synthetic = grouped(rng, 20, 5), grouped(rng, 20, 5, shift=0.4)
    found = compare("x", real, synthetic, resamples=200)
    oracle = stats.ks_2samp(real.values, synthetic.values, method="asymp")
    assert found.ks.value == pytest.approx(oracle.statistic)
    assert found.p_naive == pytest.approx(oracle.pvalue)
    distance = stats.wasserstein_distance(real.values, synthetic.values) / real.values.std(ddof=1)
    assert found.wasserstein.value == pytest.approx(distance)
    assert found.ks.low <= found.ks.value <= found.ks.high + 0.05
    assert (found.real, found.real_patients) == (100, 20)


def test_equal_distributions_are_told_as_equal_although_patients_repeat_themselves() -> None:
    """The p by patient holds its level; the one for independent values is far too sure."""
    by_patient, naive = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = compare("x", grouped(rng, 10, 30, within=0.2), grouped(rng, 10, 30, within=0.2), resamples=60)
        by_patient.append(found.p)
        naive.append(found.p_naive)
    assert np.mean(np.array(by_patient) < 0.05) <= 0.15
    assert np.mean(np.array(naive) < 0.05) > 0.6


def test_a_shift_is_found() -> None:
    rng = np.random.default_rng(3)
    found = compare("x", grouped(rng, 30, 3), grouped(rng, 30, 3, shift=2.0), resamples=200)
    assert found.p < 0.01
    assert found.wasserstein.low > 0.5


def test_values_that_cannot_be_compared_are_refused_or_left_out() -> None:
    real = Sample.of([1.0, float("nan"), 2.0], ["a", "b", "c"])
    assert real.size == 2
    with pytest.raises(ValueError, match="both are needed"):
        compare("x", real, Sample.of([], []))
    with pytest.raises(ValueError, match="do not vary"):
        compare("x", Sample.of([1.0, 1.0], ["a", "b"]), real)
    with pytest.raises(ValueError, match="patient"):
        Sample.of([1.0], ["a", "b"])


def test_frechet_distance_of_gaussians_in_closed_form() -> None:
    rng = np.random.default_rng(1)
    for _ in range(5):
        one, two = (m @ m.T + np.eye(6) for m in rng.standard_normal((2, 6, 6)))
        shift = rng.standard_normal(6)
        product = linalg.sqrtm(one @ two)
        expected = np.sqrt(shift @ shift + np.trace(one) + np.trace(two) - 2 * np.trace(product).real)
        assert frechet_distance_of_gaussians(np.zeros(6), one, shift, two) == pytest.approx(expected, rel=1e-6)
    # one dimension: (m1 - m2)^2 + (s1 - s2)^2
    found = frechet_distance_of_gaussians(np.array([1.0]), np.array([[4.0]]), np.array([4.0]), np.array([[36.0]]))
    assert found == pytest.approx(5.0)


def test_frechet_distance_of_large_samples_nears_that_of_their_distributions() -> None:
    rng = np.random.default_rng(2)
    one, two = rng.standard_normal((4000, 4)), 1 + 2 * rng.standard_normal((4000, 4))
    assert frechet_distance(one, two) == pytest.approx(np.sqrt(4 + 4), rel=0.05)


def radiomic(rng: np.random.Generator, count: int, *, shift: float = 0.0, features: int = 20) -> Sample:
    mixing = np.random.default_rng(99).standard_normal((features, features))
    return Sample.of(shift + rng.standard_normal((count, features)) @ mixing, patients(count // 2, 2))


def test_equal_textures_have_a_distance_ratio_of_one_and_nominal_coverage() -> None:
    rng = np.random.default_rng(4)
    real, synthetic = radiomic(rng, 120), radiomic(rng, 120)
    names = tuple(f"f{i}" for i in range(20))
    assert radiomic_distance(real, synthetic, splits=20).ratio.value == pytest.approx(1, abs=0.15)
    found = coverage(real, synthetic, names, resamples=50)
    assert found.median.value == pytest.approx(0.95, abs=0.04)
    assert found.reference == pytest.approx(0.95, abs=0.05)


def test_other_textures_are_far_and_not_covered() -> None:
    rng = np.random.default_rng(5)
    real, synthetic = radiomic(rng, 120), radiomic(rng, 60, shift=8.0)
    names = tuple(f"f{i}" for i in range(20))
    distance = radiomic_distance(real, synthetic, splits=20)
    assert distance.ratio.low > 1.5
    assert distance.lesions <= 60
    assert coverage(real, synthetic, names, resamples=50).median.high < 0.9


def test_features_that_do_not_vary_are_left_out() -> None:
    rng = np.random.default_rng(6)
    real, synthetic = radiomic(rng, 60), radiomic(rng, 60)
    real.values[:, 0] = synthetic.values[:, 0] = 7
    assert radiomic_distance(real, synthetic, splits=5).features == 19


def test_a_classifier_cannot_tell_equal_lesions_and_tells_others() -> None:
    rng = np.random.default_rng(7)
    equal = classifier_test("x", radiomic(rng, 100), radiomic(rng, 100), trees=60, resamples=100)
    assert 0.35 < equal.forest.value < 0.65
    assert 0.35 < equal.regression.value < 0.65
    assert 0.35 < equal.nearest.value < 0.65
    other = classifier_test("x", radiomic(rng, 100), radiomic(rng, 100, shift=6.0), trees=60, resamples=100)
    assert min(other.forest.low, other.regression.low, other.nearest.low) > 0.65


def test_the_interval_of_the_nearest_neighbour_goes_over_patients() -> None:
    """Ten equal lesions of each patient say no more than one of each."""
    rng = np.random.default_rng(11)

    def width(each: int) -> float:
        values = [np.repeat(side, each, axis=0) for side in (one, other)]
        sides = [Sample.of(rows, patients(30, each)) for rows in values]
        sides[1] = Sample.of(values[1], [f"s{name}" for name in patients(30, each)])
        found = classifier_test("x", *sides, trees=5, resamples=200).nearest
        return found.high - found.low

    one, other = rng.standard_normal((30, 3)), rng.standard_normal((30, 3))
    assert width(10) == pytest.approx(width(1), rel=0.25)


def test_a_classifier_that_knows_the_patient_gains_nothing() -> None:
    """Every patient has a signature; with patients split over folds it would be learnt as real or synthetic."""
    rng = np.random.default_rng(8)

    def side() -> Sample:
        signature = np.repeat(rng.standard_normal((12, 10)), 10, axis=0)
        return Sample.of(signature + 0.05 * rng.standard_normal((120, 10)), patients(12, 10))

    found = [classifier_test("x", side(), side(), trees=40, resamples=20, seed=seed).forest.value for seed in range(4)]
    assert np.mean(found) < 0.7


def test_the_null_band_holds_95_percent() -> None:
    rng = np.random.default_rng(9)
    found = [auc(rng.standard_normal(40), rng.standard_normal(60)) for _ in range(2000)]
    assert np.mean(np.abs(np.array(found) - 0.5) <= null_half_width(40, 60)) == pytest.approx(0.95, abs=0.015)
    # the figures of the specification
    assert null_half_width(600, 600) == pytest.approx(0.033, abs=0.001)


def test_one_patient_on_a_side_cannot_be_tested() -> None:
    rng = np.random.default_rng(10)
    lonely = Sample.of(rng.standard_normal((30, 3)), ["a"] * 30)
    with pytest.raises(ValueError, match="one patient"):
        classifier_test("x", lonely, lonely)
    with pytest.raises(ValueError, match="one real patient"):
        radiomic_distance(lonely, lonely)


@pytest.mark.parametrize("beta", [0.0, 2.0, 3.0])
def test_the_slope_of_a_power_law_field_is_found(beta) -> None:
    rng = np.random.default_rng(11)
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.rfftfreq(512)[None])
    frequency[0, 0] = 1
    found = []
    for _ in range(12):
        spectrum = np.fft.rfft2(rng.standard_normal((512, 512))) * frequency ** (-beta / 2)
        spectrum[0, 0] = 0
        found.append(power_law_slope(np.fft.irfft2(spectrum)[:256, :256], 0.1))
    assert np.mean(found) == pytest.approx(beta, abs=0.12)


def test_a_flat_or_tiny_patch_has_no_slope() -> None:
    assert np.isnan(power_law_slope(np.full((64, 64), 5), 0.1))
    assert np.isnan(power_law_slope(np.random.default_rng(0).random((16, 16)), 0.1))


def test_gabor_responses_of_gaussian_noise_have_no_long_tails_and_those_of_strands_do() -> None:
    rng = np.random.default_rng(12)
    noise = rng.standard_normal((256, 256))
    assert response_kurtosis(noise, 0.1) == pytest.approx([0, 0, 0], abs=0.5)
    strands = noise.copy()
    strands[:, 60:66] += 12
    assert min(response_kurtosis(strands, 0.1)) > 1


def disc() -> np.ndarray:
    y, x = np.ogrid[:200, :200]
    return (x - 100) ** 2 + (y - 100) ** 2 <= 30**2


def test_each_shortcut_is_seen_by_its_own_feature() -> None:
    rng = np.random.default_rng(13)
    plain, edited = [], []
    for _ in range(30):
        image = np.rint(2000 + 30 * rng.standard_normal((200, 200))).astype(int)
        marked = image.copy()
        marked[disc()] = 2 * (2000 + (image[disc()] - 2000) // 8)
        plain.append(shortcut_features(image, disc()))
        edited.append(shortcut_features(marked, disc()))
    names = SHORTCUTS[:3]
    sides = [
        {name: Sample.of([row[name] for row in rows], [str(i) for i in range(30)]) for name in names}
        for rows in (plain, edited)
    ]
    assert all(test.auc.value > 0.95 for test in shortcut_tests(*sides, resamples=20))
    halves = [
        {name: Sample.of(side.values[i::2], side.patients[i::2]) for name, side in sides[0].items()} for i in (0, 1)
    ]
    assert all(test.auc.value < 0.8 for test in shortcut_tests(*halves, resamples=20))


def test_a_seam_raises_the_border_gradient_and_places_are_shares_of_the_breast() -> None:
    rng = np.random.default_rng(14)
    image = np.rint(2000 + 3 * rng.standard_normal((200, 200))).astype(int)
    breast = np.zeros((200, 200), bool)
    breast[:, :150] = True
    breast[:40, 100:] = False
    clean = shortcut_features(image, disc(), breast)
    image[disc()] += 40
    assert shortcut_features(image, disc(), breast)["border gradient"] > clean["border gradient"] + 1
    assert clean["depth"] == pytest.approx(100 / 149, abs=0.01)
    assert clean["height"] == pytest.approx(100 / 199, abs=0.01)
    mirrored = shortcut_features(image[:, ::-1], disc()[:, ::-1], breast[:, ::-1])
    assert mirrored["depth"] == pytest.approx(clean["depth"], abs=0.01)
