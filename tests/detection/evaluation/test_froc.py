"""Free-response curves, against counting anew at every threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.evaluation.errors import EvaluationError
from detection.evaluation.froc import CPM_POINTS, Denominator, FrocCurve, froc_curve
from detection.evaluation.lesion_groups import Group
from detection.evaluation.protocol import DuplicateRule
from tests.detection.evaluation.scenes import (
    QUICK,
    counted_anew,
    finding,
    image,
    lesion,
    random_images,
    resamples_of,
)

RULES = st.sampled_from(["ignore", "fp"])


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["malignant", "malignant_mass", "malignant_cluster"]),
    RULES,
    st.booleans(),
)
def test_every_point_is_what_counting_anew_gives(seed: int, group: Group, rule: DuplicateRule, free_only: bool) -> None:
    images = random_images(seed, 14, score=lambda rng: float(rng.integers(1, 9)) / 8)
    protocol = replace(QUICK, duplicates=rule)
    denominator: Denominator = "images without lesions" if free_only else "all images"
    curve = froc_curve(images, protocol, group=group, denominator=denominator, resamples=0)
    shown = sum(1 for one in images if not (free_only and one.targets))
    if not curve.lesions or not shown:
        assert curve.cpm.value is None
        return
    for threshold, sensitivity, rate in zip(
        curve.thresholds, curve.sensitivity, curve.false_positives_per_image, strict=True
    ):
        found, false = counted_anew(images, float(threshold), group, protocol, free_only=free_only)
        assert sensitivity == pytest.approx(found / curve.lesions)
        assert rate == pytest.approx(false / shown)


def step(curve: FrocCurve, limit: float) -> float:
    fit = curve.sensitivity[curve.false_positives_per_image <= limit + 1e-12]
    return float(fit[-1]) if fit.size else 0.0


def test_points_follow_the_step_rule_and_cpm_is_their_mean() -> None:
    curve = froc_curve(random_images(4, 60), QUICK)
    expected = [step(curve, limit) for limit in CPM_POINTS]
    assert [point.sensitivity.value for point in curve.points] == pytest.approx(expected)
    assert curve.cpm.value == pytest.approx(np.mean(expected))
    ends = curve.false_positives_per_image[-1]
    assert [point.beyond for point in curve.points] == [bool(ends <= limit) for limit in CPM_POINTS]


def test_intervals_are_those_of_repeated_patients() -> None:
    images = random_images(7, 30)
    curve = froc_curve(images, QUICK, resamples=40)
    values = [froc_curve(drawn, QUICK, resamples=0).cpm.value for drawn in resamples_of(images, 40)]
    low, high = np.quantile([value for value in values if value is not None], [0.025, 0.975])
    assert (curve.cpm.low, curve.cpm.high) == (pytest.approx(low), pytest.approx(high))


def test_a_curve_without_misses_keeps_its_last_point() -> None:
    """Both lesions are found: the end of the curve has sensitivity 1, not the point before it."""
    images = [
        image("a", [lesion()], [finding(score=0.9)]),
        image("b", [lesion()], [finding((30, 30, 40, 40), 0.8), finding(score=0.7)]),
    ]
    curve = froc_curve(images, QUICK)
    assert curve.sensitivity.tolist() == [0.5, 0.5, 1.0]
    assert curve.false_positives_per_image.tolist() == [0.0, 0.5, 0.5]
    assert [point.sensitivity.value for point in curve.points] == [0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_findings_with_one_score_come_in_together() -> None:
    images = [image("a", [lesion()], [finding((30, 30, 40, 40), 0.5), finding(score=0.5)])]
    curve = froc_curve(images, QUICK)
    assert curve.thresholds.tolist() == [0.5]
    assert curve.sensitivity.tolist() == [1.0]
    assert curve.points[0].sensitivity.value == 0.0, "the first threshold has a whole false positive"


def test_nothing_to_find_or_to_count_on_is_undefined() -> None:
    empty = froc_curve([image("a", [], [finding()])], QUICK)
    assert empty.cpm.reason == "undefined: no lesions"
    full = froc_curve([image("a", [lesion()], [finding()])], QUICK, denominator="images without lesions")
    assert full.cpm.reason == "undefined: no images to count false positives on"
    silent = froc_curve([image("a", [lesion()], []), image("b", [lesion()], [])], QUICK)
    assert silent.cpm.value == 0.0 and silent.thresholds.size == 0


def test_a_matching_that_changes_with_the_threshold_is_refused() -> None:
    with pytest.raises(EvaluationError, match="greedy"):
        froc_curve([], replace(QUICK, matching="hungarian"))


def test_a_curve_says_how_it_was_made() -> None:
    curve = froc_curve(random_images(1, 20), QUICK)
    assert "false positives per image over all images" in curve.sentence
    assert (curve.images, curve.patients, len(curve.points)) == (20, 10, 7)
