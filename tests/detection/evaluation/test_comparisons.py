"""Two arms on one test set: differences on the same resamples, margins, lesions gained and lost."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from detection.evaluation import result as stored
from detection.evaluation.comparisons import gains_and_losses, mean_differences, non_inferiority, paired_differences
from detection.evaluation.errors import EvaluationError, ProtocolMismatch
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.resampling import Units
from detection.evaluation.test_set import evaluate
from tests.detection.evaluation.scenes import QUICK, finding, image, lesion, random_images, repeated


def two_arms(seed: int, count: int = 60) -> tuple[list[EvaluatedImage], list[EvaluatedImage]]:
    """The same views; the second arm loses a third of the findings of the first."""
    first = random_images(seed, count)
    rng = np.random.default_rng(seed)
    second = [replace(one, findings=tuple(f for f in one.findings if rng.random() > 0.33)) for one in first]
    return first, second


def test_differences_are_those_of_repeated_patients() -> None:
    protocol = replace(QUICK, resamples=100)
    arm, reference = two_arms(3, 24)
    found = paired_differences(evaluate(arm, protocol), evaluate(reference, protocol))
    units = Units([one.patient_id for one in arm])
    drawn: dict[tuple[str, str], list[float]] = {}
    for block in units.weight_blocks(100, QUICK.seed):
        for weights in block:
            results = [evaluate(repeated(images, units, weights), protocol) for images in (arm, reference)]
            for metric in ("sensitivity", "precision", "auc"):
                for group in ("malignant", "malignant_mass", "malignant_cluster"):
                    a, b = (getattr(result, metric)[group].value for result in results)
                    drawn.setdefault((metric, group), []).append(np.nan if a is None or b is None else a - b)
    for difference in found:
        values = np.array(drawn[difference.metric, difference.group])
        if np.nanmin(values) == np.nanmax(values):
            assert difference.interval.reason == "interval undefined: every resample gives the same value"
            continue
        low, high = np.nanquantile(values, [0.025, 0.975])
        assert difference.interval.low == pytest.approx(low)
        assert difference.interval.high == pytest.approx(high)
        kept = values[~np.isnan(values)]
        tail = min((kept <= 0).sum(), (kept >= 0).sum()) + 1
        assert difference.test.p_value == pytest.approx(min(1, 2 * tail / (kept.size + 1)))


def test_pairing_is_sharper_than_two_separate_intervals() -> None:
    arm, reference = two_arms(5, 200)
    results = evaluate(arm, QUICK), evaluate(reference, QUICK)
    difference = paired_differences(*results)[0].interval
    widths = [result.sensitivity["malignant"] for result in results]
    separate = np.hypot(*[(w.high or 0) - (w.low or 0) for w in widths])
    assert (difference.high or 0) - (difference.low or 0) < 0.9 * separate


def test_the_mean_over_seeds_is_drawn_on_the_same_patients_for_every_run() -> None:
    protocol = replace(QUICK, resamples=100)
    pairs = [[evaluate(images, protocol) for images in two_arms(seed, 30)] for seed in (3, 3, 3)]
    # another detector on the same views
    pairs[2] = pairs[2][::-1]
    units = Units(pairs[0][0].units)

    (found,) = mean_differences([p[0] for p in pairs], [p[1] for p in pairs], only={("sensitivity", "malignant")})

    def share(result: stored.TestSetResult, weights: np.ndarray) -> float:
        rows = [row for row in result.lesions if row.malignancy == "malignant"]
        drawn = [int(weights[units.names.index(row.patient_id)]) for row in rows]
        hits = sum(times * (row.outcome == "TP") for times, row in zip(drawn, rows, strict=True))
        return hits / sum(drawn)

    def mean(weights: np.ndarray) -> float:
        return float(np.mean([share(arm, weights) - share(reference, weights) for arm, reference in pairs]))

    drawn = [mean(weights) for block in units.weight_blocks(100, protocol.seed) for weights in block]
    assert found.interval.value == pytest.approx(mean(np.ones(len(units), dtype=int)))
    assert found.interval.low == pytest.approx(np.quantile(drawn, 0.025))
    assert found.interval.high == pytest.approx(np.quantile(drawn, 0.975))
    with pytest.raises(EvaluationError, match="as many runs"):
        mean_differences([pairs[0][0]], [])


def test_an_arm_against_itself_differs_by_nothing_and_claims_nothing() -> None:
    result = evaluate(random_images(2, 40), QUICK)
    for difference in paired_differences(result, result):
        assert difference.interval.value in (0.0, None)
        assert difference.interval.low is None
        assert difference.test.p_value is None


def test_a_number_undefined_in_one_arm_has_no_difference() -> None:
    lesions = [lesion(lesion_type="cluster")]
    found = [image("a", lesions, [finding()]), image("b", lesions, [finding()], "other")]
    silent = [replace(one, findings=()) for one in found]
    by_key = {(d.metric, d.group): d for d in paired_differences(evaluate(found, QUICK), evaluate(silent, QUICK))}
    assert by_key["precision", "malignant"].interval.reason == "undefined: the number is undefined in an arm"
    assert by_key["sensitivity", "malignant_mass"].test.p_value is None
    assert by_key["sensitivity", "malignant"].interval.value == 1.0


def test_a_difference_rests_on_no_more_rows_than_its_weaker_side() -> None:
    busy = [image(f"v{k}", [lesion()], [finding(), finding((30, 30, 40, 40), 0.5)], f"p{k}") for k in range(12)]
    quiet = [replace(one, findings=one.findings if k < 3 else ()) for k, one in enumerate(busy)]
    by_key = {(d.metric, d.group): d for d in paired_differences(evaluate(busy, QUICK), evaluate(quiet, QUICK))}
    assert by_key["precision", "malignant"].interval.n == 6
    assert by_key["sensitivity", "malignant"].interval.n == 12


def test_other_test_sets_and_protocols_are_refused() -> None:
    images = random_images(1, 20)
    with pytest.raises(ProtocolMismatch, match="different test sets"):
        paired_differences(evaluate(images, QUICK), evaluate(images[1:], QUICK))
    with pytest.raises(ProtocolMismatch):
        paired_differences(evaluate(images, QUICK), evaluate(images, replace(QUICK, iou_above=0.3)))


def test_non_inferiority_asks_the_lower_end_against_the_margin() -> None:
    arm, reference = two_arms(9, 120)
    difference = paired_differences(evaluate(reference, QUICK), evaluate(arm, QUICK))[0]
    assert difference.interval.low is not None
    wide, narrow = (non_inferiority(difference, -difference.interval.low + slack) for slack in (0.01, -0.01))
    assert (wide.holds, narrow.holds) == (True, False)
    assert wide.level == pytest.approx(0.975)
    for margin in (0, -0.1, float("nan")):
        with pytest.raises(EvaluationError, match="margin above 0"):
            non_inferiority(difference, margin)
    same = evaluate(random_images(2, 40), QUICK)
    assert non_inferiority(paired_differences(same, same)[0], 0.1).holds is None


def test_lesions_gained_and_lost_are_named() -> None:
    truth = [lesion(lesion_id="A"), lesion((30, 30, 40, 40), lesion_id="B", lesion_type="cluster")]
    arm = [image("v", truth, [finding()], "p"), image("w", truth[:1], [], "q"), image("x", truth[:1], [finding()], "r")]
    reference = [
        image("v", truth, [finding((30, 30, 40, 40))], "p"),
        image("w", truth[:1], [finding()], "q"),
        image("x", truth[:1], [finding()], "r"),
    ]
    moved = gains_and_losses(evaluate(arm, QUICK), evaluate(reference, QUICK))
    assert moved.gained == (("v", "A"),)
    assert moved.lost == (("v", "B"), ("w", "A"))
    assert moved.both == (("x", "A"),)
    assert moved.neither == ()
    # patient p is found by both arms, q by the reference alone
    assert moved.patients.n == 3 and moved.patients.statistic == 0
    clusters = gains_and_losses(evaluate(arm, QUICK), evaluate(reference, QUICK), "malignant_cluster")
    assert clusters.lost == (("v", "B"),) and clusters.gained == ()


def test_differences_are_plain_values() -> None:
    result = evaluate(random_images(2, 40), QUICK)
    assert len(json.loads(json.dumps([d.to_json() for d in paired_differences(result, result)]))) == 9
