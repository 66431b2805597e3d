"""Whether a score can be read as a probability: Brier score, calibration curve and error, recalibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from detection.evaluation.errors import EvaluationError
from detection.evaluation.intervals import Interval, bootstrap_interval, proportion_interval, undefined
from detection.evaluation.ranked_pairs import checked
from detection.evaluation.resampling import Units, replicates

BINS = 10
_CLIP = 1e-6
"""Probabilities of 0 and 1 are moved this far inside before their logit is taken."""

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
        Share of positives with its Wilson interval.
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
        classes are fully apart or only one is present.
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


@dataclass(frozen=True, eq=False)
class _Brier:
    """Brier score of weighted units."""

    loss: NDArray[np.float64]
    rows: NDArray[np.float64]

    def resampled(self, weights: NDArray[np.int32]) -> NDArray[np.float64]:
        drawn = weights.astype(np.float64)
        count = drawn @ self.rows
        return np.divide(drawn @ self.loss, count, out=np.full(count.shape, np.nan), where=count > 0)


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
) -> Calibration:
    """Brier score, expected calibration error, intercept and slope, and the curve in bins.

    Parameters
    ----------
    labels : (n,) bool, or 0 and 1
    probabilities : (n,) float in [0, 1]
    groups : sequence of str, optional
        Patient of each row, for the interval of the Brier score.
    bins : int
    binning : {"equal width", "equal mass"}
        Guo et al. 2017; "equal mass" puts about the same number of rows in each.

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
    loss = (scores - positive) ** 2
    statistic = _Brier(
        np.bincount(units.row, loss, len(units)).astype(np.float64),
        np.bincount(units.row, minlength=len(units)).astype(np.float64),
    )
    drawn = replicates([statistic], units, resamples, seed)[0]
    unit = "row" if groups is None else "patient"
    brier = bootstrap_interval(float(loss.mean()), drawn, n=scores.size, units=len(units), unit=unit, level=level)
    made = _bins(positive, scores, bins, binning, level)
    error = sum(one.observed.n * abs(one.mean_score - float(one.observed.value or 0)) for one in made) / scores.size
    line = logistic_line(positive, scores)
    reason = None if line else "intercept and slope are undefined: one class, or the classes are fully apart"
    intercept, slope = line or (None, None)
    return Calibration(brier, float(error), intercept, slope, made, binning, scores.size, reason)


def logistic_line(labels: ArrayLike, probabilities: ArrayLike) -> tuple[float, float] | None:
    """Intercept and slope of the outcome on the logit of the score, by maximum likelihood (Cox 1958).

    Fitted on validation rows, `recalibrated` applies it to others. None where no finite line exists.
    """
    positive, scores = checked(labels, probabilities)
    if positive.all() or not positive.any():
        return None
    logit = special.logit(np.clip(scores, _CLIP, 1 - _CLIP))
    if logit[positive].min() > logit[~positive].max() or logit[positive].max() < logit[~positive].min():
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


def _bins(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], bins: int, binning: Binning, level: float
) -> tuple[CalibrationBin, ...]:
    edges = np.linspace(0, 1, bins + 1)
    if binning == "equal mass":
        edges = np.unique(np.quantile(scores, edges))
        if edges.size == 1:
            edges = np.array([edges[0], edges[0]])
    index = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, len(edges) - 2)
    made = []
    for number in range(len(edges) - 1):
        inside = index == number
        if inside.any():
            observed = proportion_interval(int(positive[inside].sum()), int(inside.sum()), level=level)
            made.append(
                CalibrationBin(float(edges[number]), float(edges[number + 1]), float(scores[inside].mean()), observed)
            )
    return tuple(made)
