"""Mean Dice coefficient over found lesions, and over all."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from detection.evaluation.dice import mean_dice
from detection.evaluation.protocol import Protocol
from detection.evaluation.resampling import Units
from detection.evaluation.test_set import evaluate
from tests.detection.evaluation.scenes import QUICK, finding, image, lesion
from tests.detection.evaluation.test_outlines import outlined_images

WHOLE = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0))
LEFT = ((0.0, 0.0), (5.0, 0.0), (5.0, 10.0), (0.0, 10.0))


def scene() -> list:
    """Found with Dice 1 and 2 * 50 / 150, one missed, one found without an outline, one benign with Dice 1."""
    exact, half = (replace(finding(), contour=outline) for outline in (WHOLE, LEFT))
    benign = replace(finding(malignancy=0.1), contour=WHOLE)
    return [
        image("a", [lesion()], [exact]),
        image("b", [lesion()], [half]),
        image("c", [lesion()], []),
        image("d", [lesion()], [finding()]),
        image("e", [lesion(malignancy="benign")], [benign]),
    ]


def test_missed_lesions_count_as_0_in_the_second_column_alone() -> None:
    means = mean_dice(evaluate(scene(), QUICK))
    assert (means.found.value, means.found.n) == (pytest.approx((1 + 2 / 3) / 2), 2)
    assert (means.every.value, means.every.n) == (pytest.approx((1 + 2 / 3) / 3), 3)
    assert means.without == 1
    assert means.every.warning == "1 found lesion(s) without a Dice coefficient are left out."


@pytest.mark.parametrize("group", ["malignant", "malignant_mass"])
def test_intervals_draw_whole_patients(group: str) -> None:
    result = evaluate(outlined_images(61, 160), QUICK)
    means = mean_dice(result, group)  # type: ignore[arg-type]
    values: dict[str, list[float]] = defaultdict(list)
    for row in result.lesions:
        if row.malignancy == "malignant" and not (row.outcome == "TP" and row.dice is None):
            values[row.patient_id].append(row.dice or 0.0)
    units = Units(result.units)
    drawn = [
        np.mean([dice for name, times in zip(units.names, row, strict=True) for dice in values[name] * int(times)])
        for row in np.concatenate(list(units.weight_blocks(200, 0)))
    ]
    assert means.every.value == pytest.approx(np.mean(np.concatenate([values[name] for name in sorted(values)])))
    assert (means.every.low, means.every.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=1e-12)
    assert means.found.n == sum(row.dice is not None and row.malignancy == "malignant" for row in result.lesions)


def test_the_default_interval_is_that_of_the_protocol() -> None:
    result = evaluate(outlined_images(61, 160), Protocol(resamples=200))
    assert mean_dice(result).found.method.startswith("logit-t")


def test_undefined_with_the_reason() -> None:
    without_outlines = mean_dice(evaluate([image("a", [lesion()], [finding()]), image("b", [lesion()], [])], QUICK))
    assert without_outlines.every.reason == "undefined: no found lesion has a Dice coefficient: outlines are missing"
    assert without_outlines.found.value is None and without_outlines.without == 1
    missed = mean_dice(evaluate([image("a", [lesion()], []), image("b", [lesion()], [])], QUICK))
    assert missed.found.reason == "undefined: no lesion is found"
    assert (missed.every.value, missed.every.n, missed.every.low) == (0.0, 2, None)
    assert mean_dice(evaluate([image("a", [], [])], QUICK)).every.reason == "undefined: no lesions"
    untyped = mean_dice(evaluate(scene(), QUICK, groups_known=False), "malignant_mass")
    assert untyped.found.reason == "undefined: the lesion types of this test set are not known"
