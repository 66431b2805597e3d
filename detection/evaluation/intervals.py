"""Numbers with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtri, stdtrit

from detection.evaluation.errors import EvaluationError
from detection.evaluation.protocol import IntervalMethod
from detection.evaluation.ranked_pairs import RankedPairs, checked
from detection.evaluation.resampling import Ratio, Units, replicates

SKIPPED_SHARE_WARNED = 0.05
ROUNDING = 1e-12
"""Resamples that differ by no more have the same value: sums of measurements come in another order."""

Scale = Literal["share", "difference"]
"""A share lies in [0, 1] and gets its interval on the logit scale; a difference gets it as it is."""


@dataclass(frozen=True)
class Interval:
    """A number, its interval, and what both rest on.

    Attributes
    ----------
    value : float or None
        None where undefined; `reason` then says why.
    low, high : float or None
        Ends of the interval; None where it cannot be drawn.
    n : int
        Rows counted: lesions, findings.
    method : str
        "logit-t, bootstrap of patients", "percentile bootstrap of patients", "Wilson", ...; empty where no interval
        was drawn.
    resamples, skipped : int
        Resamples drawn, and those left out because the number is undefined on them.
    reason : str or None
        Why the value, or its interval, is undefined.
    numerator, denominator : int or None
        For ratios.
    units : int
        Patients (or images) that contribute to the number.
    level : float
        Confidence level.
    warning : str or None
        What a reader must know before trusting the interval.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str = ""
    resamples: int = 0
    skipped: int = 0
    reason: str | None = None
    numerator: int | None = None
    denominator: int | None = None
    units: int = 0
    level: float = 0.95
    warning: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary with every field."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Interval:
        """Read what `to_json` wrote.

        Raises
        ------
        EvaluationError
            If fields are missing or unknown.
        """
        if wrong := sorted(set(body) ^ {field.name for field in fields(cls)}):
            raise EvaluationError(f"Interval: field '{wrong[0]}' is missing or unknown.")
        return cls(**body)

    def short(self) -> dict[str, Any]:
        """The five fields a table cell needs."""
        return {name: getattr(self, name) for name in ("value", "low", "high", "n", "reason")}


def undefined(reason: str, *, n: int = 0, level: float = 0.95, **facts: Any) -> Interval:
    """An `Interval` without a value; `reason` begins with "undefined: "."""
    return Interval(None, None, None, n, reason=f"undefined: {reason}", level=level, **facts)


