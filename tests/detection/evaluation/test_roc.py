"""The area under the ROC curve, with ties and weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from detection.evaluation.errors import EvaluationError
from detection.evaluation.ranked_pairs import RankedPairs
from detection.evaluation.roc import auc

# eighths bring ties
rows = st.lists(
    st.tuples(st.booleans(), st.one_of(st.integers(0, 8).map(lambda k: k / 8), st.floats(0, 1))),
    min_size=2,
    max_size=60,
).filter(lambda pairs: len({label for label, _ in pairs}) == 2)


@given(rows)
def test_agrees_with_scikit_learn(pairs: list[tuple[bool, float]]) -> None:
    labels, scores = zip(*pairs, strict=True)
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_plays_no_part(pairs: list[tuple[bool, float]], shuffler: object) -> None:
    before = auc(*zip(*pairs, strict=True))
    shuffler.shuffle(pairs)  # type: ignore[attr-defined]
    assert auc(*zip(*pairs, strict=True)) == before


@given(rows)
def test_turning_the_scores_round_turns_the_area_round(pairs: list[tuple[bool, float]]) -> None:
    labels, scores = zip(*pairs, strict=True)
    area, turned = auc(labels, scores), auc(labels, [-score for score in scores])
    assert area is not None and turned is not None
    assert area + turned == pytest.approx(1, abs=1e-12)


@given(rows, st.data())
def test_weights_mean_the_same_as_repeating_rows(pairs: list[tuple[bool, float]], data: st.DataObject) -> None:
    labels, scores = (np.array(column) for column in zip(*pairs, strict=True))
    weights = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(pairs), max_size=len(pairs))))
    value = RankedPairs(labels, scores.astype(float)).resampled(weights[None].astype(np.int32))[0]
    repeated, repeated_scores = np.repeat(labels, weights), np.repeat(scores, weights)
    if len(set(repeated)) < 2:
        assert np.isnan(value)
    else:
        assert value == pytest.approx(roc_auc_score(repeated, repeated_scores), abs=1e-12)


def test_one_class_or_nothing_is_undefined_never_one_half() -> None:
    assert auc([1, 1], [0.2, 0.3]) is None
    assert auc([0], [0.2]) is None
    assert auc([], []) is None


def test_equal_scores_give_one_half() -> None:
    assert auc([0, 1, 0, 1, 1], [0.3] * 5) == 0.5


def test_scores_are_compared_as_stored() -> None:
    double = [0.1234567890123, 0.1234567890124]
    assert auc([0, 1], double) == 1.0
    assert auc([0, 1], np.array(double, dtype=np.float32)) == 0.5
    assert auc([0, 1], np.round(double, 3)) == 0.5


def test_unusable_input_is_rejected() -> None:
    with pytest.raises(EvaluationError, match="1 of 2 scores are not a number"):
        auc([0, 1], [0.2, float("nan")])
    with pytest.raises(EvaluationError, match="labels 0 or 1"):
        auc([0, 2], [0.2, 0.3])
    with pytest.raises(EvaluationError, match="one label for each score"):
        auc([0, 1], [0.2])
