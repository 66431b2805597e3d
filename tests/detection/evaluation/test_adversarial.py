"""Cases on which evaluation code is known to go wrong, one test each, through every number that they touch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detection.evaluation.afroc import afroc_curve
from detection.evaluation.average_precision import average_precision
from detection.evaluation.comparisons import paired_differences
from detection.evaluation.errors import EvaluationError, ProtocolMismatch
from detection.evaluation.froc import froc_curve
from detection.evaluation.intervals import Interval, auc_interval
from detection.evaluation.matching import match
from detection.evaluation.protocol import Protocol
from detection.evaluation.roc import auc, delong, obuchowski
from detection.evaluation.test_set import evaluate
from tests.detection.evaluation.scenes import QUICK, finding, image, lesion, random_images

AWAY = (30.0, 30.0, 40.0, 40.0)


def found(targets: Any, findings: Any, **rules: Any) -> list[str]:
    """Outcome of each lesion."""
    return [outcome.outcome for outcome in match(targets, findings, Protocol(**rules)).lesions]


def said(targets: Any, findings: Any, **rules: Any) -> list[str]:
    """Outcome of each finding."""
    return [outcome.outcome for outcome in match(targets, findings, Protocol(**rules)).findings]


def test_a_froc_without_any_miss_keeps_its_last_operating_point() -> None:
    """picai_eval 1.4.13 overwrites it: one lesion of two instead of both."""
    images = [
        image("a", [lesion()], [finding(score=0.9), finding(AWAY, 0.5)]),
        image("b", [lesion()], [finding(score=0.3)]),
    ]
    curve = froc_curve(images, QUICK, resamples=0)
    assert curve.sensitivity.tolist() == [0.5, 0.5, 1.0]
    assert curve.points[-1].sensitivity.value == 1.0
    assert average_precision(images, QUICK, resamples=0).recall[-1] == 1.0


@pytest.mark.parametrize("rule", ["greedy", "hungarian", "argmax_lesion", "any_overlap"])
def test_an_overlap_of_exactly_one_tenth_is_not_above_it(rule: str) -> None:
    tenth = [finding((0, 9, 10, 10))]
    assert found([lesion()], tenth, matching=rule) == ["FN"]
    assert found([lesion()], tenth, matching=rule, iou_above=float(np.nextafter(0.1, 0))) == ["TP"]


@pytest.mark.parametrize(("duplicates", "second"), [("ignore", "DUP"), ("fp", "FP"), ("report", "DUP")])
def test_two_findings_on_one_lesion_with_equal_scores_are_one_hit_by_the_first(duplicates: str, second: str) -> None:
    twins = [finding((1, 0, 11, 10), 0.7), finding((0, 0, 10, 10), 0.7)]
    assert said([lesion()], twins, duplicates=duplicates) == ["TP", second]
    curve = froc_curve([image("a", [lesion()], twins)], replace(QUICK, duplicates=duplicates), resamples=0)
    assert curve.sensitivity.tolist() == [1.0]
    assert curve.false_positives_per_image.tolist() == [float(second == "FP")]


def test_one_finding_over_two_lesions_finds_one_of_them() -> None:
    neighbours = [lesion((0, 0, 10, 10), lesion_id="L1"), lesion((10, 0, 20, 10), lesion_id="L2")]
    across = [finding((0, 0, 20, 10))]
    assert found(neighbours, across) == ["TP", "FN"]
    assert found(neighbours, across, matching="any_overlap") == ["TP", "TP"]
    assert match(neighbours, across, Protocol()).lesions[1].reason == "finding taken"


def test_in_a_chain_of_three_the_greedy_rule_loses_a_pair_that_the_assignment_keeps() -> None:
    lesions = [lesion((10 * k, 0, 10 * k + 10, 10), lesion_id=f"L{k}") for k in range(3)]
    # the best finding sits on the middle lesion and touches the first, and so on down the chain
    chain = [finding((7, 0, 17, 10), 0.9), finding((10, 0, 20, 10), 0.8), finding((16, 0, 24, 10), 0.7)]
    assert found(lesions, chain) == ["FN", "TP", "TP"]
    assert found(lesions, chain, matching="hungarian") == ["TP", "TP", "TP"]


def test_an_image_without_lesions_and_findings_counts_as_an_image_and_nowhere_else() -> None:
    busy = [
        image("a", [lesion()], [finding(score=0.6), finding(AWAY, 0.9)]),
        image("b", [lesion()], [finding(AWAY, 0.7)]),
    ]
    quiet = [*busy, image("c", [], []), image("d", [], [])]
    one, other = evaluate(busy, QUICK), evaluate(quiet, QUICK)
    assert one.short()["sensitivity"]["malignant"]["value"] == other.short()["sensitivity"]["malignant"]["value"]
    assert one.precision["malignant"].value == other.precision["malignant"].value
    rates = [froc_curve(images, QUICK, resamples=0).false_positives_per_image[-1] for images in (busy, quiet)]
    assert rates == [2 / 2, 2 / 4]
    assert afroc_curve(quiet, QUICK, resamples=0).lesion_free_cases == 2
    assert evaluate([image("a", [], [])], QUICK).sensitivity["malignant"].value is None


def test_scores_that_are_all_equal_give_one_half_and_no_certainty() -> None:
    labels, scores = [0, 1] * 10, [0.4] * 20
    assert auc(labels, scores) == 0.5
    for covariance in (delong(labels, scores), obuchowski(labels, scores, groups=[str(k // 4) for k in range(20)])):
        assert not isinstance(covariance, Interval)
        interval = covariance.interval()
        assert (interval.value, interval.low, interval.high) == (0.5, None, None)
        assert interval.reason is not None and interval.reason.startswith("interval undefined")
    drawn = auc_interval(labels, scores)
    assert (drawn.value, drawn.low) == (0.5, None)


def test_a_single_class_has_no_area_never_one_half() -> None:
    assert auc([1, 1], [0.2, 0.8]) is None
    assert auc_interval([0, 0], [0.2, 0.8]).reason == "undefined: one class"
    single = delong([1, 1, 1], [0.2, 0.8, 0.3])
    assert isinstance(single, Interval) and single.value is None
    only_malignant = [image(name, [lesion()], [finding()]) for name in "ab"]
    assert evaluate(only_malignant, QUICK).auc["malignant"].reason == "undefined: one class"


@pytest.mark.parametrize("method", ["logit-t", "percentile"])
def test_one_patient_with_all_positives_is_skipped_counted_and_warned_about(method: Any) -> None:
    labels = [1, 1, 1] + [0] * 20
    groups = ["only"] * 3 + [f"p{index}" for index in range(20)]
    scores = [0.9, 0.3, 0.6, *np.linspace(0, 1, 20)]
    interval = auc_interval(labels, scores, groups=groups, method=method)
    assert interval.skipped > 0.3 * interval.resamples
    assert interval.warning is not None and "skipped" in interval.warning
    clustered = obuchowski(labels, scores, groups=groups)
    assert isinstance(clustered, Interval) and clustered.reason == "undefined: a class has rows in one patient"
    images = [image("a", [lesion(), lesion(AWAY, lesion_id="L2")], [finding()], "only"), image("b", [], [], "other")]
    alone = evaluate(images, QUICK).sensitivity["malignant"]
    assert (alone.value, alone.low) == (0.5, None)


def test_a_lesion_at_the_chest_wall_counts_like_any_other() -> None:
    """Released inference code drops boxes with x1 <= 0 or y1 <= 0."""
    assert found([lesion((0, 20, 8, 30))], [finding((0, 20, 8, 31))]) == ["TP"]
    assert found([lesion((0, 0, 8, 8))], [finding((-1, -1, 8, 8))]) == ["TP"]


def test_a_box_without_area_overlaps_nothing_and_never_divides_by_zero() -> None:
    point = (5.0, 5.0, 5.0, 5.0)
    assert found([lesion(point)], [finding(point)]) == ["FN"]
    assert found([lesion()], [finding(point)]) == ["FN"]
    result = evaluate([image("a", [lesion(point)], [finding()])], QUICK)
    assert any("no area" in warning for warning in result.warnings)


@pytest.mark.parametrize("score", [float("nan"), -0.01, 1.01, float("inf")])
def test_a_score_that_is_no_number_from_0_to_1_is_refused_by_place(score: float) -> None:
    images = [image("a", [lesion()], [finding()]), image("b", [lesion()], [finding(), finding(AWAY, score)])]
    for number in (evaluate, froc_curve, average_precision, afroc_curve):
        with pytest.raises(EvaluationError, match="Image b, finding 1: expected a score from 0 to 1"):
            number(images, QUICK)
    if np.isnan(score):
        with pytest.raises(EvaluationError, match="not a number"):
            auc([0, 1], [score, 0.5])


def test_findings_listed_twice_are_told_and_find_a_lesion_once() -> None:
    twice = [finding(), finding()]
    result = evaluate([image("a", [lesion()], twice)], replace(QUICK, duplicates="fp"))
    assert (result.sensitivity["malignant"].value, result.precision["malignant"].value) == (1.0, 0.5)
    assert any("repeat another finding" in warning for warning in result.warnings)


def test_average_precision_with_few_findings_an_image_is_never_minus_one() -> None:
    """COCO's summary is -1 unless its largest limit is 100 (cocoapi issue 558)."""
    images = random_images(3, 80)
    for top in (1, 5):
        value = average_precision(images, replace(QUICK, top=top), resamples=0).interval.value
        assert value is not None and 0 < value <= 1


