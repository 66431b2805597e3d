"""Differences between arms at every level."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from detection.evaluation.comparisons import paired_differences
from detection.evaluation.errors import EvaluationError, ProtocolMismatch
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.level_differences import METRICS, level_differences
from detection.evaluation.levels import LEVELS, level_numbers
from detection.evaluation.protocol import Protocol
from detection.evaluation.resampling import Units
from detection.evaluation.test_set import evaluate
from tests.detection.evaluation.scenes import QUICK
from tests.detection.evaluation.test_levels import random_breasts


def weaker(images: list[EvaluatedImage], seed: int) -> list[EvaluatedImage]:
    """The same views with most findings lost."""
    rng = np.random.default_rng(seed)
    return [replace(entry, findings=[one for one in entry.findings if rng.random() < 0.15]) for entry in images]


def two_arms(protocol: Protocol = QUICK) -> tuple[Any, Any]:
    images = random_breasts(71, 200)
    return evaluate(images, protocol), evaluate(weaker(images, 72), protocol)


@pytest.mark.parametrize("level", LEVELS)
def test_a_difference_is_that_of_the_numbers_of_the_level(level: Any) -> None:
    arm, reference = two_arms()
    numbers = [level_numbers(result, [level])[level] for result in (arm, reference)]
    for difference in level_differences([arm], [reference], [level])[level]:
        one, other = (getattr(each, difference.metric).value for each in numbers)
        if one is None:
            assert difference.interval.reason == getattr(numbers[0], difference.metric).reason
            assert difference.metric in ("specificity", "accuracy")
        else:
            assert difference.interval.value == pytest.approx(one - other)
            assert difference.test.p_value is not None
            assert difference.interval.n == min(getattr(each, difference.metric).n for each in numbers)


@pytest.mark.parametrize("protocol", [QUICK, Protocol(resamples=200)])
def test_lesions_on_a_view_give_the_main_differences(protocol: Protocol) -> None:
    arm, reference = two_arms(protocol)
    main = {one.metric: one for one in paired_differences(arm, reference) if one.group == "malignant"}
    there = {one.metric: one for one in level_differences([arm], [reference])["lesion on a view"]}
    assert {metric: there[metric] for metric in main} == main


def test_both_arms_meet_the_same_resamples_of_patients() -> None:
    arm, reference = two_arms()
    differences = {one.metric: one for one in level_differences([arm], [reference], ["breast"])["breast"]}
    rows: list[dict[str, list[Any]]] = []
    for result in (arm, reference):
        by_patient = defaultdict(list)
        for unit in level_numbers(result, ["breast"])["breast"].units:
            if unit.malignant is not None:
                by_patient[unit.patient_id].append(unit)
        rows.append(by_patient)
    units = Units([view.patient_id for view in arm.views])
    drawn: dict[str, list[float]] = {"sensitivity": [], "auc": []}
    for weights in np.concatenate(list(units.weight_blocks(200, 0))):
        values: dict[str, list[float]] = {"sensitivity": [], "auc": []}
        for by_patient in rows:
            taken = [u for name, k in zip(units.names, weights, strict=True) for u in by_patient[name] * int(k)]
            values["sensitivity"].append(float(np.mean([u.positive for u in taken if u.malignant])))
            values["auc"].append(roc_auc_score([u.malignant for u in taken], [u.score for u in taken]))
        for metric, (one, other) in values.items():
            drawn[metric].append(one - other)
    for metric, found in drawn.items():
        interval = differences[metric].interval
        assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(found, [0.025, 0.975])), abs=1e-12)


def test_seeds_are_averaged() -> None:
    images = random_breasts(71, 200)
    arms = [evaluate(weaker(images, seed), QUICK) for seed in (1, 2)]
    reference = evaluate(images, QUICK)
    together = level_differences(arms, [reference] * 2, ["patient"])["patient"]
    alone = [level_differences([arm], [reference], ["patient"])["patient"] for arm in arms]
    assert [one.interval.value for one in together] == pytest.approx(
        [(a.interval.value + b.interval.value) / 2 for a, b in zip(*alone, strict=True)]  # type: ignore[operator]
    )


def test_patients_are_drawn_and_named_where_the_protocol_resamples_images() -> None:
    by_patient, by_image = (
        level_differences(*([one] for one in two_arms(replace(QUICK, resampling=unit))), ["patient"])["patient"]
        for unit in ("patient", "image")
    )
    assert by_patient == by_image and by_image[0].interval.method == "percentile bootstrap of patients"


def test_what_cannot_be_compared() -> None:
    arm, reference = two_arms()
    with pytest.raises(ProtocolMismatch, match="different protocols"):
        level_differences([arm], [replace(reference, protocol=replace(QUICK, seed=9))])
    with pytest.raises(ProtocolMismatch, match="different test sets"):
        level_differences([arm], [evaluate(random_breasts(73, 40), QUICK)])
    with pytest.raises(EvaluationError, match="as many runs"):
        level_differences([arm], [])
    with pytest.raises(EvaluationError, match="found 'hospital'"):
        level_differences([arm], [reference], ["hospital"])  # type: ignore[list-item]
    before = level_differences([arm], [replace(reference, views=())], ["patient"])["patient"]
    assert [one.metric for one in before] == list(METRICS)
    assert all("stored before its views" in str(one.interval.reason) for one in before)
