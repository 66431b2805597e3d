"""Intervals, checked against statsmodels, scikit-learn and plain repetition of rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as t_distribution
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from detection.evaluation.auc_covariance import AUCCovariance, obuchowski
from detection.evaluation.errors import EvaluationError
from detection.evaluation.intervals import (
    Interval,
    auc_interval,
    bootstrap_interval,
    clustered_ratio_interval,
    proportion_interval,
)
from detection.evaluation.resampling import Ratio, Units, replicates


def clustered_rows(seed: int, patients: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    per_patient = rng.integers(1, 5, patients)
    groups = [f"p{index:03d}" for index, count in enumerate(per_patient) for _ in range(count)]
    effect = np.repeat(rng.normal(0, 1, patients), per_patient)
    labels = (effect + rng.normal(0, 1, len(groups)) > 0.3).astype(int)
    scores = np.round(labels + effect + rng.normal(0, 1.5, len(groups)), 1)
    return labels, scores, groups


def drawn_patients(groups: list[str], resamples: int, seed: int) -> list[list[int]]:
    """Rows of each resample, patients repeated as often as they were drawn."""
    units = Units(groups)
    rows = []
    for block in units.weight_blocks(resamples, seed):
        for weights in block:
            rows.append([row for row in range(len(groups)) for _ in range(weights[units.row[row]])])
    return rows


@given(st.integers(1, 3000), st.data(), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_the_proportion_agrees_with_statsmodels(n: int, data: st.DataObject, level: float) -> None:
    k = data.draw(st.integers(0, n))
    interval = proportion_interval(k, n, level=level)
    low, high = proportion_confint(k, n, alpha=1 - level, method="wilson")
    assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
    assert interval.low is not None and interval.value is not None and interval.high is not None
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert (interval.value, interval.numerator, interval.denominator) == (k / n, k, n)


def test_a_proportion_of_nothing_is_undefined() -> None:
    interval = proportion_interval(0, 0)
    assert (interval.value, interval.low, interval.high) == (None, None, None)
    assert interval.reason == "undefined: nothing to count"
    with pytest.raises(EvaluationError, match="found 3 of 2"):
        proportion_interval(3, 2)


def test_the_clustered_auc_equals_a_bootstrap_that_repeats_rows() -> None:
    labels, scores, groups = clustered_rows(1, 40)
    interval = auc_interval(labels, scores, groups=groups, resamples=300, seed=7, method="percentile")
    values = [roc_auc_score(labels[rows], scores[rows]) for rows in drawn_patients(groups, 300, 7)]
    low, high = np.percentile(values, [2.5, 97.5])
    assert interval.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
    assert (interval.n, interval.units, interval.resamples, interval.skipped) == (len(groups), 40, 300, 0)


def test_the_clustered_ratio_equals_a_bootstrap_that_repeats_rows() -> None:
    labels, _, groups = clustered_rows(2, 30)
    ones = np.ones_like(labels)
    interval = clustered_ratio_interval(labels, ones, groups, resamples=300, level=0.9, seed=3, method="percentile")
    values = [labels[rows].mean() for rows in drawn_patients(groups, 300, 3)]
    low, high = np.percentile(values, [5, 95])
    assert interval.value == pytest.approx(labels.mean(), abs=1e-12)
    assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
    assert (interval.numerator, interval.denominator) == (labels.sum(), len(labels))


def test_patients_are_drawn_with_replacement_and_evenly() -> None:
    units = Units([f"p{index}" for index in range(50)])
    weights = np.concatenate(list(units.weight_blocks(4000, 0)))
    assert weights.shape == (4000, 50)
    assert (weights.sum(axis=1) == 50).all()
    assert np.abs(weights.mean(axis=0) - 1).max() < 0.08  # standard error .016
    assert weights.var() == pytest.approx(0.98, abs=0.03)  # multinomial: 1 - 1/50


def test_resamples_follow_from_seed_and_patients_alone() -> None:
    first = np.concatenate(list(Units(["b", "a", "c"]).weight_blocks(200, 0)))
    again = np.concatenate(list(Units(["c", "a", "b", "b"]).weight_blocks(200, 0)))
    assert (first == again).all()
    assert (first != np.concatenate(list(Units(["b", "a", "c"]).weight_blocks(200, 1)))).any()
    assert (first != np.concatenate(list(Units(["b", "a", "d"]).weight_blocks(200, 0)))).any()


def test_more_resamples_than_one_block_continue_the_same_draws() -> None:
    units = Units([f"p{index:05d}" for index in range(30_000)])
    blocks = list(units.weight_blocks(20, 0))
    assert len(blocks) > 1
    assert (np.concatenate(blocks)[:9] == np.concatenate(list(units.weight_blocks(9, 0)))).all()


def test_clustering_widens_the_interval_of_repeated_views() -> None:
    labels, scores, groups = clustered_rows(4, 150)
    labels, scores = np.tile(labels, 4), np.tile(scores, 4)
    clustered = auc_interval(labels, scores, groups=groups * 4)
    rows = auc_interval(labels, scores)
    assert None not in (clustered.low, clustered.high, rows.low, rows.high)
    assert clustered.high - clustered.low > 1.5 * (rows.high - rows.low)  # type: ignore[operator]
    assert (clustered.method, rows.method) == ("logit-t, bootstrap of patients", "logit-t, bootstrap of rows")


def test_the_interval_of_independent_rows_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for study in range(200):
        labels = np.repeat([0, 1], 60)
        scores = rng.normal(labels, 1)
        interval = auc_interval(labels, scores, resamples=200, seed=study)
        assert interval.low is not None and interval.high is not None
        covered += interval.low <= 0.7602 <= interval.high  # Phi(1 / sqrt 2)
    assert 178 <= covered <= 199  # 95 % of 200, with room for the known undercoverage


def on_the_logit_scale(value: float, error: float, quantile: float) -> tuple[float, float]:
    odds = value / (1 - value)
    step = np.exp(quantile * error / (value * (1 - value)))
    return odds / step / (1 + odds / step), odds * step / (1 + odds * step)


def test_the_default_interval_is_students_t_on_the_logit_scale() -> None:
    labels, scores, groups = clustered_rows(3, 25)
    ones = np.ones_like(labels)
    draws = drawn_patients(groups, 400, 5)
    factor, quantile = np.sqrt(25 / 24), t_distribution.ppf(0.95, 24)
    area = auc_interval(labels, scores, groups=groups, resamples=400, level=0.9, seed=5)
    expected = roc_auc_score(labels, scores)
    error = np.std([roc_auc_score(labels[rows], scores[rows]) for rows in draws], ddof=1) * factor
    assert (area.low, area.high) == pytest.approx(on_the_logit_scale(expected, error, quantile), abs=1e-12)
    share = clustered_ratio_interval(labels, ones, groups, resamples=400, level=0.9, seed=5)
    error = np.std([labels[rows].mean() for rows in draws], ddof=1) * factor
    assert (share.low, share.high) == pytest.approx(on_the_logit_scale(labels.mean(), error, quantile), abs=1e-12)
    assert share.method == area.method == "logit-t, bootstrap of patients"


def test_the_standard_error_of_the_resamples_is_that_of_the_clustered_covariance() -> None:
    """Two ways to one number: resampled patients, and Obuchowski's variance without resampling."""
    labels, scores, groups = clustered_rows(8, 200)
    drawn = auc_interval(labels, scores, groups=groups, resamples=4000)
    formula = obuchowski(labels, scores, groups=groups)
    assert isinstance(formula, AUCCovariance)
    other = formula.interval()
    assert (drawn.low, drawn.high) == pytest.approx((other.low, other.high), abs=0.003)


