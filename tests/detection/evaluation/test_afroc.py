"""Alternative free-response curves, against printed examples and double loops over the definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.evaluation.afroc import AfrocCurve, Figure, Ratings, afroc_curve, figure_of_merit
from detection.evaluation.errors import EvaluationError
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.lesion_groups import LESION_TYPES, Group
from detection.evaluation.matching import match
from tests.detection.evaluation.scenes import QUICK, finding, image, lesion, random_images, resamples_of

AWAY = (30.0, 30.0, 40.0, 40.0)
OTHER = (50.0, 50.0, 58.0, 58.0)
SILENT = -np.inf
NINE_CASES = (
    [[], [0.5], [0.7, 0.6], [-0.3], [1.5], [], [], [], []],
    [[0.9], [-0.2], [1.6, SILENT], [3.0, 2.0], [1.0, 2.5, 1.0]],
)
EIGHT_CASES = (
    [[], [0.4874291], [0.7383247, 0.5757814], [-0.3053884], [1.5117812], [], [], []],
    [[0.8523430], [-0.2146999], [1.5884892, SILENT], [2.9438362, 1.98381]],
)
"""Worked examples of D. P. Chakraborty, "The RJafroc FROC book" (github.com/dpc10ster/RJafrocFrocBook, chapter on
empirical plots, "AFROC vs. wAFROC", and the same example in two earlier editions): ratings of false marks by case,
the first four without lesions, and ratings of the lesions of each other case."""


def psi(false: float, true: float) -> float:
    return 1.0 if false < true else 0.5 if false == true else 0.0


def by_definition(images: list[EvaluatedImage], group: Group) -> dict[str, float | None]:
    """Every figure from the matching of each image alone, pair by pair."""
    false_rating: list[float] = []
    lesions: list[list[float]] = []
    for one in images:
        matched = match(one.targets, one.findings, replace(QUICK, score_above=0.0))
        false_rating.append(
            max(
                (
                    f.score
                    for f, outcome in zip(one.findings, matched.findings, strict=True)
                    if f.is_malignant
                    and outcome.outcome == "FP"
                    and (group == "malignant" or f.lesion_type == group.removeprefix("malignant_"))
                ),
                default=-np.inf,
            )
        )
        lesions.append([
            one.findings[outcome.finding].score if outcome.outcome == "TP" and outcome.finding is not None else -np.inf
            for target, outcome in zip(one.targets, matched.lesions, strict=True)
            if target.malignancy == "malignant" and target.lesion_type in LESION_TYPES[group]
        ])  # fmt: skip
    free = [rating for one, rating in zip(images, false_rating, strict=True) if not one.targets]
    flat = [rating for case in lesions for rating in case]
    cases = [case for case in lesions if case]
    highest = [max([rating, *case]) for rating, case in zip(false_rating, lesions, strict=True) if case]

    def mean(pairs: list[float]) -> float | None:
        return float(np.mean(pairs)) if pairs else None

    def weighted(false: list[float]) -> float | None:
        return mean([sum(psi(x, y) for y in case) / len(case) for case in cases for x in false])

    return {
        "AFROC": mean([psi(x, y) for x in free for y in flat]),
        "AFROC1": mean([psi(x, y) for x in false_rating for y in flat]),
        "wAFROC": weighted(free),
        "wAFROC1": weighted(false_rating),
        "HR-AUC": mean([psi(x, y) for x in free for y in highest]),
    }


def worked_example(
    false_marks: list[list[float]], lesions: list[list[float]], weights: list[list[float]]
) -> AfrocCurve:
    """The curve of ratings and lesion weights, each rating a finding on a lesion or away from all of them."""

    def place(number: int) -> tuple[float, float, float, float]:
        return (20.0 * number, 0.0, 20.0 * number + 10, 10.0)

    def score(rating: float) -> float:
        return (rating + 1) / 5  # from 0 to 1 in the same order

    free = len(false_marks) - len(lesions)
    images, given_weights = [], {}
    for case, marks in enumerate(false_marks):
        name, rated = f"case {case}", lesions[case - free] if case >= free else []
        targets = [lesion(place(number), lesion_id=f"L{number}") for number in range(len(rated))]
        on_lesions = [finding(place(number), score(r)) for number, r in enumerate(rated) if r != SILENT]
        elsewhere = [finding(place(10 + number), score(r)) for number, r in enumerate(marks)]
        images.append(image(name, targets, on_lesions + elsewhere))
        for number, weight in enumerate(weights[case - free] if rated else []):
            given_weights[name, f"L{number}"] = weight
    return afroc_curve(images, QUICK, weights=given_weights, resamples=0)


@pytest.mark.parametrize(
    ("ratings", "weights", "afroc", "weighted"),
    [
        (NINE_CASES, [[1], [1], [0.1, 0.9], [0.9, 0.1], [0.3, 0.4, 0.3]], 0.8472222, 0.7425),
        (EIGHT_CASES, [[1], [1], [0.1, 0.9], [0.9, 0.1]], 0.7708333, 0.678125),
        (EIGHT_CASES, [[1], [1], [0.6, 0.4], [0.4, 0.6]], 0.7708333, 0.7875),
    ],
    ids=["nine cases", "eight cases", "eight cases, other weights"],
)
def test_the_worked_examples_of_the_rjafroc_book_give_the_printed_areas(
    ratings: tuple[list[list[float]], list[list[float]]], weights: list[list[float]], afroc: float, weighted: float
) -> None:
    figures = worked_example(*ratings, weights).figures
    assert figures["AFROC"].value == pytest.approx(afroc, abs=5e-8)
    assert figures["wAFROC"].value == pytest.approx(weighted, abs=5e-8)


def test_the_worked_example_of_nine_cases_gives_the_printed_operating_points() -> None:
    curve = worked_example(*NINE_CASES, [[1], [1], [0.1, 0.9], [0.9, 0.1], [0.3, 0.4, 0.3]])
    # the book adds (0, 0) before the first and (1, 1) after the last
    assert curve.false_positive_fraction.tolist() == [0, 0, 0, 0, 0, 0, 0.25, 0.5, 0.5, 0.75]
    found = [0.111, 0.222, 0.333, 0.444, 0.667, 0.778, 0.778, 0.778, 0.889, 0.889]
    assert curve.lesions_found == pytest.approx(np.array(found), abs=5e-4)
    by_weight = [0.180, 0.260, 0.280, 0.300, 0.420, 0.620, 0.620, 0.620, 0.820, 0.820]
    assert curve.weighted_lesions_found == pytest.approx(np.array(by_weight), abs=5e-4)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from(["malignant", "malignant_mass", "malignant_cluster"]))
def test_figures_are_those_of_the_definition(seed: int, group: Group) -> None:
    images = random_images(seed, 16, score=lambda rng: float(rng.integers(1, 9)) / 8)
    curve = afroc_curve(images, QUICK, group=group, resamples=0)
    found = {name: interval.value for name, interval in curve.figures.items()}
    assert found == {
        name: None if value is None else pytest.approx(value, abs=1e-12)
        for name, value in by_definition(images, group).items()
    }


@st.composite
def read_cases(draw: st.DrawFn) -> list[tuple[bool, float, list[tuple[float, float]]]]:
    """Of each case: whether it has no lesion at all, its false rating, and rating and weight of its lesions.

    A case with neither is one of benign lesions alone. Ratings tie often, and many are silent.
    """
    rating = st.sampled_from([SILENT, 0.2, 0.4, 0.6, 0.8])
    cases = []
    for _ in range(draw(st.integers(1, 7))):
        parts = draw(st.lists(st.tuples(rating, st.integers(1, 5)), max_size=3))
        total = sum(part for _, part in parts)
        lesions = [(value, part / total) for value, part in parts]
        cases.append((not lesions and draw(st.booleans()), draw(rating), lesions))
    return cases


@settings(deadline=None, max_examples=200)
@given(read_cases())
def test_every_figure_is_the_mean_over_pairs_of_raw_ratings(
    cases: list[tuple[bool, float, list[tuple[float, float]]]],
) -> None:
    """Chakraborty 2017, chapter 14: each pair of a false rating and a lesion rating, one after another."""
    rated = Ratings(
        false=np.array([false for _, false, _ in cases]),
        lesion_free=np.array([free for free, _, _ in cases]),
        lesion=np.array([value for _, _, lesions in cases for value, _ in lesions]),
        case=np.array([index for index, (_, _, lesions) in enumerate(cases) for _ in lesions], dtype=np.intp),
        weight=np.array([weight for _, _, lesions in cases for _, weight in lesions]),
    )
    every = [false for _, false, _ in cases]
    free = [false for is_free, false, _ in cases if is_free]
    diseased = [(false, lesions) for _, false, lesions in cases if lesions]
    expected: dict[Figure, float | None] = {}
    for figure, negatives in (("AFROC", free), ("AFROC1", every), ("wAFROC", free), ("wAFROC1", every)):
        won, of = 0.0, 0.0
        for x in negatives:
            for _, lesions in diseased:
                for y, weight in lesions:
                    share = weight if figure.startswith("w") else 1.0
                    won, of = won + share * psi(x, y), of + share
        expected[figure] = won / of if of else None
    won, pairs = 0.0, 0
    for x in free:
        for false, lesions in diseased:
            won, pairs = won + psi(x, max([false, *(y for y, _ in lesions)])), pairs + 1
    expected["HR-AUC"] = won / pairs if pairs else None
    for figure, value in expected.items():
        assert figure_of_merit(rated, figure).value() == (None if value is None else pytest.approx(value, abs=1e-12))


def area(curve: AfrocCurve, found: Callable[[AfrocCurve], np.ndarray]) -> float:
    x = np.concatenate([[0.0], curve.false_positive_fraction, [1.0]])
    y = np.concatenate([[0.0], found(curve), [1.0]])
    return float(np.trapezoid(y, x))


@pytest.mark.parametrize("seed", [2, 3])
def test_the_area_under_the_curve_closed_by_a_straight_line_is_the_figure(seed: int) -> None:
    images = random_images(seed, 60, score=lambda rng: float(rng.integers(1, 9)) / 8)
    curve = afroc_curve(images, QUICK, resamples=0)
    assert curve.over == "cases without lesions" and 0 < curve.lesion_free_cases < curve.cases
    assert area(curve, lambda c: c.lesions_found) == pytest.approx(curve.figures["AFROC"].value)
    assert area(curve, lambda c: c.weighted_lesions_found) == pytest.approx(curve.figures["wAFROC"].value)
    with_lesions = [one for one in images if one.targets]
    first = afroc_curve(with_lesions, QUICK, resamples=0)
    assert first.over == "all cases"
    assert area(first, lambda c: c.lesions_found) == pytest.approx(first.figures["AFROC1"].value)
    assert first.figures["AFROC"].reason == "undefined: no cases without lesions"


def test_a_view_with_many_lesions_weighs_as_much_as_one_with_a_single_one() -> None:
    many = [lesion(lesion_id="a"), lesion(AWAY, lesion_id="b"), lesion(OTHER, lesion_id="c")]
    images = [
        image("one", [lesion()], [finding(score=0.9)]),
        image("many", many, [finding(score=0.9)]),
        image("free", [], [finding(AWAY, 0.5)]),
    ]
    curve = afroc_curve(images, QUICK, resamples=0)
    assert curve.figures["AFROC"].value == pytest.approx(2 / 4)
    assert curve.figures["wAFROC"].value == pytest.approx((1 + 1 / 3) / 2)
    weights = {("one", "L1"): 1.0, ("many", "a"): 0.8, ("many", "b"): 0.1, ("many", "c"): 0.1}
    chosen = afroc_curve(images, QUICK, weights=weights, resamples=0)
    assert chosen.figures["wAFROC"].value == pytest.approx(0.9)
    assert chosen.figures["AFROC"].value == curve.figures["AFROC"].value


def test_a_silent_case_is_minus_infinity_and_ties_with_a_missed_lesion() -> None:
    images = [image("missed", [lesion()], []), image("free", [], [])]
    curve = afroc_curve(images, QUICK, resamples=0)
    assert curve.figures["AFROC"].value == 0.5 and curve.thresholds.size == 0
    shown = afroc_curve([images[0], image("free", [], [finding(AWAY, 0.01)])], QUICK, resamples=0)
    assert shown.figures["AFROC"].value == 0.0


def test_weights_that_are_missing_or_do_not_sum_to_one_are_refused() -> None:
    images = [image("a", [lesion(lesion_id="x"), lesion(AWAY, lesion_id="y")], [])]
    with pytest.raises(EvaluationError, match="lesion y has no weight"):
        afroc_curve(images, QUICK, weights={("a", "x"): 1.0})
    with pytest.raises(EvaluationError, match=r"image a sum to 0\.9"):
        afroc_curve(images, QUICK, weights={("a", "x"): 0.5, ("a", "y"): 0.4})
    with pytest.raises(EvaluationError, match="at least 0"):
        afroc_curve(images, QUICK, weights={("a", "x"): 1.5, ("a", "y"): -0.5})


def test_intervals_are_those_of_repeated_patients() -> None:
    images = random_images(7, 40)
    curve = afroc_curve(images, QUICK, resamples=40)
    drawn: dict[Figure, list[float]] = {"wAFROC": [], "AFROC1": [], "HR-AUC": []}
    for patients in resamples_of(images, 40):
        figures = afroc_curve(patients, QUICK, resamples=0).figures
        for name, values in drawn.items():
            value = figures[name].value
            assert value is not None
            values.append(value)
    for name, values in drawn.items():
        interval = curve.figures[name]
        assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))


def test_nothing_to_find_is_undefined() -> None:
    curve = afroc_curve([image("a", [], [finding()])], QUICK)
    assert {interval.reason for interval in curve.figures.values()} == {"undefined: no lesions"}
    assert np.isnan(curve.lesions_found).all()


def test_a_curve_says_how_it_was_made() -> None:
    curve = afroc_curve(random_images(1, 20), QUICK)
    assert "highest false positive of cases without lesions" in curve.sentence
    assert set(curve.figures) == {"AFROC", "wAFROC", "AFROC1", "wAFROC1", "HR-AUC"}
