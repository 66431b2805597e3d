"""Input that no study has: refused with the reason, or undefined with it, never a number that looks right."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from detection.evaluation.errors import EvaluationError
from detection.evaluation.hypothesis_tests import mcnemar, two_proportion_z
from detection.evaluation.intervals import Interval, auc_interval, clustered_ratio_interval, proportion_interval
from detection.evaluation.mrmc import obuchowski_rockette
from detection.evaluation.operating_points import birads_bands, youden
from detection.evaluation.roc import auc, delong, obuchowski, precision_recall_curve, roc_curve

LABELS = [0, 1, 0, 1]
SCORES = [0.1, 0.4, 0.5, 0.9]
PATIENTS = ["a", "b", "c", "d"]
OF_SCORES: dict[str, Callable[[Any, Any], object]] = {
    "auc": auc,
    "auc_interval": auc_interval,
    "delong": delong,
    "obuchowski": lambda labels, scores: obuchowski(labels, scores, groups=PATIENTS),
    "roc_curve": roc_curve,
    "precision_recall_curve": precision_recall_curve,
    "youden": youden,
    "birads_bands": birads_bands,
    "obuchowski_rockette": lambda labels, scores: obuchowski_rockette(labels, [[scores, scores]] * 2),
}


@pytest.mark.parametrize("name", OF_SCORES)
@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        (LABELS, [0.1, math.nan, 0.5, 0.9]),
        (LABELS, [0.1, math.inf, 0.5, 0.9]),
        (LABELS, [0.1, None, 0.5, 0.9]),
        (LABELS, [0.1, "high", 0.5, 0.9]),
        (LABELS, [0.1, 0.4, 0.5]),
        ([0, 1, 2, 1], SCORES),
        ([0, 1, math.nan, 1], SCORES),
        (["0", "1", "0", "1"], SCORES),
        ([LABELS], SCORES),
    ],
    ids=["nan", "infinite", "missing", "text", "lengths", "third class", "label nan", "label text", "nested"],
)
def test_scores_and_labels_that_are_none_are_refused(name: str, labels: Any, scores: Any) -> None:
    with pytest.raises(EvaluationError):
        OF_SCORES[name](labels, scores)


@pytest.mark.parametrize("labels", [[1, 1, 1, 1], [0, 0, 0, 0]])
def test_one_class_is_undefined_or_refused(labels: list[int]) -> None:
    assert auc(labels, SCORES) is None and roc_curve(labels, SCORES) is None
    found = [auc_interval(labels, SCORES), delong(labels, SCORES), obuchowski(labels, SCORES, groups=PATIENTS)]
    for one in found:
        assert isinstance(one, Interval) and (one.value, one.low, one.reason) == (None, None, "undefined: one class")
    assert (youden(labels, SCORES).threshold, youden(labels, SCORES).reason) == (None, "undefined: one class")
    with pytest.raises(EvaluationError, match="both classes"):
        birads_bands(labels, SCORES)
    with pytest.raises(EvaluationError, match="both classes"):
        obuchowski_rockette(labels, [[SCORES, SCORES]] * 2)


def test_nothing_at_all_is_undefined_or_refused() -> None:
    assert auc([], []) is None and roc_curve([], []) is None and precision_recall_curve([], []) is None
    assert auc_interval([], []).reason == "undefined: no rows"
    assert youden([], []).reason == "undefined: no rows"
    assert proportion_interval(0, 0).reason == "undefined: nothing to count"
    assert mcnemar([], []).reason == "undefined: no pair differs"
    assert two_proportion_z(0, 0, 1, 2).reason == "undefined: a sample is empty"
    for undefined in (delong([], []), obuchowski([], [], groups=[])):
        assert isinstance(undefined, Interval) and undefined.value is None
    with pytest.raises(EvaluationError, match="both classes"):
        birads_bands([], [])


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, -0.95, math.nan])
def test_a_level_that_is_no_probability_is_refused(level: float) -> None:
    covariance = delong(LABELS, SCORES, SCORES)
    assert not isinstance(covariance, Interval)
    for number in (
        lambda: auc_interval(LABELS, SCORES, level=level),
        lambda: proportion_interval(3, 4, level=level),
        lambda: clustered_ratio_interval([1, 0], [1, 1], ["a", "b"], level=level),
        lambda: covariance.interval(level=level),
        lambda: covariance.difference(level=level),
        lambda: obuchowski_rockette(LABELS, [[SCORES, SCORES]] * 2, level=level),
    ):
        with pytest.raises(EvaluationError, match="confidence level between 0 and 1"):
            number()


@pytest.mark.parametrize(("successes", "n"), [(-1, 4), (5, 4), (2.5, 4), (math.nan, 4), (1, math.inf)])
def test_counts_that_are_none_are_refused(successes: Any, n: Any) -> None:
    with pytest.raises(EvaluationError, match="whole numbers"):
        proportion_interval(successes, n)
    with pytest.raises(EvaluationError, match="whole numbers"):
        two_proportion_z(1, 2, successes, n)


@pytest.mark.parametrize("groups", [["a", "b", None, "d"], np.array([1, 1, 2, 2]), ["a", "b", math.nan, "d"]])
def test_a_patient_without_a_name_is_refused(groups: Any) -> None:
    """None and not-a-number would each become one patient of all the rows without one."""
    for number in (auc_interval, obuchowski):
        with pytest.raises(EvaluationError, match="name of a patient as text"):
            number(LABELS, SCORES, groups=groups)


def test_a_negative_number_of_resamples_is_refused() -> None:
    with pytest.raises(EvaluationError, match="resamples from 0"):
        auc_interval(LABELS, SCORES, resamples=-1)


def test_ragged_ratings_are_refused() -> None:
    with pytest.raises(EvaluationError, match="every reader rates every case"):
        obuchowski_rockette(LABELS, [[SCORES, SCORES], [SCORES, SCORES[:3]]])


def test_discordant_pairs_that_balance_give_no_evidence_at_all() -> None:
    """A continuity correction of (|b - c| - 1)^2 would find some in a difference of exactly 0."""
    result = mcnemar([1] * 20 + [0] * 20, [0] * 20 + [1] * 20)
    assert (result.statistic, result.p_value) == (0.0, 1.0)
    assert mcnemar([1] * 3 + [0] * 3, [0] * 3 + [1] * 3).p_value == 1.0


def test_patients_whose_contributions_cancel_leave_no_interval_of_rounding() -> None:
    """Every patient has one view of each class; what its positive adds to the AUC, its negative takes away."""
    labels = [1, 0] * 3
    scores = [0.9, 0.7, 0.8, 0.6, 0.5, 0.1]
    covariance = obuchowski(labels, scores, groups=["a", "a", "b", "b", "c", "c"])
    assert not isinstance(covariance, Interval)
    interval = covariance.interval()
    assert interval.value == pytest.approx(7 / 9)
    assert (interval.low is None) == (interval.reason is not None)
    assert interval.low is None or interval.high - interval.low > 1e-6