def proportion_interval(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Wilson score interval of a proportion of independent rows (Wilson 1927).

    (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n). Undefined where n is 0; its ends are exactly
    0 at no success and 1 at nothing else.

    Raises
    ------
    EvaluationError
        If the counts are not whole numbers with 0 <= successes <= n, or the level is not between 0 and 1.
    """
    checked_counts("Proportion", successes, n)
    checked_level(level)
    if n == 0:
        return undefined("nothing to count", level=level, numerator=0, denominator=0)
    low, high = _wilson(successes, n, level)
    return Interval(successes / n, low, high, n, "Wilson", numerator=successes, denominator=n, units=n, level=level)


def checked_counts(name: str, successes: int, n: int) -> None:
    """Refuse counts that are not whole numbers with 0 <= successes <= n by `EvaluationError`."""
    if not (0 <= successes <= n and float(successes).is_integer() and float(n).is_integer()):
        raise EvaluationError(f"{name}: expected whole numbers with 0 <= successes <= n, found {successes} of {n}.")


def checked_level(level: float) -> None:
    """Refuse a confidence level that is not between 0 and 1 by `EvaluationError`."""
    if not 0 < level < 1:
        raise EvaluationError(f"Interval: expected a confidence level between 0 and 1, such as 0.95, found {level:g}.")


def clustered_ratio_interval(
    numerator: ArrayLike,
    denominator: ArrayLike,
    groups: Sequence[str],
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    method: IntervalMethod = "logit-t",
) -> Interval:
    """Ratio of two counts with a bootstrap that draws whole groups.

    Parameters
    ----------
    numerator, denominator : (rows,) int
        Counts of each row, 0 <= numerator <= denominator.
    groups : sequence of str
        Patient of each row.
    method : {"logit-t", "percentile"}
        See `bootstrap_interval`.

    Raises
    ------
    EvaluationError
        If the lengths differ, a count is negative or above its denominator, the name of a group is not text, or the
        level is not between 0 and 1.
    """
    checked_level(level)
    above = np.asarray(numerator, dtype=np.int64)
    below = np.asarray(denominator, dtype=np.int64)
    if above.shape != below.shape or above.shape != (len(groups),):
        raise EvaluationError(
            f"Ratio: expected one numerator, denominator and group a row, found {above.shape}, {below.shape} "
            f"and {len(groups)} groups."
        )
    if ((above < 0) | (above > below)).any():
        raise EvaluationError("Ratio: expected 0 <= numerator <= denominator in every row.")
    units = Units(groups)
    ratio = Ratio(above, below, units)
    return ratio_interval(ratio, replicates([ratio], units, resamples, seed)[0], level=level, method=method)


def auc_interval(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    method: IntervalMethod = "logit-t",
) -> Interval:
    """AUC with a bootstrap interval.

    (#{s+ > s-} + 1/2 #{s+ = s-}) / (n+ n-) (Hanley and McNeil 1982); the interval as in `bootstrap_interval`.
    Undefined without rows or with one class; a value without an interval where every resample gives the same number
    (classes fully apart, all scores equal) or one patient alone contributes. Resamples without one of the classes are
    skipped and counted.

    Parameters
    ----------
    labels : (n,) bool, or 0 and 1
    scores : (n,) float
    groups : sequence of str, optional
        Patient of each row; whole patients are drawn. Without it single rows are drawn, which is right only
        for independent rows.
    method : {"logit-t", "percentile"}
        See `bootstrap_interval`.

    Raises
    ------
    EvaluationError
        If lengths differ, a label is neither 0 nor 1, a score is not a finite number, the name of a group is not
        text, or the level is not between 0 and 1.
    """
    checked_level(level)
    positive, values = checked(labels, scores)
    if groups is not None and len(groups) != positive.size:
        raise EvaluationError(f"AUC: expected a group for each of {positive.size} rows, found {len(groups)}.")
    units = Units([f"{row:09d}" for row in range(positive.size)] if groups is None else groups)
    pairs = RankedPairs(positive, values, units.row)
    drawn = replicates([pairs], units, resamples, seed)[0] if pairs.defined else np.empty(0)
    return auc_interval_of(
        pairs,
        drawn,
        n=positive.size,
        units=len(units),
        unit="row" if groups is None else "patient",
        level=level,
        method=method,
    )


def ratio_interval(
    ratio: Ratio,
    drawn: NDArray[np.float64],
    *,
    level: float,
    unit: str = "patient",
    undefined_because: str = "nothing to count",
    method: IntervalMethod = "logit-t",
) -> Interval:
    """Interval of a ratio from its (resamples,) bootstrap values `drawn`.

    A ratio of exactly 0 or 1 has no logit, and a bootstrap interval of no width, which would claim certainty.
    There the Wilson interval with the contributing units as independent rows stands instead, whatever the method,
    and says so.
    """
    above, below = int(ratio.numerator.sum()), int(ratio.denominator.sum())
    if below == 0:
        return undefined(undefined_because, level=level, numerator=0, denominator=0)
    units = int(np.count_nonzero(ratio.denominator))
    facts: dict[str, Any] = {"numerator": above, "denominator": below, "units": units, "level": level}
    if units < 2:
        return Interval(
            above / below,
            None,
            None,
            below,
            reason=f"interval undefined: only one {unit} contributes",
            **facts,
        )
    if above in (0, below):
        low, high = _wilson(units if above else 0, units, level)
        warning = (
            f"{above} of {below}: the bootstrap has no width here; Wilson interval of the {units} "
            f"contributing {unit}s instead."
        )
        return Interval(above / below, low, high, below, f"Wilson of {unit}s", warning=warning, **facts)
    return _from_resamples(above / below, drawn, n=below, unit=unit, method=method, scale="share", facts=facts)


def auc_interval_of(
    pairs: RankedPairs,
    drawn: NDArray[np.float64],
    *,
    n: int,
    units: int,
    unit: str,
    level: float,
    method: IntervalMethod = "logit-t",
) -> Interval:
    """Interval of an AUC from its (resamples,) bootstrap values `drawn`."""
    value = pairs.value()
    if value is None:
        return undefined("one class" if n else "no rows", n=n, level=level, units=units)
    return bootstrap_interval(value, drawn, n=n, units=units, unit=unit, level=level, method=method)


def bootstrap_interval(
    value: float,
    drawn: NDArray[np.float64],
    *,
    n: int,
    units: int,
    unit: str,
    level: float,
    method: IntervalMethod = "logit-t",
    scale: Scale = "share",
) -> Interval:
    """Interval of any number from its (resamples,) bootstrap values; NaN marks a resample that does not define it.

    Parameters
    ----------
    value : float
        In [0, 1] where `scale` is "share".
    drawn : (resamples,) float64
    n, units : int
        Rows, and patients (or images) that contribute.
    unit : str
        Name of what was drawn.
    level : float
    method : {"logit-t", "percentile"}
        `percentile`: the quantiles of the resamples, as in S004; too narrow with few patients. `logit-t`: the
        standard deviation s of the resamples, times sqrt(units / (units - 1)), with the quantile t of Student's
        distribution with units - 1 degrees of freedom: expit(logit(v) +- t s / (v (1 - v))) for a share,
        v +- t s for a difference (Pepe 2003, section 5.2, for the logit; Rutter 2000 for the standard error from
        resampled patients; Korn and Graubard 1999, section 5.2, for t over the clusters). A share of exactly 0 or 1
        has no logit: the percentiles stand there, and `method` of the interval says so.
    scale : {"share", "difference"}
    """
    facts: dict[str, Any] = {"units": units, "level": level}
    if units < 2:
        return Interval(value, None, None, n, reason=f"interval undefined: only one {unit} contributes", **facts)
    return _from_resamples(value, drawn, n=n, unit=unit, method=method, scale=scale, facts=facts)


def standard_error(drawn: NDArray[np.float64], units: int) -> float:
    """Standard deviation of the defined resamples, times sqrt(units / (units - 1)) for the units that were drawn."""
    return float(np.nanstd(drawn, ddof=1)) * math.sqrt(units / (units - 1))


def _from_resamples(
    value: float,
    drawn: NDArray[np.float64],
    *,
    n: int,
    unit: str,
    method: IntervalMethod,
    scale: Scale,
    facts: dict[str, Any],
) -> Interval:
    kept = drawn[~np.isnan(drawn)]
    skipped = int(drawn.size - kept.size)
    counts: dict[str, Any] = {"resamples": int(drawn.size), "skipped": skipped, **facts}
    if kept.size == 0 or np.ptp(kept) <= ROUNDING:
        why = "no resample defines it" if kept.size == 0 else "every resample gives the same value"
        return Interval(value, None, None, n, reason=f"interval undefined: {why}", **counts)
    warning = None
    if skipped > SKIPPED_SHARE_WARNED * drawn.size:
        warning = (
            f"{skipped} of {drawn.size} resamples were skipped because the number is undefined on them; "
            "the interval is unreliable."
        )
    tail = (1 - facts["level"]) / 2
    if method == "percentile" or (scale == "share" and not 0 < value < 1):
        low, high = np.quantile(kept, [tail, 1 - tail])
        words = f"percentile bootstrap of {unit}s"
        if method != "percentile":
            words += f" ({value:g} has no logit)"
        return Interval(value, float(low), float(high), n, words, warning=warning, **counts)
    units = facts["units"]
    half = float(stdtrit(units - 1, 1 - tail)) * standard_error(kept, units)
    if scale == "difference":
        return Interval(value, value - half, value + half, n, f"t, bootstrap of {unit}s", warning=warning, **counts)
    centre, half = float(logit(value)), half / (value * (1 - value))
    low, high = float(expit(centre - half)), float(expit(centre + half))
    return Interval(value, low, high, n, f"logit-t, bootstrap of {unit}s", warning=warning, **counts)


def _wilson(successes: int, n: int, level: float) -> tuple[float, float]:
    z = float(ndtri((1 + level) / 2))
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # the ends are exactly 0 and 1 at the borders; rounding must not move them
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high
