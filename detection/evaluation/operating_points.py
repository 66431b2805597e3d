"""Thresholds fixed on validation rows, and BI-RADS-like bands of a score."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection.evaluation.errors import EvaluationError
from detection.evaluation.ranked_pairs import checked


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what it gives on the rows it was chosen on; a row is positive at or above it.

    Attributes
    ----------
    rule : str
        For example "Youden" or "specificity above 0.95".
    threshold : float or None
        None where no threshold of the rows fulfils the rule; `reason` then says why.
    sensitivity, specificity : float or None
    n : int
    reason : str or None
    strict : bool
        Whether a row must be above the threshold instead of at or above it.
    """

    rule: str
    threshold: float | None
    sensitivity: float | None
    specificity: float | None
    n: int
    reason: str | None = None
    strict: bool = False

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary with every field."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class _Points:
    """Each distinct score as a threshold, highest first, with the rows it calls positive."""

    thresholds: NDArray[np.float64]
    found: NDArray[np.int64]
    false: NDArray[np.int64]
    positives: int
    negatives: int

    @property
    def n(self) -> int:
        return self.positives + self.negatives

    @property
    def sensitivity(self) -> NDArray[np.float64]:
        return self.found / self.positives

    @property
    def specificity(self) -> NDArray[np.float64]:
        return (self.negatives - self.false) / self.negatives

    def at(self, index: int, rule: str) -> OperatingPoint:
        return OperatingPoint(
            rule,
            float(self.thresholds[index]),
            float(self.sensitivity[index]),
            float(self.specificity[index]),
            self.n,
        )


def youden(labels: ArrayLike, scores: ArrayLike, *, legacy_strict: bool = False) -> OperatingPoint:
    """The threshold with the largest sensitivity + specificity - 1 (Youden 1950); among equals the highest.

    Choose it on training or validation rows, never on the test set. Beuque et al. 2023 apply the threshold with
    ">", which loses the very row that defines it; `legacy_strict` reports what that gives. Without rows or with one
    class there is no threshold, and a reason. The index is never below 0: the lowest score calls every row positive.

    Raises
    ------
    EvaluationError
        If the lengths differ, a label is neither 0 nor 1, or a score is not a finite number.
    """
    points = _points(labels, scores)
    if isinstance(points, OperatingPoint):
        return OperatingPoint("Youden", None, None, None, points.n, points.reason)
    # in whole numbers, so that equal thresholds are equal
    index = points.found * points.negatives - points.false * points.positives
    best = points.at(int(np.argmax(index)), "Youden")
    if not legacy_strict or best.threshold is None:
        return best
    positive, values = checked(labels, scores)
    above = values > best.threshold
    return OperatingPoint(
        "Youden, applied with >",
        best.threshold,
        float(above[positive].mean()),
        float((~above[~positive]).mean()),
        best.n,
        strict=True,
    )


def at_specificity(labels: ArrayLike, scores: ArrayLike, least: float) -> OperatingPoint:
    """The lowest threshold with a specificity above `least`: the most sensitive point that is specific enough.

    Raises
    ------
    EvaluationError
        As `youden`, or if `least` is not in [0, 1).
    """
    _share(least, "specificity")
    rule = f"specificity above {least:g}"
    points = _points(labels, scores)
    if isinstance(points, OperatingPoint):
        return OperatingPoint(rule, None, None, None, points.n, points.reason)
    fit = np.flatnonzero(points.specificity > least)
    if fit.size == 0:
        return OperatingPoint(rule, None, None, None, points.n, f"undefined: no threshold has a {rule}")
    return points.at(int(fit[-1]), rule)


def at_sensitivity(labels: ArrayLike, scores: ArrayLike, least: float) -> OperatingPoint:
    """The highest threshold with a sensitivity of at least `least`.

    Raises
    ------
    EvaluationError
        As `youden`, or if `least` is not in [0, 1].
    """
    if least != 1:
        _share(least, "sensitivity")
    rule = f"sensitivity of at least {least:g}"
    points = _points(labels, scores)
    if isinstance(points, OperatingPoint):
        return OperatingPoint(rule, None, None, None, points.n, points.reason)
    # the lowest score as threshold finds every positive, so that one always fits
    return points.at(int(np.flatnonzero(points.sensitivity >= least)[0]), rule)


@dataclass(frozen=True)
class BiradsBands:
    """Score bands that read like BI-RADS categories (Coronado et al. 2022), fixed on validation rows.

    A score at or above `six` is 6, at or above `five` 5, at or above `four` 4, at or above `three` 3, else 1; the
    highest band that holds wins.

    Attributes
    ----------
    six, five : float or None
        Lowest thresholds with a specificity above 0.99 and above 0.95; None where there is none.
    four, three : float
        Highest thresholds with a sensitivity of at least 0.95 and at least 0.99.
    warnings : tuple of str
        Where bands are empty or overlap.
    """

    six: float | None
    five: float | None
    four: float
    three: float
    warnings: tuple[str, ...] = ()

    def grade(self, scores: ArrayLike) -> NDArray[np.int64]:
        """Category of each score.

        Raises
        ------
        EvaluationError
            If a score is not a number.
        """
        values = np.asarray(scores, dtype=np.float64)
        if np.isnan(values).any():
            raise EvaluationError("BI-RADS bands: a score is not a number; remove or correct it.")
        grades = np.ones(values.shape, dtype=np.int64)
        for grade, threshold in ((3, self.three), (4, self.four), (5, self.five), (6, self.six)):
            if threshold is not None:
                grades[values >= threshold] = np.maximum(grades[values >= threshold], grade)
        return grades


def birads_bands(labels: ArrayLike, scores: ArrayLike) -> BiradsBands:
    """Bands of Coronado et al. 2022 from validation rows.

    Raises
    ------
    EvaluationError
        As `youden`, or if only one class is present.
    """
    points = _points(labels, scores)
    if isinstance(points, OperatingPoint):
        raise EvaluationError(f"BI-RADS bands: {points.reason}; both classes are needed.")
    six = at_specificity(labels, scores, 0.99).threshold
    five = at_specificity(labels, scores, 0.95).threshold
    four = at_sensitivity(labels, scores, 0.95).threshold
    three = at_sensitivity(labels, scores, 0.99).threshold
    assert four is not None and three is not None
    found = [
        f"no threshold has a specificity above {share}: category {grade} is empty"
        for grade, share, value in ((6, 0.99, six), (5, 0.95, five))
        if value is None
    ]
    if five is not None and four >= five:
        found.append(
            "95 % sensitivity is reached above the threshold of 95 % specificity: category 4 is empty and the higher "
            "category wins where bands overlap"
        )
    return BiradsBands(six, five, four, three, tuple(found))


def _points(labels: ArrayLike, scores: ArrayLike) -> _Points | OperatingPoint:
    positive, values = checked(labels, scores)
    if positive.all() or not positive.any():
        reason = "undefined: one class" if positive.size else "undefined: no rows"
        return OperatingPoint("", None, None, None, positive.size, reason)
    thresholds, first = np.unique(-values, return_inverse=True)
    found = np.cumsum(np.bincount(first[positive], minlength=len(thresholds)))
    false = np.cumsum(np.bincount(first[~positive], minlength=len(thresholds)))
    return _Points(-thresholds, found, false, int(positive.sum()), int((~positive).sum()))


def _share(value: float, name: str) -> None:
    if not 0 <= value < 1:
        raise EvaluationError(f"Operating point: expected a {name} from 0 up to, not including, 1; found {value:g}.")
