"""DeLong and Obuchowski: a published example, by definition, by simulation, and the borders."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from detection.evaluation.errors import EvaluationError
from detection.evaluation.intervals import Interval
from detection.evaluation.roc import AUCCovariance, auc, delong, obuchowski
from tests.detection.evaluation import turck


def by_definition(labels: np.ndarray, scores: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """AUCs and covariance from the kernel matrix of DeLong et al. 1988, equations 1 to 6."""
    v10, v01 = [], []
    for values in scores:
        x, y = values[labels == 1][:, None], values[labels == 0][None, :]
        kernel = (x > y) + 0.5 * (x == y)
        v10.append(kernel.mean(1))
        v01.append(kernel.mean(0))
    aucs = np.array([row.mean() for row in v10])
    m, n = len(v10[0]), len(v01[0])
    s10 = sum(np.outer(a, a) for a in (np.array(v10) - aucs[:, None]).T) / (m - 1)
    s01 = sum(np.outer(a, a) for a in (np.array(v01) - aucs[:, None]).T) / (n - 1)
    return aucs, s10 / m + s01 / n


def rows(seed: int, n: int = 60) -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 0, 1, 1], rng.integers(0, 2, n)])
    shared = rng.normal(0, 1, labels.size)
    return labels, [np.round(labels * 0.8 + shared + rng.normal(0, 0.7, labels.size), 1) for _ in range(3)]


def test_delong_gives_the_numbers_of_proc() -> None:
    """Expected values in the tests of the R package pROC (github.com/xrobin/pROC, test-roc.test.R and test-cov.R)."""
    found = delong(turck.LABELS, turck.GRADE, turck.S100B)
    assert isinstance(found, AUCCovariance)
    assert found.values == pytest.approx(np.array([0.823678861788618, 0.731368563685637]), abs=1e-14)
    assert found.covariance[0, 1] == pytest.approx(0.00119615567376754, rel=1e-12)
    interval, test = found.difference()
    assert test.statistic == pytest.approx(2.20898359144091, rel=1e-12)
    assert test.p_value == pytest.approx(0.0271757822291882, rel=1e-12)
    assert (interval.low, interval.high) == pytest.approx((0.0104061769564846, 0.174214419249478), rel=1e-12)


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_delong_equals_its_definition_with_ties(seed: int) -> None:
    labels, scores = rows(seed)
    found = delong(labels, *scores)
    assert isinstance(found, AUCCovariance)
    aucs, covariance = by_definition(labels, scores)
    np.testing.assert_allclose(found.values, aucs, rtol=1e-12)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-10, atol=1e-15)
    assert found.values[0] == pytest.approx(auc(labels, scores[0]), abs=1e-14)


def test_obuchowski_with_one_row_a_group_is_delong() -> None:
    labels, scores = rows(3, 200)
    singles = obuchowski(labels, *scores, groups=[f"p{row}" for row in range(labels.size)])
    plain = delong(labels, *scores)
    assert isinstance(singles, AUCCovariance) and isinstance(plain, AUCCovariance)
    np.testing.assert_allclose(singles.covariance, plain.covariance, rtol=1e-10)


def clustered(rng: np.random.Generator, patients: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    group = np.repeat(np.arange(patients), 2)
    labels = np.repeat(rng.random(patients) < 0.6, 2).astype(int)
    score = 1.5 * labels + np.repeat(rng.normal(0, np.sqrt(0.6), patients), 2) + rng.normal(0, np.sqrt(0.4), group.size)
    return labels, score, [f"p{index:04d}" for index in group]


@pytest.mark.slow
def test_clustered_intervals_cover_where_naive_ones_do_not() -> None:
    """Two correlated views of each of 120 patients: 95 % +- 2 for Obuchowski on the logit scale, DeLong falls short."""
    truth = float(stats.norm.cdf(1.5 / np.sqrt(2)))
    rng, covered, naive = np.random.default_rng(11), 0, 0
    repeats = 1500
    for _ in range(repeats):
        labels, score, groups = clustered(rng, 120)
        kept = obuchowski(labels, score, groups=groups)
        plain = delong(labels, score)
        assert isinstance(kept, AUCCovariance) and isinstance(plain, AUCCovariance)
        wide, narrow = kept.interval(), plain.interval()
        covered += wide.low <= truth <= wide.high  # type: ignore[operator]
        naive += narrow.low <= truth <= narrow.high  # type: ignore[operator]
    assert 0.93 <= covered / repeats <= 0.97
    assert naive / repeats < 0.93


def test_a_difference_uses_the_covariance_of_both_arms() -> None:
    labels, scores = rows(8, 150)
    found = delong(labels, *scores)
    assert isinstance(found, AUCCovariance)
    interval, test = found.difference(0, 1)
    c = found.covariance
    z = (found.values[0] - found.values[1]) / np.sqrt(c[0, 0] + c[1, 1] - 2 * c[0, 1])
    assert test.statistic == pytest.approx(z)
    assert test.p_value == pytest.approx(2 * stats.norm.sf(abs(z)))
    assert interval.value == pytest.approx(found.values[0] - found.values[1])


def test_equal_scores_and_one_class_are_undefined_not_certain() -> None:
    flat = delong([0, 0, 1, 1], [0.5] * 4, [0.5] * 4)
    assert isinstance(flat, AUCCovariance)
    assert flat.values.tolist() == [0.5, 0.5]
    assert flat.interval().low is None and "every score is the same" in str(flat.interval().reason)
    width, test = flat.difference()
    assert width.low is None and test.p_value is None and test.reason == "undefined: the difference has no variance"
    for labels in ([1, 1, 1], [0, 1, 1]):
        one = delong(labels, [0.1, 0.2, 0.3])
        assert isinstance(one, Interval) and one.value is None and str(one.reason).startswith("undefined: ")
    together = obuchowski([0, 0, 1, 1], [1, 2, 3, 4], groups=["a", "b", "c", "c"])
    assert isinstance(together, Interval) and together.reason == "undefined: a class has rows in one patient"


def test_wrong_rows_are_refused() -> None:
    with pytest.raises(EvaluationError, match="at least one list"):
        delong([0, 1])
    with pytest.raises(EvaluationError, match="found 1"):
        obuchowski([0, 1], [0.1, 0.2], groups=["a"])
    with pytest.raises(EvaluationError, match="not a number"):
        delong([0, 1], [0.1, np.nan])
