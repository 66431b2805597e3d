"""Thresholds: by looking at every one of them, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from sklearn.metrics import roc_curve as reference_curve

from detection.evaluation.errors import EvaluationError
from detection.evaluation.operating_points import at_sensitivity, at_specificity, birads_bands, youden
from detection.evaluation.roc import precision_recall_curve, roc_curve

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=4, max_size=60).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def columns(rows: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = zip(*rows, strict=True)
    return np.array(labels), np.array(scores) / 12


def seen(labels: np.ndarray, scores: np.ndarray, threshold: float) -> tuple[float, float]:
    called = scores >= threshold
    return float(called[labels].mean()), float((~called[~labels]).mean())


@settings(deadline=None)
@given(ROWS)
def test_youden_is_the_best_threshold_and_the_highest_of_equals(rows: list[tuple[bool, int]]) -> None:
    labels, scores = columns(rows)
    point = youden(labels, scores)
    assert point.threshold is not None
    assert seen(labels, scores, point.threshold) == (pytest.approx(point.sensitivity), pytest.approx(point.specificity))
    index = {float(t): sum(seen(labels, scores, float(t))) for t in np.unique(scores)}
    best = max(index.values())
    assert point.threshold == max(t for t, value in index.items() if value >= best - 1e-12)


@settings(deadline=None)
@given(ROWS, st.sampled_from([0.5, 0.8, 0.95]))
def test_specific_and_sensitive_points_are_the_extreme_ones_that_fit(
    rows: list[tuple[bool, int]], least: float
) -> None:
    labels, scores = columns(rows)
    thresholds = [float(t) for t in np.unique(scores)]
    specific = [t for t in thresholds if seen(labels, scores, t)[1] > least]
    assert at_specificity(labels, scores, least).threshold == (min(specific) if specific else None)
    sensitive = [t for t in thresholds if seen(labels, scores, t)[0] >= least - 1e-12]
    assert at_sensitivity(labels, scores, least).threshold == max(sensitive)


def test_a_strict_threshold_loses_the_row_that_defines_it() -> None:
    labels, scores = [0, 0, 1, 1, 1], [0.1, 0.2, 0.6, 0.8, 0.9]
    assert youden(labels, scores).sensitivity == 1.0
    legacy = youden(labels, scores, legacy_strict=True)
    assert legacy.strict and legacy.sensitivity == pytest.approx(2 / 3)


def test_no_threshold_is_specific_enough_where_the_top_score_is_a_negative() -> None:
    point = at_specificity([0, 1], [0.9, 0.4], 0.95)
    assert point.threshold is None
    assert point.reason == "undefined: no threshold has a specificity above 0.95"


def test_one_class_has_no_operating_point() -> None:
    assert youden([1, 1], [0.1, 0.2]).reason == "undefined: one class"
    assert youden([], []).reason == "undefined: no rows"
    with pytest.raises(EvaluationError, match="both classes"):
        birads_bands([1, 1], [0.1, 0.2])
    with pytest.raises(EvaluationError, match="from 0 up to"):
        at_specificity([0, 1], [0.1, 0.2], 1.0)


def test_bands_of_an_imperfect_score_grade_from_the_top() -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1], 400)
    scores = np.concatenate([rng.normal(0, 1, 400), rng.normal(1.5, 1, 400)])
    bands = birads_bands(labels, scores)
    assert bands.warnings == ()
    assert bands.six is not None and bands.five is not None
    assert bands.six > bands.five > bands.four > bands.three
    grades = bands.grade([bands.six, bands.five, bands.four, bands.three, bands.three - 1e-6])
    assert grades.tolist() == [6, 5, 4, 3, 1]
    assert seen(labels == 1, scores, bands.five)[1] > 0.95
    assert seen(labels == 1, scores, bands.four)[0] >= 0.95


def test_bands_of_a_very_good_score_overlap_and_say_so() -> None:
    bands = birads_bands([0] * 50 + [1] * 50, [*np.linspace(0, 0.4, 50), *np.linspace(0.6, 1, 50)])
    assert any("category 4 is empty" in words for words in bands.warnings)
    assert bands.grade([1.0, 0.0]).tolist() == [6, 1]
    with pytest.raises(EvaluationError, match="not a number"):
        bands.grade([np.nan])


@settings(deadline=None)
@given(ROWS)
def test_curves_agree_with_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    labels, scores = columns(rows)
    curve = roc_curve(labels, scores)
    false, true, thresholds = reference_curve(labels, scores, drop_intermediate=False)
    assert curve is not None
    np.testing.assert_array_equal(curve.thresholds, thresholds)
    np.testing.assert_allclose(curve.sensitivity, true)
    np.testing.assert_allclose(curve.false_positive_rate, false)
    ranked = precision_recall_curve(labels, scores)
    assert ranked is not None
    assert ranked.average_precision == pytest.approx(average_precision_score(labels, scores))
    for threshold, precision, recall in zip(ranked.thresholds, ranked.precision, ranked.recall, strict=True):
        called = scores >= threshold
        assert precision == pytest.approx(labels[called].mean())
        assert recall == pytest.approx(called[labels].mean())


def test_one_class_has_no_curve() -> None:
    assert roc_curve([1, 1], [0.1, 0.2]) is None
    assert precision_recall_curve([0, 0], [0.1, 0.2]) is None
