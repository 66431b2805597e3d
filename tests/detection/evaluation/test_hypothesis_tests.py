"""Tests of a difference: printed results, exact counts by hand, and where they have no answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detection.evaluation.errors import EvaluationError
from detection.evaluation.hypothesis_tests import (
    TestResult,
    benjamini_hochberg,
    fisher,
    holm,
    mann_whitney,
    mcnemar,
    two_proportion_z,
)


@given(st.integers(1, 400), st.integers(1, 400), st.data())
def test_two_proportions_follow_the_pooled_formula(n_a: int, n_b: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, n_a)), data.draw(st.integers(0, n_b))
    result = two_proportion_z(a, n_a, b, n_b)
    pooled = (a + b) / (n_a + n_b)
    if pooled in (0, 1):
        assert result.p_value is None and "same outcome" in str(result.reason)
        return
    z = (a / n_a - b / n_b) / math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    assert result.statistic == pytest.approx(z, abs=1e-10)
    assert result.p_value == pytest.approx(2 * stats.norm.sf(abs(z)), abs=1e-12)


def test_an_empty_sample_has_no_test() -> None:
    assert two_proportion_z(0, 0, 3, 5).reason == "undefined: a sample is empty"
    with pytest.raises(EvaluationError, match="found 6 of 5"):
        two_proportion_z(1, 2, 6, 5)


def test_mcnemar_counts_only_pairs_that_differ() -> None:
    a = [1] * 40 + [1] * 3 + [0] * 9 + [0] * 20
    b = [1] * 40 + [0] * 3 + [1] * 9 + [0] * 20
    result = mcnemar(a, b)
    assert result.method == "McNemar, exact binomial"
    assert result.statistic == 3
    assert result.p_value == pytest.approx(stats.binomtest(3, 12).pvalue)
    assert result.n == 72


def test_many_discordant_pairs_take_the_chi_square() -> None:
    a, b = [1] * 30 + [0] * 12, [0] * 30 + [1] * 12
    result = mcnemar(a, b)
    assert result.statistic == pytest.approx((abs(30 - 12) - 1) ** 2 / 42)
    assert result.p_value == pytest.approx(stats.chi2.sf((18 - 1) ** 2 / 42, 1))


def test_pairs_that_never_differ_have_no_test() -> None:
    assert mcnemar([1, 0], [1, 0]).reason == "undefined: no pair differs"
    with pytest.raises(EvaluationError, match="expected pairs, found 2 and 3"):
        mcnemar([1, 0], [1, 0, 1])
    with pytest.raises(EvaluationError, match="0 and 1"):
        mcnemar([1, 2], [1, 0])


def test_mann_whitney_counts_ties_half() -> None:
    a, b = [1.0, 2.0, 2.0, 5.0], [2.0, 3.0]
    wins = sum((x > y) + 0.5 * (x == y) for x in a for y in b)
    assert mann_whitney(a, b).statistic == wins
    assert mann_whitney([1, 1], [1.0]).reason == "undefined: every value is the same"
    assert mann_whitney([], [1.0]).reason == "undefined: a sample is empty"
    with pytest.raises(EvaluationError, match="numbers"):
        mann_whitney([math.nan], [1.0])


def test_fisher_sums_the_tables_that_are_no_likelier() -> None:
    table = [[3, 1], [1, 3]]
    by_hand = sum(
        stats.hypergeom.pmf(k, 8, 4, 4)
        for k in range(5)
        if stats.hypergeom.pmf(k, 8, 4, 4) <= stats.hypergeom.pmf(3, 8, 4, 4) + 1e-12
    )
    assert fisher(table).p_value == pytest.approx(by_hand)
    assert fisher(table).statistic == 9.0
    assert fisher([[0, 0], [2, 3]]).reason == "undefined: a row or column of the table is empty"
    with pytest.raises(EvaluationError, match="2 x 2"):
        fisher([[1, 2, 3], [1, 2, 3]])


def test_holm_and_benjamini_hochberg_leave_undefined_entries_out() -> None:
    given_values = [0.01, None, 0.04, 0.03]
    assert holm(given_values) == [pytest.approx(0.03), None, pytest.approx(0.06), pytest.approx(0.06)]
    assert benjamini_hochberg(given_values) == [pytest.approx(0.03), None, pytest.approx(0.04), pytest.approx(0.04)]
    assert holm([None]) == [None]
    with pytest.raises(EvaluationError, match="0 to 1"):
        holm([1.2])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_adjusting_never_makes_a_difference_more_certain(values: list[float]) -> None:
    for adjusted in (holm(values), benjamini_hochberg(values)):
        assert all(after is not None and after >= before for before, after in zip(values, adjusted, strict=True))


def test_results_are_plain_values() -> None:
    body = two_proportion_z(3, 10, 7, 11).to_json()
    assert body["n"] == 21
    assert TestResult(**body) == two_proportion_z(3, 10, 7, 11)
    assert all(not isinstance(value, np.generic) for value in body.values())
