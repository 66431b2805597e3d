"""Net benefit of acting on a score (Vickers and Elkin 2006)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection.evaluation.errors import EvaluationError
from detection.evaluation.ranked_pairs import checked


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit at each threshold probability.

    Attributes
    ----------
    thresholds : (k,) float64
        Probability of malignancy at which one would act.
    model, treat_all : (k,) float64
        Acting on no one has a net benefit of 0.
    prevalence : float
    """

    thresholds: NDArray[np.float64]
    model: NDArray[np.float64]
    treat_all: NDArray[np.float64]
    prevalence: float

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary."""
        return {
            "thresholds": self.thresholds.tolist(),
            "model": self.model.tolist(),
            "treat_all": self.treat_all.tolist(),
            "prevalence": self.prevalence,
        }


def decision_curve(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    thresholds: ArrayLike | None = None,
    prevalence: float | None = None,
) -> DecisionCurve | None:
    """Net benefit TPR p - FPR (1 - p) t / (1 - t) of acting at or above each threshold t.

    Parameters
    ----------
    labels : (n,) bool, or 0 and 1
    probabilities : (n,) float in [0, 1]
    thresholds : (k,) float in (0, 1), optional
        0.01 to 0.99 in steps of 0.01 where absent.
    prevalence : float, optional
        Of the population in mind; that of the rows where absent.

    Returns
    -------
    DecisionCurve, or None where only one class is present.

    Raises
    ------
    EvaluationError
        If a probability or threshold is out of range.
    """
    positive, scores = checked(labels, probabilities)
    if scores.size and not (scores.min() >= 0 and scores.max() <= 1):
        raise EvaluationError("Decision curve: scores outside [0, 1] are no probabilities; map them first.")
    at = np.arange(1, 100) / 100 if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    if at.ndim != 1 or not ((at > 0) & (at < 1)).all():
        raise EvaluationError("Decision curve: thresholds lie between 0 and 1, both excluded.")
    if prevalence is not None and not 0 < prevalence < 1:
        raise EvaluationError(f"Decision curve: expected a prevalence between 0 and 1, found {prevalence:g}.")
    if positive.all() or not positive.any():
        return None
    share = float(positive.mean()) if prevalence is None else prevalence
    called = scores[None, :] >= at[:, None]
    true, false = called[:, positive].mean(1), called[:, ~positive].mean(1)
    odds = at / (1 - at)
    return DecisionCurve(at, true * share - false * (1 - share) * odds, share - (1 - share) * odds, share)
