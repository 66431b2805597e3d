"""Calibration and net benefit, against scikit-learn, statsmodels and counts by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss

from detection.evaluation.calibration import calibration, logistic_line, recalibrated
from detection.evaluation.decision_curve import decision_curve
from detection.evaluation.errors import EvaluationError
from detection.evaluation.intervals import proportion_interval
from detection.evaluation.resampling import Units
from detection.evaluation.roc import auc


def rows(seed: int, n: int = 600, *, intercept: float = 0.0, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes whose log odds are intercept + slope times the logit of the score."""
    rng = np.random.default_rng(seed)
    scores = expit(rng.normal(0, 1.5, n))
    return (rng.random(n) < expit(intercept + slope * logit(scores))).astype(int), scores


def test_the_brier_score_is_scikit_learns() -> None:
    labels, scores = rows(1)
    assert calibration(labels, scores, resamples=200).brier.value == pytest.approx(brier_score_loss(labels, scores))


def test_intercept_and_slope_are_those_of_a_logistic_regression() -> None:
    labels, scores = rows(2, intercept=0.7, slope=0.5)
    fit = sm.Logit(labels, sm.add_constant(logit(scores))).fit(disp=0)
    found = calibration(labels, scores, resamples=100)
    assert (found.intercept, found.slope) == (
        pytest.approx(fit.params[0], abs=1e-5),
        pytest.approx(fit.params[1], abs=1e-5),
    )


@pytest.mark.parametrize("binning", ["equal width", "equal mass"])
def test_the_expected_error_weighs_bins_by_their_rows(binning) -> None:
    labels, scores = rows(3, intercept=1.0)
    found = calibration(labels, scores, binning=binning, resamples=100)
    assert sum(one.observed.n for one in found.bins) == labels.size
    by_hand = 0.0
    for number, one in enumerate(found.bins):
        last = number == len(found.bins) - 1
        inside = (scores >= one.low) & ((scores <= one.high) if last else (scores < one.high))
        assert inside.sum() == one.observed.n
        by_hand += inside.mean() * abs(scores[inside].mean() - labels[inside].mean())
    assert found.expected_error == pytest.approx(by_hand)
    if binning == "equal mass":
        assert max(one.observed.n for one in found.bins) - min(one.observed.n for one in found.bins) <= 1


def test_recalibration_fitted_elsewhere_mends_the_line_and_keeps_the_ranks() -> None:
    line = logistic_line(*rows(4, 40_000, intercept=1.0, slope=0.4))
    assert line is not None
    labels, scores = rows(5, 40_000, intercept=1.0, slope=0.4)
    mended = recalibrated(scores, line)
    found = calibration(labels, mended, resamples=100)
    assert found.intercept == pytest.approx(0, abs=0.1)
    assert found.slope == pytest.approx(1, abs=0.1)
    assert auc(labels, mended) == pytest.approx(auc(labels, scores))


def test_views_of_one_patient_widen_the_interval() -> None:
    labels, scores = rows(6, 300)
    copies = np.repeat(labels, 2), np.repeat(scores, 2)
    naive = calibration(*copies, resamples=500).brier
    grouped = calibration(*copies, groups=[f"p{row // 2:03d}" for row in range(600)], resamples=500).brier
    assert (grouped.high or 0) - (grouped.low or 0) > 1.2 * ((naive.high or 0) - (naive.low or 0))


@pytest.mark.parametrize("binning", ["equal width", "equal mass"])
def test_the_bars_of_the_curve_are_those_of_repeated_patients(binning) -> None:
    labels, scores = rows(8, 120, intercept=0.5)
    groups = [f"p{row // 3:03d}" for row in range(120)]
    found = calibration(labels, scores, groups=groups, bins=4, binning=binning, resamples=60, method="percentile")
    units = Units(groups)
    ends = [one.low for one in found.bins] + [np.inf]
    for place, one in enumerate(found.bins):
        inside = (scores >= ends[place]) & (scores < ends[place + 1])
        drawn = []
        for weights in np.concatenate(list(units.weight_blocks(60, 0))):
            chosen = np.repeat(np.flatnonzero(inside), weights[units.row[inside]])
            drawn.append(labels[chosen].mean())
        assert one.observed.value == pytest.approx(labels[inside].mean())
        assert (one.observed.low, one.observed.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))


def test_bars_of_independent_rows_are_wilson_intervals() -> None:
    labels, scores = rows(9, 200)
    for one in calibration(labels, scores, resamples=100).bins:
        expected = proportion_interval(one.observed.numerator or 0, one.observed.n)
        assert one.observed == expected


def test_a_score_that_misses_by_the_same_everywhere_claims_no_certainty() -> None:
    """Sums of 0.01 in another order differ in the last digit: that is no interval."""
    brier = calibration([0] * 20, [0.1] * 20, resamples=200).brier
    assert brier.value == pytest.approx(0.01)
    assert (brier.low, brier.reason) == (None, "interval undefined: every resample gives the same value")


def test_no_line_where_classes_are_apart_or_missing() -> None:
    apart = calibration([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], resamples=100)
    assert apart.slope is None and "do not overlap" in str(apart.reason)
    assert logistic_line([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.5, 0.5, 0.8, 0.9]) is None, "they touch: the slope has no end"
    assert logistic_line([0, 1, 0, 1], [0.3] * 4) is None, "equal scores have no slope"
    assert logistic_line([1, 1], [0.2, 0.4]) is None
    assert calibration([], []).brier.reason == "undefined: no rows"


def test_scores_that_are_no_probabilities_are_refused() -> None:
    with pytest.raises(EvaluationError, match="outside"):
        calibration([0, 1], [0.2, 1.4])
    with pytest.raises(EvaluationError, match="outside"):
        decision_curve([0, 1], [0.2, 1.4])
    with pytest.raises(EvaluationError, match="thresholds"):
        decision_curve([0, 1], [0.2, 0.4], thresholds=[0.0])
    with pytest.raises(EvaluationError, match="prevalence"):
        decision_curve([0, 1], [0.2, 0.4], prevalence=1.0)


def test_net_benefit_counts_true_and_false_by_hand() -> None:
    labels, scores = [1, 1, 0, 0, 0], [0.9, 0.3, 0.6, 0.2, 0.1]
    curve = decision_curve(labels, scores, thresholds=[0.25, 0.5])
    assert curve is not None
    assert curve.model.tolist() == pytest.approx([2 / 5 - 1 / 5 * (0.25 / 0.75), 1 / 5 - 1 / 5 * 1.0])
    assert curve.treat_all.tolist() == pytest.approx([2 / 5 - 3 / 5 / 3, 2 / 5 - 3 / 5])
    rarer = decision_curve(labels, scores, thresholds=[0.25], prevalence=0.01)
    assert rarer is not None
    assert rarer.model[0] == pytest.approx(0.01 - 1 / 3 * 0.99 / 3)
    assert decision_curve([1, 1], [0.2, 0.3]) is None


def test_results_are_plain_values() -> None:
    labels, scores = rows(7, 60)
    curve = decision_curve(labels, scores)
    assert curve is not None
    json.dumps([calibration(labels, scores, resamples=100).to_json(), curve.to_json()])
