"""Enhancement in the recombined image."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from simulation.enhancement import (
    ContrastDistribution,
    grouped_median,
    measure_contrast,
    measure_enhancement,
    ring,
)
from simulation.errors import InvalidSettings
from simulation.vendor import profile_of


def noisy_image(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shading = 40 * np.sin(np.arange(200) / 40)[None]
    return np.rint(2000 + shading + 30 * rng.standard_normal((200, 200))).astype(np.uint16)


def disc(radius: int = 30) -> np.ndarray:
    y, x = np.ogrid[:200, :200]
    return (x - 100) ** 2 + (y - 100) ** 2 <= radius**2


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


def test_contrast_comes_in_three_forms() -> None:
    rng = np.random.default_rng(2)
    image = 2000 + 30 * rng.standard_normal((200, 200))
    image[disc()] += 90
    profile = profile_of("phantom-a")
    measured = measure_enhancement(image.astype(np.uint16), disc(), profile)
    assert measured.ratio == pytest.approx(2090 / 2000, abs=0.002)
    assert measured.cnr == pytest.approx(3, abs=0.15)
    # 1 mg/cm2 gives 0.0166 log units behind this beam (spectra of the vendor table)
    assert measured.iodine_mg_cm2 == pytest.approx(90 / (11000 * 0.0166), rel=0.05)
    assert [measured.value(form) for form in ("ratio", "cnr", "iodine")] == [
        measured.ratio,
        measured.cnr,
        measured.iodine_mg_cm2,
    ]


def test_without_a_known_gain_there_is_a_reason_instead_of_iodine() -> None:
    measured = measure_enhancement(noisy_image(), disc(), profile_of("ge-essential"))
    assert measured.iodine_mg_cm2 is None
    assert "ge-essential" in measured.iodine_reason


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60))
@settings(max_examples=100, deadline=None)
def test_grouped_median_stays_within_half_a_grey_value(values) -> None:
    numbers = np.array(values)
    assert abs(grouped_median(numbers) - np.median(numbers)) <= 0.5


def test_eight_bit_images_do_not_give_contrast_in_steps() -> None:
    rng = np.random.default_rng(0)
    fine = 100 + 2 * rng.standard_normal((200, 200))
    found = []
    for added in np.linspace(0, 1, 11):
        image = np.rint(fine + added * disc()).astype(np.uint8)
        found.append(measure_contrast(image, disc()))
    expected = 1 + np.linspace(0, 1, 11) / 100
    assert np.abs(np.array(found) - found[0] - (expected - 1)).max() < 0.002


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


@pytest.mark.parametrize("form", ["cnr", "iodine"])
def test_other_forms_may_be_negative_and_keep_their_form(form) -> None:
    values = np.random.default_rng(1).normal(0.2, 1, 40)
    fitted = ContrastDistribution.fit(values, "benign", form=form)
    back = ContrastDistribution.from_json(json.dumps(fitted.to_json()))
    assert back == fitted
    rng = np.random.default_rng(5)
    drawn = [fitted.sample(rng) for _ in range(2000)]
    assert min(drawn) < 0
    assert stats.ks_2samp(drawn, values).statistic < 0.2


def test_distributions_written_before_there_were_forms_are_ratios() -> None:
    old = {
        "schema": "cemlab.contrast-distribution/1",
        "malignancy": "benign",
        "values": [1.0, 1.1, 1.2],
        "bandwidth": 0.01,
    }
    assert ContrastDistribution.from_json(old).form == "ratio"
    with pytest.raises(InvalidSettings, match="form"):
        ContrastDistribution.from_json(old | {"form": "colour"})


@pytest.mark.parametrize("values", [[], [1.0, 1.1], [1.0, 1.1, -1.0], [1.0, 1.1, float("nan")]])
def test_too_few_or_impossible_values_are_refused(values) -> None:
    with pytest.raises(InvalidSettings):
        ContrastDistribution.fit(values, "benign")


@pytest.mark.parametrize(
    "change",
    [
        {"values": None},
        {"values": [1.1, "high"]},
        {"values": [1.1, float("nan")]},
        {"bandwidth": -1},
        {"bandwidth": []},
    ],
)
def test_a_file_whose_values_are_no_numbers_is_refused(change: dict) -> None:
    body = ContrastDistribution.fit([1.0, 1.1, 1.2], "benign").to_json()
    with pytest.raises(InvalidSettings, match="bandwidth"):
        ContrastDistribution.from_json(body | change)


def test_a_foreign_file_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="schema"):
        ContrastDistribution.from_json({"schema": "else", "malignancy": "benign"})
