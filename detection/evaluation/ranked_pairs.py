"""Two classes of scores, sorted once, whose (weighted) share of pairs in the right order is then cheap."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection.evaluation.errors import EvaluationError


def checked(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Labels as bool and scores as float64, both (n,), or `EvaluationError`; an infinite score is none."""
    try:
        given, values = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"AUC: expected flat lists of labels and of scores that are numbers; {error}.") from error
    if given.ndim != 1 or given.shape != values.shape:
        raise EvaluationError(
            f"AUC: expected one label for each score in flat lists, found shapes {given.shape} and {values.shape}."
        )
    if given.size and not np.isin(given, (0, 1)).all():
        raise EvaluationError("AUC: expected labels 0 or 1.")
    if bad := int((~np.isfinite(values)).sum()):
        raise EvaluationError(f"AUC: {bad} of {values.size} scores are not a number; remove or correct them.")
    return given.astype(bool), values


class RankedPairs:
    """Scores of two classes sorted once, so that the AUC of any weighting of the rows is cheap.

    Parameters
    ----------
    positive : (n,) bool
    scores : (n,) float64
    unit : (n,) int, optional
        Column of the weights that each row takes; the row itself where absent.
    weight : (n,) float64, optional
        Fixed weight of each positive row (that of a negative one is 1); 1 where absent.
    """

    def __init__(
        self,
        positive: NDArray[np.bool_],
        scores: NDArray[np.float64],
        unit: NDArray[np.intp] | None = None,
        weight: NDArray[np.float64] | None = None,
    ) -> None:
        column = np.arange(positive.size) if unit is None else unit
        negative_rows = np.flatnonzero(~positive)
        negative_rows = negative_rows[np.argsort(scores[negative_rows], kind="stable")]
        positive_rows = np.flatnonzero(positive)
        positive_rows = positive_rows[np.argsort(scores[positive_rows], kind="stable")]
        ordered = scores[negative_rows]
        # negatives strictly below each positive, and not above it: their mean counts ties half
        self._below = np.searchsorted(ordered, scores[positive_rows], side="left")
        self._not_above = np.searchsorted(ordered, scores[positive_rows], side="right")
        self._no_ties = bool((self._below == self._not_above).all())
        self._negative = column[negative_rows]
        self._positive = column[positive_rows]
        self._weight = None if weight is None else weight[positive_rows]

    @property
    def defined(self) -> bool:
        """Whether both classes are present."""
        return bool(self._positive.size and self._negative.size)

    def value(self) -> float | None:
        """AUC with every row once; None where one class is missing."""
        if not self.defined:
            return None
        pairs = self._below + self._not_above
        if self._weight is not None:
            return float(self._weight @ pairs) / (2 * float(self._weight.sum()) * self._negative.size)
        return int(pairs.sum(dtype=np.int64)) / (2 * self._positive.size * self._negative.size)

    def resampled(self, weights: NDArray[np.int32]) -> NDArray[np.float64]:
        """AUC of each resample.

        Parameters
        ----------
        weights : (resamples, units) int32
            How often each unit was drawn.

        Returns
        -------
        (resamples,) float64
            NaN where a class is missing from the resample.
        """
        drawn = np.zeros((weights.shape[0], self._negative.size + 1), dtype=np.int32)
        # `take` gathers whole columns several times faster than indexing
        np.cumsum(weights.take(self._negative, axis=1), axis=1, out=drawn[:, 1:])
        positives = weights.take(self._positive, axis=1).astype(np.float64)
        if self._weight is not None:
            positives *= self._weight
        pairs = drawn.take(self._below, axis=1)
        pairs += pairs if self._no_ties else drawn.take(self._not_above, axis=1)
        # whole numbers below 2**53: exact in float64
        wins = np.einsum("bp,bp->b", positives, pairs.astype(np.float64))
        total = 2.0 * positives.sum(axis=1) * drawn[:, -1]
        return np.divide(wins, total, out=np.full(wins.shape, np.nan), where=total > 0)
