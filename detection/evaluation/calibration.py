"""Whether a score can be read as a probability: Brier score, calibration curve and error, recalibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from detection.evaluation.errors import EvaluationError
from detection.evaluation.intervals import (
    Interval,
    bootstrap_interval,
    proportion_interval,
    ratio_interval,
    undefined,
)
from detection.evaluation.protocol import IntervalMethod
from detection.evaluation.ranked_pairs import checked
from detection.evaluation.resampling import Ratio, Units, replicates

BINS = 10
_CLIP = 1e-6
"""Probabilities of 0 and 1 are moved this far inside before their logit is taken."""

_NO_LINE = "one class, all scores equal, or the classes do not overlap"

Binning = Literal["equal width", "equal mass"]


@dataclass(frozen=True)
class CalibrationBin:
    """Rows of one bin.

    Attributes
    ----------
    low, high : float
        Its ends; rows with low <= score < high, the last bin with its upper end.
    mean_score : float
    observed : Interval
        Share of positives; its interval is over patients, on the resamples of the Brier score, or Wilson where rows
        are independent.
    """

    low: float
    high: float
    mean_score: float
    observed: Interval


@dataclass(frozen=True)
class Calibration:
    """Calibration of probabilities on a set of rows.

    Attributes
    ----------
    brier : Interval
        Mean squared difference of score and outcome, with a bootstrap of patients.
    expected_error : float or None
        Expected calibration error: mean distance of bin score and bin share, weighted with rows.
    intercept, slope : float or None
        Of a logistic regression of the outcome on the logit of the score; 0 and 1 when calibrated. None where the
        classes do not overlap, all scores are equal or only one class is present.
    bins : tuple of CalibrationBin
        Only bins that hold rows.
    binning : {"equal width", "equal mass"}
    n : int
    reason : str or None
        Why numbers are undefined.
    """

    brier: Interval
    expected_error: float | None
    intercept: float | None
    slope: float | None
    bins: tuple[CalibrationBin, ...]
    binning: Binning
    n: int
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary with every bin."""
        return asdict(self)


def calibration(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    bins: int = BINS,
    binning: Binning = "equal width",
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    method: IntervalMethod = "logit-t",
) -> Calibration:
    """Brier score, expected calibration error, intercept and slope, and the curve in bins.

    Parameters
    ----------
    labels : (n,) bool, or 0 and 1
    probabilities : (n,) float in [0, 1]
    groups : sequence of str, optional
        Patient of each row; whole patients are drawn. Without it rows count as independent.
    bins : int
    binning : {"equal width", "equal mass"}
        Guo et al. 2017; "equal mass" puts about the same number of rows in each. The ends are those of the rows given,
        on every resample.
    resamples, level, seed, method
        As in `intervals.auc_interval`.

    Raises
    ------
    EvaluationError
        If a probability is outside [0, 1], the lists differ in length, or a label is neither 0 nor 1.
    """
    positive, scores = checked(labels, probabilities)
    if scores.size and not (scores.min() >= 0 and scores.max() <= 1):
        raise EvaluationError(
            "Calibration: scores outside [0, 1] are no probabilities; map them first, or do not ask for calibration."
        )
    if groups is not None and len(groups) != scores.size:
        raise EvaluationError(f"Calibration: expected a group for each of {scores.size} rows, found {len(groups)}.")
    if bins < 2:
        raise EvaluationError(f"Calibration: expected at least two bins, found {bins}.")
    if scores.size == 0:
        return Calibration(undefined("no rows", level=level), None, None, None, (), binning, 0, "undefined: no rows")
    units = Units([f"{row:09d}" for row in range(scores.size)] if groups is None else groups)
    brier = Ratio((scores - positive) ** 2, np.ones(scores.size, dtype=np.int64), units)
    edges, index = _binned(scores, bins, binning)
    filled = np.unique(index).tolist()
    inside = [index == number for number in filled]
    shares = [Ratio((rows & positive).astype(np.int64), rows.astype(np.int64), units) for rows in inside]
    drawn = replicates([brier, *shares], units, resamples, seed)
    unit = "row" if groups is None else "patient"
    observed = [
        proportion_interval(int(share.numerator.sum()), int(share.denominator.sum()), level=level)
        if groups is None
        else ratio_interval(share, values, level=level, unit=unit, method=method)
        for share, values in zip(shares, drawn[1:], strict=True)
    ]
    made = tuple(
        CalibrationBin(float(edges[number]), float(edges[number + 1]), float(scores[rows].mean()), share)
        for number, rows, share in zip(filled, inside, observed, strict=True)
    )
    error = sum(one.observed.n * abs(one.mean_score - float(one.observed.value or 0)) for one in made) / scores.size
    line = logistic_line(positive, scores)
    reason = (
        None
        if line
        else "intercept and slope are undefined: one class, all scores equal, or the classes do not overlap"
    )
    intercept, slope = line or (None, None)
    return Calibration(
        bootstrap_interval(
            float(brier.numerator.sum()) / scores.size,
            drawn[0],
            n=scores.size,
            units=len(units),
            unit=unit,
            level=level,
            method=method,
        ),
        float(error),
        intercept,
        slope,
        made,
        binning,
        scores.size,
        reason,
    )


def logistic_line(labels: ArrayLike, probabilities: ArrayLike) -> tuple[float, float] | None:
    """Intercept and slope of the outcome on the logit of the score, by maximum likelihood (Cox 1958).

    Fitted on validation rows, `recalibrated` applies it to others. None where no finite line exists: one class, all
    scores equal, or a threshold with no positive on one side of it and no negative on the other (Albert and Anderson
    1984).
    """
    positive, scores = checked(labels, probabilities)
    if positive.all() or not positive.any():
        return None
    logit = special.logit(np.clip(scores, _CLIP, 1 - _CLIP))
    if logit[positive].min() >= logit[~positive].max() or logit[positive].max() <= logit[~positive].min():
        return None
    sign = np.where(positive, 1.0, -1.0)

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (line[0] + line[1] * logit)
        pull = -sign * special.expit(-margin)
        return float(np.logaddexp(0, -margin).mean()), np.array([pull.mean(), (pull * logit).mean()])

    fit = optimize.minimize(loss, np.array([0.0, 1.0]), jac=True, method="BFGS", options={"gtol": 1e-9})
    return float(fit.x[0]), float(fit.x[1])


def recalibrated(probabilities: ArrayLike, line: tuple[float, float]) -> NDArray[np.float64]:
    """Probabilities after the line of `logistic_line`; ranks, and so the AUC, stay where the slope is positive."""
    scores = np.clip(np.asarray(probabilities, dtype=np.float64), _CLIP, 1 - _CLIP)
    return np.asarray(special.expit(line[0] + line[1] * special.logit(scores)), dtype=np.float64)


def _binned(scores: NDArray[np.float64], bins: int, binning: Binning) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Ends of the bins, and the bin of each score."""
    edges = np.linspace(0, 1, bins + 1)
    if binning == "equal mass":
        edges = np.unique(np.quantile(scores, edges))
        if edges.size == 1:
            edges = np.array([edges[0], edges[0]])
    return edges, np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, len(edges) - 2)
