"""Receiver operating characteristic and precision-recall curves, and the area under the former."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection.evaluation.auc_covariance import AUCCovariance, delong, obuchowski
from detection.evaluation.ranked_pairs import RankedPairs, checked

__all__ = [
    "AUCCovariance",
    "PrecisionRecallCurve",
    "RocCurve",
    "auc",
    "delong",
    "obuchowski",
    "precision_recall_curve",
    "roc_curve",
]


@dataclass(frozen=True, eq=False)
class RocCurve:
    """Operating points from the strictest to the laxest; a row is positive when its score is at or above the threshold.

    Attributes
    ----------
    thresholds : (k,) float64
        The first is infinite: nothing is called positive.
    sensitivity, false_positive_rate : (k,) float64
    """

    thresholds: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    false_positive_rate: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PrecisionRecallCurve:
    """Operating points from the strictest to the laxest.

    Attributes
    ----------
    thresholds : (k,) float64
    precision, recall : (k,) float64
    average_precision : float
        Sum of precision times the step of recall, without interpolation.
    """

    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    average_precision: float


def auc(labels: ArrayLike, scores: ArrayLike) -> float | None:
    """Probability that a positive scores above a negative, ties counted half.

    (#{s+ > s-} + 1/2 #{s+ = s-}) / (n+ n-), Hanley and McNeil 1982.

    Parameters
    ----------
    labels : (n,) bool, or 0 and 1
    scores : (n,) float
        Compared as stored: no rounding, no change of precision beyond float64.

    Returns
    -------
    float in [0, 1], or None where fewer than two classes are present.

    Raises
    ------
    EvaluationError
        If the lengths differ, a label is neither 0 nor 1, or a score is not a number.
    """
    positive, values = checked(labels, scores)
    return RankedPairs(positive, values).value()


def roc_curve(labels: ArrayLike, scores: ArrayLike) -> RocCurve | None:
    """Every operating point of the scores (scikit-learn); None where fewer than two classes are present.

    Raises
    ------
    EvaluationError
        As `auc`.
    """
    from sklearn import metrics  # a second of import time that the web process need not spend at start

    positive, values = checked(labels, scores)
    if positive.all() or not positive.any():
        return None
    false_positives, sensitivity, thresholds = metrics.roc_curve(positive, values, drop_intermediate=False)
    return RocCurve(thresholds, sensitivity, false_positives)


def precision_recall_curve(labels: ArrayLike, scores: ArrayLike) -> PrecisionRecallCurve | None:
    """Precision against recall (scikit-learn); None where no row is positive.

    Raises
    ------
    EvaluationError
        As `auc`.
    """
    from sklearn import metrics

    positive, values = checked(labels, scores)
    if not positive.any():
        return None
    precision, recall, thresholds = metrics.precision_recall_curve(positive, values)
    average = float(metrics.average_precision_score(positive, values))
    # the last point of scikit-learn, precision 1 at recall 0, belongs to no threshold
    return PrecisionRecallCurve(thresholds[::-1], precision[-2::-1], recall[-2::-1], average)
