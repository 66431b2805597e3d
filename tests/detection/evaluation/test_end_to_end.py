"""Located lesions alone, and the whole system, side by side."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from detection.evaluation.end_to_end import classification, side_by_side
from detection.evaluation.errors import EvaluationError
from detection.evaluation.intervals import Interval
from detection.evaluation.levels import LEVELS
from detection.evaluation.test_set import evaluate
from tests.detection.evaluation.scenes import QUICK, finding, image, lesion
from tests.detection.evaluation.test_levels import FAR, random_breasts, view

# Beuque et al. 2023, Table 3, automatic segmentations: right, located, all; then located, conditional and end to end
# in per cent. The last patient row is printed as 100 %.
S004 = (
    (315, 353, 363, 97.2, 89.2, 86.8),
    (319, 353, 363, 97.2, 90.4, 87.9),
    (317, 353, 363, 97.2, 89.8, 87.3),
    (150, 171, 179, 95.5, 87.7, 83.8),
    (171, 171, 179, 95.5, 100.0, 95.5),
    (168, 171, 179, 95.5, 98.2, 93.9),
)


@pytest.mark.parametrize(("right", "located", "units", "found", "conditional", "end_to_end"), S004)
def test_published_sensitivities_of_located_lesions_end_to_end(
    right: int, located: int, units: int, found: float, conditional: float, end_to_end: float
) -> None:
    numbers = side_by_side(right, located, units)
    values = [100 * (one.value or 0) for one in (numbers.located, numbers.conditional, numbers.end_to_end)]
    assert values == pytest.approx([found, conditional, end_to_end], abs=0.05)
    expected = proportion_confint(right, units, method="wilson")
    assert (numbers.end_to_end.low, numbers.end_to_end.high) == pytest.approx(expected)


@pytest.mark.parametrize(("right", "conditional", "end_to_end"), [(55, 74.3, 81.0), (33, 44.6, 59.0), (44, 59.5, 70.0)])
def test_benign_patients_that_are_not_located_are_not_called_malignant(
    right: int, conditional: float, end_to_end: float
) -> None:
    """74 of the 100 benign patients of S004 were located."""
    numbers = side_by_side(right, 74, 100, malignant=False)
    assert 100 * (numbers.conditional.value or 0) == pytest.approx(conditional, abs=0.05)
    assert 100 * (numbers.end_to_end.value or 0) == pytest.approx(end_to_end, abs=0.05)


@pytest.mark.parametrize("counts", [(5, 4, 10), (3, 11, 10), (-1, 4, 10)])
def test_counts_that_cannot_be_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(EvaluationError, match="0 <= right <= located <= units"):
        side_by_side(*counts)


def scene() -> list[Any]:
    """Two cancers: one located on CC and called benign, on MLO called malignant; one missed. Two benign: one called
    malignant, one missed. A view without lesions with a false finding."""
    cancer, other = lesion(lesion_id="A"), lesion(lesion_id="B")
    return [
        view("1", "L", "cc", [cancer], [finding(score=0.9, malignancy=0.3)]),
        view("1", "L", "mlo", [cancer], [finding(score=0.5, malignancy=0.8)]),
        view("2", "R", "cc", [other], [finding(FAR, 0.9)]),
        view("3", "R", "cc", [replace(cancer, malignancy="benign")], [finding(score=0.4, malignancy=0.7)]),
        view("4", "R", "cc", [replace(cancer, malignancy="benign")], []),
        view("5", "R", "cc", [], [finding(FAR, 0.9)]),
    ]


def ratio(interval: Interval) -> tuple[int | None, int | None]:
    return interval.numerator, interval.denominator


@pytest.mark.parametrize(
    ("level", "sensitivity", "specificity"),
    [
        ("lesion on a view", ((2, 3), (1, 2), (1, 3)), ((1, 2), (0, 1), (1, 2))),
        ("image", ((2, 3), (1, 2), (1, 3)), ((1, 2), (0, 1), (1, 2))),
        ("lesion", ((1, 2), (1, 1), (1, 2)), ((1, 2), (0, 1), (1, 2))),
        ("breast", ((1, 2), (1, 1), (1, 2)), ((1, 2), (0, 1), (1, 2))),
        ("patient", ((1, 2), (1, 1), (1, 2)), ((1, 2), (0, 1), (1, 2))),
    ],
)
def test_shares_of_a_small_scene(level: Any, sensitivity: Any, specificity: Any) -> None:
    numbers = classification(evaluate(scene(), QUICK), level)
    for side, expected in ((numbers.sensitivity, sensitivity), (numbers.specificity, specificity)):
        assert (ratio(side.located), ratio(side.conditional), ratio(side.end_to_end)) == expected


def test_all_views_must_agree_where_the_protocol_links_by_all() -> None:
    numbers = classification(evaluate(scene(), replace(QUICK, linked="all views")), "lesion")
    # located on both views, but called malignant on one alone
    assert ratio(numbers.sensitivity.located) == (1, 2) and ratio(numbers.sensitivity.conditional) == (0, 1)


def test_the_auc_end_to_end_gives_missed_units_a_score_of_0() -> None:
    result = evaluate(random_breasts(41, 400), QUICK)
    score = {(row.sample_id, row.localised_lesion_id): row.malignancy for row in result.findings}
    by_patient: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in result.lesions:
        by_patient[row.patient_id, row.lesion_id].append(row)
    truth, located, scores = [], [], []
    for rows in by_patient.values():
        classes = {row.malignancy for row in rows}
        if classes == {"unknown"} or classes == {"unknown", "benign"}:
            continue
        found = [score[row.sample_id, row.lesion_id] for row in rows if (row.sample_id, row.lesion_id) in score]
        truth.append("malignant" in classes)
        located.append(bool(found))
        scores.append(max(found, default=0.0))
    numbers = classification(result, "lesion")
    kept = [place for place, one in enumerate(located) if one]
    assert 0 < len(kept) < len(truth)
    assert numbers.auc_end_to_end.value == pytest.approx(roc_auc_score(truth, scores))
    assert numbers.auc_conditional.value == pytest.approx(
        roc_auc_score([truth[place] for place in kept], [scores[place] for place in kept])
    )
    assert (numbers.auc_end_to_end.n, numbers.auc_conditional.n) == (len(truth), len(kept))


def test_the_conditional_auc_on_a_view_is_the_main_one() -> None:
    result = evaluate(random_breasts(42, 200), QUICK)
    for group in ("malignant", "malignant_mass"):
        assert classification(result, "lesion on a view", group=group).auc_conditional == result.auc[group]


@pytest.mark.parametrize("level", LEVELS)
def test_end_to_end_is_never_better_for_cancers_and_never_worse_for_benign_units(level: Any) -> None:
    numbers = classification(evaluate(random_breasts(43, 300), QUICK), level)
    assert (numbers.sensitivity.end_to_end.value or 0) < (numbers.sensitivity.conditional.value or 0)
    assert (numbers.specificity.end_to_end.value or 0) > (numbers.specificity.conditional.value or 0)
    located, conditional, whole = (
        one.value or 0
        for one in (numbers.sensitivity.located, numbers.sensitivity.conditional, numbers.sensitivity.end_to_end)
    )
    assert whole == pytest.approx(located * conditional)
    assert numbers.unscored > 0


@pytest.mark.parametrize("level", LEVELS)
def test_masses_of_a_test_set_without_types_are_undefined(level: Any) -> None:
    untyped = evaluate(random_breasts(9, 20), QUICK, groups_known=False)
    found = classification(untyped, level, group="malignant_mass")
    numbers = (found.sensitivity.located, found.specificity.end_to_end, found.auc_conditional)
    assert {one.reason for one in numbers} == {"undefined: the lesion types of this test set are not known"}
    assert classification(untyped, level).sensitivity.located.value is not None


def test_undefined_with_the_reason() -> None:
    numbers = classification(evaluate([image("a", [lesion()], [])], QUICK), "lesion on a view")
    assert numbers.sensitivity.conditional.reason == "undefined: nothing is located"
    assert numbers.specificity.located.reason == "undefined: no lesion on a view of this class"
    assert numbers.auc_end_to_end.reason == "undefined: one class"
    result = evaluate(scene(), QUICK)
    assert "stored before" in str(classification(replace(result, views=()), "patient").sensitivity.located.reason)
    no_breast = evaluate([image("a", [lesion()], [])], QUICK)
    assert (
        classification(no_breast, "breast").auc_conditional.reason == "undefined: the breast of 1 view(s) is not known"
    )
    with pytest.raises(EvaluationError, match="expected one of"):
        classification(result, "hospital")  # type: ignore[arg-type]
