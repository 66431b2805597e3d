"""Average precision, against pycocotools, faster-coco-eval and counting anew."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detection.evaluation.average_precision import RECALL_LEVELS, average_precision
from detection.evaluation.errors import EvaluationError
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.lesion_groups import Group
from detection.evaluation.protocol import Protocol
from tests.detection.evaluation.scenes import (
    QUICK,
    counted_anew,
    finding,
    image,
    lesion,
    random_images,
    resamples_of,
)

COCO_RULES = replace(QUICK, duplicates="fp", top=100)
AT_OR_ABOVE = float(np.nextafter(0.1, 0))
"""A strict bound that lets an IoU of exactly 0.1 through, as COCO does."""


def coco_tables(images: Sequence[EvaluatedImage]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Malignant lesions and findings called malignant in COCO's format."""
    truth, found = [], []
    for number, entry in enumerate(images, start=1):
        for target in entry.targets:
            if target.malignancy == "malignant":
                x1, y1, x2, y2 = target.box
                truth.append({
                    "id": len(truth) + 1, "image_id": number, "category_id": 1, "iscrowd": 0,
                    "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1),
                })  # fmt: skip
        for one in entry.findings:
            if one.is_malignant:
                x1, y1, x2, y2 = one.box
                found.append(
                    {"image_id": number, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": one.score}
                )
    dataset = {
        "info": {}, "images": [{"id": n} for n in range(1, len(images) + 1)], "annotations": truth,
        "categories": [{"id": 1, "name": "malignant"}],
    }  # fmt: skip
    return dataset, found


def peer(library: str, images: Sequence[EvaluatedImage], top: int) -> float:
    """AP at IoU 0.1 by the library, read from its table of precisions and not from its summary."""
    if library == "pycocotools":
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval as Evaluation
    else:
        from faster_coco_eval import COCO
        from faster_coco_eval import COCOeval_faster as Evaluation
    dataset, found = coco_tables(images)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dataset
        truth.createIndex()
        run = Evaluation(truth, truth.loadRes(found), "bbox")
        run.params.iouThrs = np.array([0.1])
        # with the highest number below 100 the summary of the libraries is -1; the table is right
        run.params.maxDets = [top]
        run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
        run.evaluate()
        run.accumulate()
    return float(run.eval["precision"][0, :, 0, 0, 0].mean())


@pytest.mark.parametrize("library", ["pycocotools", "faster-coco-eval"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_is_that_of_the_coco_libraries_where_the_rules_are_theirs(library: str, seed: int) -> None:
    images = random_images(seed, 250)
    ours = average_precision(images, COCO_RULES, resamples=0)
    assert ours.interval.value == pytest.approx(peer(library, images, 100), abs=1e-12)
    assert ours.interval.value is not None and 0.1 < ours.interval.value < 0.9


@pytest.mark.parametrize("library", ["pycocotools", "faster-coco-eval"])
def test_five_findings_an_image_are_the_same_for_the_libraries_and_never_minus_one(library: str) -> None:
    only_malignant = [
        replace(one, findings=tuple(f for f in one.findings if f.is_malignant)) for one in random_images(4, 250)
    ]
    ours = average_precision(only_malignant, replace(COCO_RULES, top=2), resamples=0).interval.value
    assert ours == pytest.approx(peer(library, only_malignant, 2), abs=1e-12)
    every = average_precision(only_malignant, COCO_RULES, resamples=0).interval.value
    assert ours is not None and every is not None and 0 <= ours < every


def test_an_overlap_of_exactly_the_threshold_counts_for_coco_and_not_here() -> None:
    images = [image("a", [lesion((0, 0, 10, 10))], [finding((0, 9, 10, 10))])]
    assert average_precision(images, COCO_RULES, resamples=0).interval.value == 0.0
    inclusive = replace(COCO_RULES, iou_above=AT_OR_ABOVE)
    assert average_precision(images, inclusive, resamples=0).interval.value == 1.0
    assert [peer(library, images, 100) for library in ("pycocotools", "faster-coco-eval")] == pytest.approx([1.0, 1.0])


def test_the_rule_for_duplicates_moves_it() -> None:
    images = random_images(6, 200)
    values = {
        rule: average_precision(images, replace(COCO_RULES, duplicates=rule), resamples=0).interval.value
        for rule in ("fp", "ignore", "report")
    }
    assert values["ignore"] == values["report"] > values["fp"]


@pytest.mark.parametrize("group", ["malignant", "malignant_mass", "malignant_cluster"])
def test_precision_and_recall_are_what_counting_anew_gives(group: Group) -> None:
    images = random_images(9, 40, score=lambda rng: float(rng.integers(1, 9)) / 8)
    curve = average_precision(images, QUICK, group=group, resamples=0)
    counts = [counted_anew(images, float(threshold), group, QUICK) for threshold in curve.thresholds]
    points = [(found / (found + false), found / curve.lesions) for found, false in counts]
    assert np.stack([curve.precision, curve.recall], axis=1) == pytest.approx(np.array(points))
    mean = np.mean([max((p for p, r in points if r >= level), default=0.0) for level in RECALL_LEVELS])
    assert curve.interval.value == pytest.approx(mean, abs=1e-12)


def test_the_interval_is_that_of_repeated_patients() -> None:
    images = random_images(7, 30)
    curve = average_precision(images, QUICK, resamples=40)
    values = [average_precision(drawn, QUICK, resamples=0).interval.value for drawn in resamples_of(images, 40)]
    expected = np.quantile([value for value in values if value is not None], [0.025, 0.975])
    assert (curve.interval.low, curve.interval.high) == pytest.approx(tuple(expected))


def test_nothing_to_find_is_undefined_and_nothing_found_is_zero() -> None:
    assert average_precision([image("a", [], [finding()])], QUICK).interval.reason == "undefined: no lesions"
    silent = average_precision([image("a", [lesion()], []), image("b", [lesion()], [])], QUICK)
    assert silent.interval.value == 0.0 and silent.thresholds.size == 0


def test_equal_scores_do_not_depend_on_the_order() -> None:
    hit, miss = finding(score=0.5), finding((30, 30, 40, 40), 0.5)
    values = [
        average_precision([image("a", [lesion()], findings)], QUICK, resamples=0).interval.value
        for findings in ([hit, miss], [miss, hit])
    ]
    assert values == [0.5, 0.5]


def test_a_matching_that_changes_with_the_threshold_is_refused() -> None:
    with pytest.raises(EvaluationError, match="greedy"):
        average_precision([], Protocol(matching="hungarian"))


def test_it_says_how_it_was_made() -> None:
    curve = average_precision(random_images(1, 20), QUICK)
    assert "101 shares" in curve.sentence and curve.interval.method == "percentile bootstrap of patients"
