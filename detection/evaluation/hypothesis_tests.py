"""Tests of a difference, each by statsmodels or scipy, with "undefined" where the formula has no answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.stats import contingency_tables, multitest, proportion

from detection.evaluation.errors import EvaluationError
from detection.evaluation.intervals import checked_counts

EXACT_BELOW = 25
"""Discordant pairs below which McNemar's test is the exact binomial one."""


@dataclass(frozen=True)
class TestResult:
    """Outcome of a two-sided test.

    Attributes
    ----------
    statistic, p_value : float or None
        None where undefined; `reason` then says why.
    method : str
        Name of the test as it stands in a report.
    n : int
        Rows, or pairs, that entered.
    reason : str or None
    """

    __test__: ClassVar[bool] = False  # not a test of this project's own

    statistic: float | None
    p_value: float | None
    method: str
    n: int
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary with every field."""
        return asdict(self)


def two_proportion_z(successes_a: int, n_a: int, successes_b: int, n_b: int) -> TestResult:
    """z test of two independent proportions with pooled variance, two-sided, without continuity correction.

    z = (p_a - p_b) / sqrt(p (1 - p) (1 / n_a + 1 / n_b)) with p over both samples; p value from the standard normal.
    Undefined where a sample is empty or all of both samples agree. Rows must be independent: views of one patient
    are not (Beuque et al. 2023 use it on patients and on views).

    Raises
    ------
    EvaluationError
        If the counts are not whole numbers with 0 <= successes <= n.
    """
    for successes, n in ((successes_a, n_a), (successes_b, n_b)):
        checked_counts("Two proportions", successes, n)
    method, total = "two-proportion z, pooled, two-sided", n_a + n_b
    if min(n_a, n_b) == 0:
        return TestResult(None, None, method, total, "undefined: a sample is empty")
    if successes_a + successes_b in (0, total):
        return TestResult(None, None, method, total, "undefined: every row of both samples has the same outcome")
    z, p_value = proportion.proportions_ztest([successes_a, successes_b], [n_a, n_b])
    return TestResult(float(z), float(p_value), method, total)


def mcnemar(outcomes_a: ArrayLike, outcomes_b: ArrayLike) -> TestResult:
    """McNemar's test of paired yes/no outcomes, for example the same patients found by two arms.

    Exact binomial below 25 discordant pairs (statistic: the smaller discordant count), else chi-square with
    continuity correction, (|b - c| - 1)^2 / (b + c) (McNemar 1947; Edwards 1948); 0 where b = c, which a correction
    would only take away from. Undefined where no pair differs.

    Parameters
    ----------
    outcomes_a, outcomes_b : (n,) bool, or 0 and 1
        One entry a unit in the same order; units must be independent (patients, not views).

    Raises
    ------
    EvaluationError
        If the lengths differ or an entry is neither 0 nor 1.
    """
    a, b = _binary(outcomes_a, "McNemar"), _binary(outcomes_b, "McNemar")
    if a.shape != b.shape:
        raise EvaluationError(f"McNemar: expected pairs, found {a.size} and {b.size} outcomes.")
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    exact = only_a + only_b < EXACT_BELOW
    method = "McNemar, exact binomial" if exact else "McNemar, chi-square with continuity correction"
    if only_a + only_b == 0:
        return TestResult(None, None, method, a.size, "undefined: no pair differs")
    table = [[int((a & b).sum()), only_a], [only_b, int((~a & ~b).sum())]]
    result = contingency_tables.mcnemar(table, exact=exact, correction=only_a != only_b)
    return TestResult(float(result.statistic), float(result.pvalue), method, a.size)


def mann_whitney(values_a: ArrayLike, values_b: ArrayLike) -> TestResult:
    """Mann-Whitney U of two independent samples, two-sided, with tie correction.

    The statistic is U of the first sample. Exact for small samples without ties, else normal (scipy's "auto").

    Raises
    ------
    EvaluationError
        If a value is not a number.
    """
    a, b = _numbers(values_a, "Mann-Whitney"), _numbers(values_b, "Mann-Whitney")
    method = "Mann-Whitney U, two-sided"
    if min(a.size, b.size) == 0:
        return TestResult(None, None, method, a.size + b.size, "undefined: a sample is empty")
    if np.ptp(np.concatenate([a, b])) == 0:
        return TestResult(None, None, method, a.size + b.size, "undefined: every value is the same")
    result = stats.mannwhitneyu(a, b, alternative="two-sided", method="auto")
    return TestResult(float(result.statistic), float(result.pvalue), method, a.size + b.size)


def fisher(table: Sequence[Sequence[int]]) -> TestResult:
    """Fisher's exact test of a 2 x 2 table, two-sided; the statistic is the sample odds ratio.

    Raises
    ------
    EvaluationError
        If the table is not 2 x 2 with whole numbers from 0.
    """
    counts = np.asarray(table)
    if counts.shape != (2, 2) or not np.issubdtype(counts.dtype, np.integer) or (counts < 0).any():
        raise EvaluationError("Fisher: expected a 2 x 2 table of whole numbers from 0.")
    method, n = "Fisher's exact test, two-sided", int(counts.sum())
    if 0 in counts.sum(0) or 0 in counts.sum(1):
        return TestResult(None, None, method, n, "undefined: a row or column of the table is empty")
    result = stats.fisher_exact(counts)
    statistic = float(result.statistic)
    return TestResult(statistic if np.isfinite(statistic) else None, float(result.pvalue), method, n)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment of a declared family (Holm 1979); undefined entries stay and do not count."""
    return _adjusted(p_values, "holm")


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjustment that controls the false discovery rate (Benjamini and Hochberg 1995), for exploratory looks."""
    return _adjusted(p_values, "fdr_bh")


def _adjusted(p_values: Sequence[float | None], method: str) -> list[float | None]:
    defined = [value for value in p_values if value is not None]
    if any(not 0 <= value <= 1 for value in defined):
        raise EvaluationError("Adjustment: expected p values from 0 to 1.")
    if not defined:
        return list(p_values)
    adjusted = iter(multitest.multipletests(defined, method=method)[1].tolist())
    return [None if value is None else float(next(adjusted)) for value in p_values]


def _binary(values: ArrayLike, test: str) -> NDArray[np.bool_]:
    given = np.asarray(values)
    if given.ndim != 1 or (given.size and not np.isin(given, (0, 1)).all()):
        raise EvaluationError(f"{test}: expected flat lists of 0 and 1.")
    return given.astype(bool)


def _numbers(values: ArrayLike, test: str) -> NDArray[np.float64]:
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or np.isnan(given).any():
        raise EvaluationError(f"{test}: expected flat lists of numbers.")
    return given
