"""Rows on which two classifiers give the same label, and what their common answer is worth there (S004, Table 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection.evaluation.errors import EvaluationError
from detection.evaluation.intervals import Interval, auc_interval_of, ratio_interval
from detection.evaluation.protocol import IntervalMethod
from detection.evaluation.ranked_pairs import RankedPairs, checked
from detection.evaluation.resampling import Ratio, Statistic, Units, replicates


@dataclass(frozen=True)
class AgreedLabels:
    """Numbers on the rows with agreed labels.

    Attributes
    ----------
    kept, kept_positive, kept_negative : Interval
        Share of rows with agreed labels: of all, of the positive and of the negative ones.
    sensitivity, specificity, accuracy, auc : Interval
        On those rows; the score in the AUC is the mean of the two.
    error_kept, error_first, error_second : Interval
        Share of wrong labels: of the agreed ones, and of each classifier alone on all rows. What is won on the kept
        rows is to be read against the share that is left without an answer.
    sentence : str
    """

    kept: Interval
    kept_positive: Interval
    kept_negative: Interval
    sensitivity: Interval
    specificity: Interval
    accuracy: Interval
    auc: Interval
    error_kept: Interval
    error_first: Interval
    error_second: Interval
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary with every field."""
        return asdict(self)


def agreed_labels(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    thresholds: tuple[float, float],
    groups: Sequence[str] | None = None,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    method: IntervalMethod = "logit-t",
) -> AgreedLabels:
    """Compare two classifiers' labels row by row and judge those on which they agree.

    Parameters
    ----------
    labels : (n,) bool, or 0 and 1
        Truth.
    first, second : (n,) float in [0, 1]
        Scores of the two classifiers, rows in the same order.
    thresholds : (float, float)
        Of the first and the second; a row is called positive at or above it. Choose them on validation rows.
    groups : sequence of str, optional
        Patient of each row; whole patients are drawn. Without it single rows are drawn.
    resamples, level, seed, method
        As in `intervals.auc_interval`; all numbers share the resamples.

    Raises
    ------
    EvaluationError
        If lengths differ, a label is neither 0 nor 1, or a score or threshold is not a number from 0 to 1.
    """
    positive, one = checked(labels, first)
    _, other = checked(labels, second)
    for name, values in (("score", one), ("score", other), ("threshold", np.asarray(thresholds))):
        if values.size and not ((values >= 0) & (values <= 1)).all():
            raise EvaluationError(f"Agreed labels: expected every {name} from 0 to 1; map them first.")
    if groups is not None and len(groups) != positive.size:
        raise EvaluationError(f"Agreed labels: expected a group for each of {positive.size} rows, found {len(groups)}.")
    units = Units([f"{row:09d}" for row in range(positive.size)] if groups is None else groups)
    unit = "row" if groups is None else "patient"
    said, says = one >= thresholds[0], other >= thresholds[1]
    agreed = said == says
    ratios = {
        "kept": (agreed, np.ones_like(agreed)),
        "kept_positive": (agreed & positive, positive),
        "kept_negative": (agreed & ~positive, ~positive),
        "sensitivity": (agreed & positive & said, agreed & positive),
        "specificity": (agreed & ~positive & ~said, agreed & ~positive),
        "accuracy": (agreed & (said == positive), agreed),
        "error_kept": (agreed & (said != positive), agreed),
        "error_first": (said != positive, np.ones_like(agreed)),
        "error_second": (says != positive, np.ones_like(agreed)),
    }
    statistics = {
        name: Ratio(above.astype(np.int64), below.astype(np.int64), units) for name, (above, below) in ratios.items()
    }
    pairs = RankedPairs(positive[agreed], (one[agreed] + other[agreed]) / 2, units.row[agreed])
    every: list[Statistic] = [*statistics.values(), pairs]
    drawn = dict(zip((*statistics, "auc"), replicates(every, units, resamples, seed), strict=True))
    return AgreedLabels(
        **{
            name: ratio_interval(
                ratio, drawn[name], level=level, unit=unit, undefined_because=_why(name), method=method
            )
            for name, ratio in statistics.items()
        },
        auc=auc_interval_of(
            pairs,
            drawn["auc"],
            n=int(agreed.sum()),
            units=_contributing(units.row[agreed]),
            unit=unit,
            level=level,
            method=method,
        ),
        sentence=(
            f"Rows on which both call the same: positive at or above {thresholds[0]:g} and {thresholds[1]:g}; score: "
            f"the mean of the two; {level * 100:g} % {method} intervals from {resamples:,} resamples of {unit}s, "
            f"seed {seed}."
        ),
    )


def _contributing(unit: NDArray[np.intp]) -> int:
    return int(np.unique(unit).size)


def _why(name: str) -> str:
    if name in ("kept", "error_first", "error_second"):
        return "no rows"
    if name.startswith("kept_"):
        return f"no {name.removeprefix('kept_')} rows"
    return {"sensitivity": "no positive row is kept", "specificity": "no negative row is kept"}.get(
        name, "no row is kept"
    )