def test_a_share_of_one_in_varying_resamples_falls_back_on_percentiles_and_says_so() -> None:
    drawn = np.array([1.0] * 90 + [0.8] * 10)
    interval = bootstrap_interval(1.0, drawn, n=9, units=9, unit="patient", level=0.9)
    assert (interval.low, interval.high) == pytest.approx(np.quantile(drawn, [0.05, 0.95]))
    assert interval.method == "percentile bootstrap of patients (1 has no logit)"


def test_a_difference_has_its_interval_on_its_own_scale() -> None:
    drawn = np.random.default_rng(0).normal(-0.1, 0.05, 1000)
    interval = bootstrap_interval(-0.1, drawn, n=40, units=10, unit="patient", level=0.95, scale="difference")
    half = t_distribution.ppf(0.975, 9) * drawn.std(ddof=1) * np.sqrt(10 / 9)
    assert (interval.low, interval.high) == pytest.approx((-0.1 - half, -0.1 + half))
    assert interval.method == "t, bootstrap of patients"


def test_one_class_is_undefined_with_the_reason() -> None:
    interval = auc_interval([1, 1, 1], [0.1, 0.2, 0.3])
    assert (interval.value, interval.reason, interval.n) == (None, "undefined: one class", 3)
    assert auc_interval([], []).reason == "undefined: no rows"