def test_arms_with_different_test_sets_or_protocols_refuse_comparison() -> None:
    images = random_images(1, 12)
    whole = evaluate(images, QUICK)
    with pytest.raises(ProtocolMismatch, match="different test sets"):
        paired_differences(whole, evaluate(images[:-1], QUICK))
    with pytest.raises(ProtocolMismatch, match="different protocols"):
        paired_differences(whole, evaluate(images, replace(QUICK, duplicates="fp")))


def test_ties_are_those_of_the_stored_values() -> None:
    """Rounding to three decimals, or to float32, makes ties that the stored scores do not have."""
    scores = np.array([0.50001, 0.50002, 0.50003])
    labels = [0, 1, 1]
    assert auc(labels, scores) == 1.0
    assert auc(labels, np.round(scores, 3)) == 0.5
    close = np.array([0.1, np.nextafter(0.1, 1)])
    assert auc([0, 1], close) == 1.0
    assert auc([0, 1], close.astype(np.float32)) == 0.5
    images = [image("a", [lesion()], [finding(score=float(close[1])), finding(AWAY, float(close[0]))])]
    assert froc_curve(images, QUICK, resamples=0).thresholds.tolist() == [close[1], close[0]]
    rounded = [image("a", [lesion()], [finding(score=0.1), finding(AWAY, 0.1)])]
    assert froc_curve(rounded, QUICK, resamples=0).thresholds.tolist() == [0.1]
