"""Rows on which two classifiers agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from detection.evaluation.agreed_labels import agreed_labels
from detection.evaluation.errors import EvaluationError
from detection.evaluation.resampling import Units

HALVES = (0.5, 0.5)

# Beuque et al. 2023, Table 3: benign and malignant rows, and right among the agreed ones of both
S004 = {
    # name: (negatives, positives, kept negatives, right of them, kept positives, right of them, printed kept share)
    "manual, views": (227, 363, 160, 128, 288, 279, 76),
    "manual, patients": (100, 179, 91, 71, 167, 161, 92),
    "automatic, views": (2463, 353, 2049, 1828, 313, 297, 84),
    "automatic, patients": (74, 171, 74, 44, 171, 168, 100),
}
SHARES = {
    # specificity and sensitivity in per cent
    "manual, views": (80.0, 96.9),
    "manual, patients": (78.0, 96.4),
    "automatic, views": (89.2, 94.9),
    "automatic, patients": (59.5, 98.2),
}


def rows_of(negatives: int, positives: int, kept_n: int, right_n: int, kept_p: int, right_p: int) -> tuple[Any, ...]:
    """Truth and two scores with these counts: agreed and right, agreed and wrong, not agreed."""
    rows = []
    for label, total, kept, right in ((0, negatives, kept_n, right_n), (1, positives, kept_p, right_p)):
        rows += [(label, float(label), float(label))] * right
        rows += [(label, 1.0 - label, 1.0 - label)] * (kept - right)
        rows += [(label, 0.0, 1.0)] * (total - kept)
    return tuple(zip(*rows, strict=True))


@pytest.mark.parametrize("name", S004)
def test_the_counts_of_s004_give_its_percentages(name: str) -> None:
    *counts, kept = S004[name]
    numbers = agreed_labels(*rows_of(*counts), thresholds=HALVES, resamples=100)
    assert round(100 * (numbers.kept.value or 0)) == kept
    values = [100 * (one.value or 0) for one in (numbers.specificity, numbers.sensitivity)]
    assert values == pytest.approx(SHARES[name], abs=0.06)
    assert (numbers.kept_negative.denominator, numbers.kept_positive.denominator) == tuple(counts[:2])


def scored(seed: int) -> tuple[Any, Any, Any, list[str]]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(240) < 0.4).astype(int)
    first, second = (np.clip(rng.normal(0.35 + 0.3 * labels, 0.25), 0, 1).round(2) for _ in range(2))
    return labels, first, second, [f"p{index // 3:03d}" for index in range(240)]


def test_numbers_on_the_kept_rows_are_those_of_scikit_learn() -> None:
    labels, first, second, groups = scored(1)
    numbers = agreed_labels(labels, first, second, thresholds=(0.4, 0.6), groups=groups, resamples=200)
    said, says = first >= 0.4, second >= 0.6
    kept = said == says
    assert 0.4 < kept.mean() < 0.95
    assert numbers.kept.value == pytest.approx(kept.mean())
    assert numbers.sensitivity.value == pytest.approx(recall_score(labels[kept], said[kept]))
    assert numbers.specificity.value == pytest.approx(recall_score(1 - labels[kept], ~said[kept]))
    assert numbers.accuracy.value == pytest.approx(accuracy_score(labels[kept], said[kept]))
    assert numbers.auc.value == pytest.approx(roc_auc_score(labels[kept], (first + second)[kept] / 2))
    assert numbers.error_kept.value == pytest.approx(1 - accuracy_score(labels[kept], said[kept]))
    assert numbers.error_first.value == pytest.approx(1 - accuracy_score(labels, said))
    assert numbers.error_second.value == pytest.approx(1 - accuracy_score(labels, says))
    assert (numbers.error_kept.value or 1) < min(numbers.error_first.value or 0, numbers.error_second.value or 0)


def test_intervals_draw_whole_patients_for_every_number() -> None:
    labels, first, second, groups = scored(2)
    numbers = agreed_labels(labels, first, second, thresholds=HALVES, groups=groups, resamples=200, method="percentile")
    units = Units(groups)
    drawn: dict[str, list[float]] = {"kept": [], "auc": []}
    for weights in np.concatenate(list(units.weight_blocks(200, 0))):
        rows = np.repeat(np.arange(240), weights[units.row])
        kept = (first[rows] >= 0.5) == (second[rows] >= 0.5)
        drawn["kept"].append(kept.mean())
        drawn["auc"].append(roc_auc_score(labels[rows][kept], (first[rows] + second[rows])[kept]))
    for name, values in drawn.items():
        interval = getattr(numbers, name)
        assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=1e-12)
    assert numbers.auc.units == len(np.unique(units.row[(first >= 0.5) == (second >= 0.5)]))


def test_nothing_agreed_is_undefined_and_says_so() -> None:
    numbers = agreed_labels([0, 1], [0.0, 0.0], [1.0, 1.0], thresholds=HALVES, resamples=100)
    assert numbers.kept.value == 0.0
    assert numbers.sensitivity.reason == "undefined: no positive row is kept"
    assert numbers.specificity.reason == "undefined: no negative row is kept"
    assert numbers.accuracy.reason == "undefined: no row is kept"
    assert numbers.auc.value is None
    one_class = agreed_labels([1, 1], [1.0, 0.9], [1.0, 0.8], thresholds=HALVES, resamples=100)
    assert one_class.auc.reason == "undefined: one class"
    assert one_class.kept_negative.reason == "undefined: no negative rows"
    assert agreed_labels([], [], [], thresholds=HALVES, resamples=100).kept.reason == "undefined: no rows"


@pytest.mark.parametrize(
    ("labels", "first", "second", "thresholds", "message"),
    [
        ([0, 1], [0.1, 1.2], [0.1, 0.2], HALVES, "score from 0 to 1"),
        ([0, 1], [0.1, 0.2], [float("nan"), 0.2], HALVES, "not a number"),
        ([0, 1], [0.1, 0.2], [0.2], HALVES, "one label for each score"),
        ([0, 2], [0.1, 0.2], [0.2, 0.2], HALVES, "labels 0 or 1"),
        ([0, 1], [0.1, 0.2], [0.2, 0.2], (0.5, 1.5), "threshold from 0 to 1"),
    ],
)
def test_rows_that_are_not_usable_are_refused(
    labels: Any, first: Any, second: Any, thresholds: Any, message: str
) -> None:
    with pytest.raises(EvaluationError, match=message):
        agreed_labels(labels, first, second, thresholds=thresholds)
    with pytest.raises(EvaluationError, match="a group for each"):
        agreed_labels([0, 1], [0.1, 0.2], [0.2, 0.2], thresholds=HALVES, groups=["a"])
