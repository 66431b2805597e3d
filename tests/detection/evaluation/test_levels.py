"""Numbers per image, breast, patient and lesion, from the outcomes of a test set."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

from detection.evaluation.errors import EvaluationError
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.levels import LEVELS, level_numbers, units_of
from detection.evaluation.protocol import Protocol
from detection.evaluation.resampling import Units
from detection.evaluation.test_set import evaluate
from tests.detection.evaluation.scenes import QUICK, finding, image, lesion, random_images

FAR = (40.0, 40.0, 50.0, 50.0)


def view(patient: str, side: str, position: str, targets: list[Any], findings: list[Any]) -> EvaluatedImage:
    name = f"{patient}-{side}-{position}"
    return replace(image(name, targets, findings, patient), breast_id=f"{patient}-{side}")


def worked_example() -> list[EvaluatedImage]:
    """One: a cancer on both views of the left breast, found on CC alone; a false finding on the right.

    Two: a benign lesion, called benign. Three: no lesion, a false finding. Four: a missed cancer. Five: no lesion, no
    finding. Six: a lesion of unknown malignancy.
    """
    cancer = lesion(lesion_id="A")
    return [
        view("1", "L", "cc", [cancer], [finding(score=0.9)]),
        view("1", "L", "mlo", [cancer], [finding(score=0.05)]),
        view("1", "R", "cc", [], [finding(FAR, 0.3)]),
        view("2", "L", "cc", [lesion(malignancy="benign", lesion_id="B")], [finding(score=0.8, malignancy=0.2)]),
        view("3", "L", "cc", [], [finding(FAR, 0.6)]),
        view("4", "L", "cc", [lesion(lesion_id="D")], []),
        view("5", "L", "cc", [], []),
        view("6", "L", "cc", [lesion(malignancy="unknown", lesion_id="E")], [finding(score=0.95)]),
    ]


def random_breasts(seed: int, count: int) -> list[EvaluatedImage]:
    """Four views a patient, two a breast; two views in three without a lesion, some lesions of unknown malignancy."""
    rng = np.random.default_rng(seed)
    images = []
    for index, entry in enumerate(random_images(seed, count)):
        patient = f"patient-{index // 4:05d}"
        targets = [
            replace(target, malignancy="unknown") if rng.random() < 0.1 else target
            for target in (entry.targets if rng.random() < 0.35 else ())
        ]
        images.append(
            EvaluatedImage(entry.sample_id, patient, targets, entry.findings, f"{patient}-{'LR'[index // 2 % 2]}")
        )
    return images


COUNTS = {
    # level: sensitivity, specificity, precision, F1 (2 TP / (2 TP + FP + FN)), accuracy
    "image": ((1, 3), (2, 4), (1, 3), (2, 6), (3, 7)),
    "breast": ((1, 2), (2, 4), (1, 3), (2, 5), (3, 6)),
    "patient": ((1, 2), (2, 3), (1, 2), (2, 4), (3, 5)),
    "lesion": ((1, 2), None, (1, 3), (2, 5), None),
    "lesion on a view": ((1, 3), None, (1, 3), (2, 6), None),
}


@pytest.mark.parametrize("level", LEVELS)
def test_counts_of_the_worked_example(level: Any) -> None:
    numbers = level_numbers(evaluate(worked_example(), QUICK))[level]
    measured = (numbers.sensitivity, numbers.specificity, numbers.precision, numbers.f1, numbers.accuracy)
    counts = tuple(None if one.value is None else (one.numerator, one.denominator) for one in measured)
    assert counts == COUNTS[level]
    assert all(one.value is not None or one.reason for one in measured)


def test_a_unit_of_unknown_malignancy_is_not_scored_and_counted() -> None:
    numbers = level_numbers(evaluate(worked_example(), QUICK))
    assert {level: one.unscored for level, one in numbers.items()} == dict.fromkeys(LEVELS, 1)
    assert numbers["patient"].warnings[0] == "1 patient(s) of unknown malignancy are not scored."
    assert [unit.key for unit in numbers["patient"].units if unit.malignant is None] == ["6"]


def test_a_malignant_lesion_settles_what_an_unknown_one_leaves_open() -> None:
    unknown = lesion(FAR, "unknown", lesion_id="U")
    settled = [view("1", "L", "cc", [unknown], []), view("1", "L", "mlo", [lesion()], [])]
    open_still = [view("2", "L", "cc", [unknown, lesion(malignancy="benign")], []), view("2", "L", "mlo", [], [])]
    units = units_of(evaluate(settled + open_still, QUICK), "patient")
    assert [(unit.key, unit.malignant) for unit in units] == [("1", True), ("2", None)]


def test_a_lesion_on_two_views_is_found_by_any_or_by_all_as_declared() -> None:
    any_view = level_numbers(evaluate(worked_example(), QUICK), ["lesion"])["lesion"]
    all_views = level_numbers(evaluate(worked_example(), replace(QUICK, linked="all views")), ["lesion"])["lesion"]
    assert (any_view.sensitivity.numerator, any_view.sensitivity.denominator) == (1, 2)
    assert (all_views.sensitivity.numerator, all_views.sensitivity.denominator) == (0, 2)
    assert "any view" in any_view.sentence and "all views" in all_views.sentence


def test_lesions_of_two_patients_with_one_id_are_two() -> None:
    images = [view(patient, "L", "cc", [lesion()], [finding()]) for patient in "12"]
    assert level_numbers(evaluate(images, QUICK))["lesion"].sensitivity.denominator == 2


@pytest.mark.parametrize(
    ("rule", "expected"), [("max", 0.9), ("mean", (0.9 + 0 + 0.3) / 3), ("noisy-or", 1 - 0.1 * 1 * 0.7)]
)
def test_the_score_of_a_patient_follows_the_declared_rule(rule: Any, expected: float) -> None:
    result = evaluate(worked_example(), replace(QUICK, unit_score=rule))
    assert units_of(result, "patient")[0].score == pytest.approx(expected)


@pytest.mark.parametrize("rule", ["max", "mean", "noisy-or"])
@pytest.mark.parametrize("level", ["image", "breast", "patient"])
def test_whole_units_agree_with_scikit_learn(level: Any, rule: Any) -> None:
    """Truth and scores are gathered here from the images themselves, not from the records."""
    images = random_breasts(31, 240)
    protocol = replace(QUICK, unit_score=rule, score_above=0.4, top=3)
    numbers = level_numbers(evaluate(images, protocol), [level])[level]
    key = {"image": "sample_id", "breast": "breast_id", "patient": "patient_id"}[level]
    members: dict[str, list[EvaluatedImage]] = defaultdict(list)
    for entry in images:
        members[getattr(entry, key)].append(entry)
    truth, scores = [], []
    for views in members.values():
        classes = {target.malignancy for entry in views for target in entry.targets}
        if "malignant" not in classes and "unknown" in classes:
            continue
        best = []
        for entry in views:
            kept = sorted(entry.findings, key=lambda one: -one.score)[:3]
            best.append(max((one.score for one in kept if one.score > 0.4 and one.malignancy > 0.5), default=0.0))
        truth.append("malignant" in classes)
        scores.append({"max": max(best), "mean": np.mean(best), "noisy-or": 1 - math.prod(1 - s for s in best)}[rule])
    called = [score > 0.4 for score in scores]
    assert 0 < sum(truth) < len(truth)
    assert numbers.sensitivity.value == pytest.approx(recall_score(truth, called))
    assert numbers.specificity.value == pytest.approx(recall_score(np.logical_not(truth), np.logical_not(called)))
    assert numbers.precision.value == pytest.approx(precision_score(truth, called))
    assert numbers.f1.value == pytest.approx(f1_score(truth, called))
    assert numbers.accuracy.value == pytest.approx(accuracy_score(truth, called))
    assert numbers.auc.value == pytest.approx(roc_auc_score(truth, scores))
    assert numbers.unscored == len(members) - len(truth)


@pytest.mark.parametrize("group", ["malignant", "malignant_mass", "malignant_cluster"])
def test_the_level_of_the_main_numbers_gives_the_main_numbers(group: Any) -> None:
    for protocol in (QUICK, Protocol(resamples=200)):
        result = evaluate(random_breasts(32, 160), protocol)
        numbers = level_numbers(result, ["lesion on a view"], group=group)["lesion on a view"]
        assert numbers.sensitivity.short() == result.sensitivity[group].short()
        assert numbers.precision.short() == result.precision[group].short()
        assert numbers.auc == result.auc[group]


def test_linked_lesions_agree_with_a_plain_count() -> None:
    images = random_breasts(33, 200)
    result = evaluate(images, QUICK)
    found: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for row in result.lesions:
        found[row.patient_id, row.lesion_id].append(row.outcome == "TP")
    malignant = {(row.patient_id, row.lesion_id) for row in result.lesions if row.malignancy == "malignant"}
    number = level_numbers(result, ["lesion"])["lesion"].sensitivity
    assert number.denominator == len(malignant) < sum(row.malignancy == "malignant" for row in result.lesions)
    assert number.numerator == sum(any(found[key]) for key in malignant)


def test_intervals_are_percentiles_over_repeated_patients() -> None:
    result = evaluate(random_breasts(34, 120), QUICK)
    numbers = level_numbers(result)
    units = Units([row.patient_id for row in result.views])
    assert units.names == result.units
    by_patient: dict[str, list[Any]] = defaultdict(list)
    for unit in numbers["breast"].units:
        by_patient[unit.patient_id].append(unit)
    drawn: dict[str, list[float]] = {"specificity": [], "auc": []}
    for weights in np.concatenate(list(units.weight_blocks(200, 0))):
        rows = [
            unit
            for name, times in zip(units.names, weights, strict=True)
            for unit in by_patient[name] * int(times)
            if unit.malignant is not None
        ]
        negatives = [unit for unit in rows if not unit.malignant]
        drawn["specificity"].append(np.mean([not unit.positive for unit in negatives]))
        drawn["auc"].append(roc_auc_score([unit.malignant for unit in rows], [unit.score for unit in rows]))
    for name, values in drawn.items():
        interval = getattr(numbers["breast"], name)
        assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=1e-12)


def test_what_a_level_does_not_have_is_undefined_with_its_reason() -> None:
    only_cancers = [view("1", "L", "cc", [lesion()], []), view("2", "L", "cc", [lesion()], [])]
    numbers = level_numbers(evaluate(only_cancers, QUICK))
    assert numbers["patient"].specificity.reason == "undefined: no negatives"
    assert numbers["patient"].precision.reason == "undefined: nothing is called malignant"
    assert numbers["patient"].auc.reason == "undefined: one class"
    assert numbers["lesion"].accuracy.reason == "undefined: lesions have no negatives that could be counted"
    assert numbers["lesion"].auc.reason == "undefined: no lesion of known malignancy is located"
    no_cancer = level_numbers(evaluate([view("1", "L", "cc", [], [])], QUICK))
    assert no_cancer["image"].sensitivity.reason == "undefined: no positives"
    assert no_cancer["lesion"].sensitivity.reason == "undefined: no positives"


def test_levels_that_cannot_be_counted_say_why() -> None:
    result = evaluate(worked_example(), QUICK)
    unknown_breast = replace(result, views=(replace(result.views[0], breast_id=None), *result.views[1:]))
    numbers = level_numbers(unknown_breast)
    assert numbers["breast"].sensitivity.reason == "undefined: the breast of 1 view(s) is not known"
    assert numbers["patient"].sensitivity.value == 0.5
    before = level_numbers(replace(result, views=()))
    assert {one.auc.reason for one in before.values()} == {
        "undefined: this result was stored before its views were kept; evaluate the run again"
    }
    clusters = level_numbers(result, group="malignant_cluster")
    assert clusters["patient"].sensitivity.reason == "undefined: a whole patient is not of one lesion type"
    untyped = level_numbers(evaluate(worked_example(), QUICK, groups_known=False), ["lesion"], group="malignant_mass")
    assert untyped["lesion"].sensitivity.reason == "undefined: the lesion types of this test set are not known"
    with pytest.raises(EvaluationError, match="found 'hospital'"):
        level_numbers(result, ["hospital"])  # type: ignore[list-item]


def test_an_empty_test_set_is_not_called_an_old_one() -> None:
    numbers = level_numbers(evaluate([], QUICK))
    assert {one.sensitivity.reason for one in numbers.values()} == {"undefined: the test set has no views"}


def test_numbers_of_a_level_are_ready_for_json() -> None:
    numbers = level_numbers(evaluate(worked_example(), QUICK), ["patient"])["patient"]
    body = json.loads(json.dumps(numbers.to_json(), allow_nan=False))
    assert body["sensitivity"]["value"] == 0.5 and body["units"][0]["sample_ids"] == ["1-L-cc", "1-L-mlo", "1-R-cc"]


def test_patients_are_resampled_even_where_the_protocol_resamples_images() -> None:
    images = random_breasts(35, 80)
    by_patient = level_numbers(evaluate(images, QUICK), ["patient"])["patient"]
    by_image = level_numbers(evaluate(images, replace(QUICK, resampling="image")), ["patient"])["patient"]
    assert by_patient.sensitivity == by_image.sensitivity and "resamples of patients" in by_image.sentence