def test_equal_scores_give_one_half_without_an_interval() -> None:
    interval = auc_interval([0, 1, 0, 1] * 5, [0.4] * 20)
    assert (interval.value, interval.low, interval.high) == (0.5, None, None)
    assert interval.reason == "interval undefined: every resample gives the same value"


def test_one_patient_with_all_positives_is_counted_and_warned_about() -> None:
    labels = [1, 1, 1] + [0] * 20
    groups = ["only"] * 3 + [f"p{index}" for index in range(20)]
    scores = [0.9, 0.3, 0.6, *np.linspace(0, 1, 20)]
    interval = auc_interval(labels, scores, groups=groups)
    assert interval.low is not None
    # a patient of 21 is left out of (20/21)^21 = 36 % of the resamples
    assert interval.skipped == pytest.approx(0.359 * 2000, abs=90)
    assert interval.warning is not None and "resamples were skipped" in interval.warning


def test_a_single_patient_gives_a_value_without_an_interval() -> None:
    interval = auc_interval([0, 1, 1], [0.1, 0.5, 0.05], groups=["p"] * 3)
    assert (interval.value, interval.low) == (0.5, None)
    assert interval.reason == "interval undefined: only one patient contributes"
    ratio = clustered_ratio_interval([1, 0], [1, 1], ["p", "p"])
    assert (ratio.value, ratio.low, ratio.reason) == (0.5, None, interval.reason)


@pytest.mark.parametrize(("k", "value"), [(1, 1.0), (0, 0.0)])
def test_all_or_none_does_not_claim_certainty(k: int, value: float) -> None:
    groups = ["a", "a", "b", "c", "d"]
    interval = clustered_ratio_interval([k] * 5, [1] * 5, groups)
    low, high = proportion_confint(4 * k, 4, method="wilson")
    assert interval.value == value
    assert (interval.low, interval.high) == (pytest.approx(low), pytest.approx(high))
    assert interval.method == "Wilson of patients"
    assert interval.warning is not None and "bootstrap has no width" in interval.warning


def test_unequal_lengths_are_rejected() -> None:
    with pytest.raises(EvaluationError, match="a group for each of 2 rows, found 1"):
        auc_interval([0, 1], [0.1, 0.2], groups=["a"])
    with pytest.raises(EvaluationError, match="one numerator"):
        clustered_ratio_interval([1, 0], [1, 1], ["a"])
    with pytest.raises(EvaluationError, match="0 <= numerator <= denominator"):
        clustered_ratio_interval([2], [1], ["a"])


def test_the_order_of_rows_plays_no_part() -> None:
    labels, scores, groups = clustered_rows(9, 25)
    order = np.random.default_rng(0).permutation(len(groups))
    shuffled = auc_interval(labels[order], scores[order], groups=[groups[row] for row in order])
    assert shuffled == auc_interval(labels, scores, groups=groups)


def test_statistics_of_two_arms_share_their_resamples() -> None:
    units = Units([f"p{index}" for index in range(20)])
    found = np.arange(20) % 3 == 0
    first, second = Ratio(found, np.ones(20, int), units), Ratio(~found, np.ones(20, int), units)
    together = replicates([first, second], units, 500, 0)
    assert np.allclose(together.sum(axis=0), 1)
    assert (replicates([second], units, 500, 0)[0] == together[1]).all()


def test_an_interval_survives_json_and_has_a_short_form() -> None:
    labels, scores, groups = clustered_rows(5, 20)
    interval = auc_interval(labels, scores, groups=groups)
    assert Interval.from_json(json.loads(json.dumps(interval.to_json()))) == interval
    assert list(interval.short()) == ["value", "low", "high", "n", "reason"]
    with pytest.raises(EvaluationError, match="field 'n' is missing"):
        Interval.from_json({name: v for name, v in interval.to_json().items() if name != "n"})
