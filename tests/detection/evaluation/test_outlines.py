"""Overlap measured on the pixels inside outlines."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

from detection.evaluation.errors import EvaluationError
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.matching import match, match_many
from detection.evaluation.protocol import Protocol
from detection.evaluation.test_set import evaluate
from detection.finding import Polygon
from imaging.contours import polygons_to_mask
from tests.detection.evaluation.scenes import QUICK, finding, image, lesion

MASK = replace(QUICK, iou_of="mask")
SIDE = 64


def blob(rng: Any, box: tuple[float, float, float, float]) -> Polygon:
    """A wavy outline inside a box."""
    x1, y1, x2, y2 = box
    angles = np.linspace(0, 2 * math.pi, int(rng.integers(5, 12)), endpoint=False)
    radius = rng.uniform(0.4, 1.0, angles.size)
    x, y = (
        (x1 + x2) / 2 + (x2 - x1) / 2 * radius * np.cos(angles),
        (y1 + y2) / 2 + (y2 - y1) / 2 * radius * np.sin(angles),
    )
    return tuple(zip(x.tolist(), y.tolist(), strict=True))


def box_around(polygons: list[Polygon]) -> tuple[float, float, float, float]:
    x, y = zip(*(point for polygon in polygons for point in polygon), strict=True)
    return min(x), min(y), max(x), max(y)


def outlined_images(seed: int, count: int) -> list[EvaluatedImage]:
    """Lesions of one or two outlines, findings about half on a lesion; some of both without an outline."""
    rng = np.random.default_rng(seed)
    images = []
    for index in range(count):
        targets = []
        for number in range(rng.integers(0, 4)):
            x, y = rng.uniform(2, 40, 2)
            polygons = [blob(rng, (x, y, x + 18, y + 14)) for _ in range(rng.integers(1, 3))]
            one = lesion(box_around(polygons), str(rng.choice(["benign", "malignant"])), lesion_id=f"L{number}")
            targets.append(replace(one, polygons=() if rng.random() < 0.1 else tuple(polygons)))
        findings = []
        for _ in range(rng.integers(0, 7)):
            x, y = rng.uniform(2, 40, 2)
            if targets and rng.random() < 0.6:
                x, y = np.array(targets[int(rng.integers(len(targets)))].box[:2]) + rng.uniform(0, 5, 2)
            outline = blob(rng, (float(x), float(y), float(x) + 16, float(y) + 15))
            one = finding(box_around([outline]), float(rng.random()), float(rng.random()))
            findings.append(one if rng.random() < 0.1 else replace(one, contour=outline))
        images.append(image(f"view-{index:04d}", targets, findings, f"patient-{index // 2:04d}"))
    return images


def filled(polygons: Any, box: tuple[float, float, float, float]) -> np.ndarray:
    x1, y1, x2, y2 = box
    return polygons_to_mask(polygons or [((x1, y1), (x2, y1), (x2, y2), (x1, y2))], (SIDE, SIDE))


def test_iou_is_that_of_pycocotools_on_the_same_masks() -> None:
    compared = 0
    for entry in outlined_images(51, 150):
        if not entry.targets or not entry.findings:
            continue
        # every finding kept and reported against every lesion, one lesion at a time
        encoded = [
            coco.encode(np.asfortranarray(filled([one.contour] if one.contour else [], one.box)).view(np.uint8))
            for one in entry.findings
        ]
        for target in entry.targets:
            truth = coco.encode(np.asfortranarray(filled(target.polygons, target.box)).view(np.uint8))
            expected = coco.iou(encoded, [truth], [0])[:, 0]
            measured = [one.iou for one in match([target], entry.findings, MASK).findings]
            assert measured == pytest.approx(expected.tolist(), abs=1e-15)
            compared += int((expected > 0).sum())
    assert compared > 200


@pytest.mark.parametrize("rule", ["greedy", "hungarian", "argmax_lesion", "any_overlap"])
def test_matching_takes_the_overlap_of_masks(rule: Any) -> None:
    """An image at a time gives what all images at once give, and masks decide differently from boxes."""
    images = outlined_images(52, 120)
    protocol = replace(MASK, matching=rule)
    together = match_many(images, protocol)
    assert together == [match(entry.targets, entry.findings, protocol) for entry in images]
    assert together != match_many(images, replace(protocol, iou_of="box"))


def test_boxes_overlap_where_masks_do_not() -> None:
    lower = ((0.0, 0.0), (0.0, 20.0), (20.0, 20.0))
    upper = ((1.0, 0.0), (20.0, 0.0), (20.0, 19.0))
    target = replace(lesion((0, 0, 20, 20)), polygons=(lower,))
    found = replace(finding((1, 0, 20, 19)), contour=upper)
    assert match([target], [found], Protocol()).lesions[0].outcome == "TP"
    assert match([target], [found], MASK).lesions[0].reason == "no overlap"


def test_the_box_stands_in_for_a_missing_outline_and_the_result_says_so() -> None:
    images = [image("a", [lesion((0, 0, 10, 10))], [finding((0, 0, 10, 20))]), image("b", [], [])]
    result = evaluate(images, MASK)
    assert result.lesions[0].iou == 0.5 and result.lesions[0].dice is None
    assert "0 lesion(s) and 1 finding(s) have no outline: their boxes stand in" in result.warnings[0]
    assert "mask IoU > 0.1 (the box where there is no outline)" in result.protocol.sentence()
    assert not evaluate(images, QUICK).warnings


def test_dice_and_iou_of_one_pair_agree() -> None:
    """D = 2 J / (1 + J)."""
    rows = [row for row in evaluate(outlined_images(53, 200), MASK).lesions if row.dice is not None]
    assert len(rows) > 30
    assert [row.dice for row in rows] == pytest.approx([2 * row.iou / (1 + row.iou) for row in rows])


def test_test_sets_of_other_outlines_differ_where_outlines_count() -> None:
    drawn = lesion((0, 0, 10, 10))
    redrawn = replace(drawn, polygons=(((0.0, 0.0), (10.0, 0.0), (10.0, 10.0)),))
    digests = [
        [evaluate([image("a", [one], [])], protocol).test_set_digest for one in (drawn, redrawn)]
        for protocol in (QUICK, MASK)
    ]
    assert digests[0][0] == digests[0][1] and digests[1][0] != digests[1][1]


@pytest.mark.parametrize(
    ("outline", "message"),
    [(((0.0, 0.0), (10.0, 0.0)), "at least three"), (((0.0, 0.0), (1.0, 0.0), (1.0, math.nan)), "not a finite")],
)
def test_a_bad_outline_names_image_and_place(outline: Any, message: str) -> None:
    good = image("a", [lesion()], [finding()])
    bad = replace(finding(), contour=outline)
    with pytest.raises(EvaluationError, match=f"Image b, finding 1: .*{message}"):
        match_many([good, image("b", [lesion()], [finding(), bad])], MASK)
    with pytest.raises(EvaluationError, match=f"Image b, lesion 0: .*{message}"):
        match_many([good, image("b", [replace(lesion(), polygons=(outline,))], [])], MASK)


def test_the_first_bad_outline_is_named_with_its_own_reason() -> None:
    lost = replace(finding(), contour=((0.0, 0.0), (1.0, 0.0), (1.0, math.inf)))
    short = replace(lesion(), polygons=(((0.0, 0.0), (10.0, 0.0)),))
    with pytest.raises(EvaluationError, match=r"Image b, finding 0: .*not a finite"):
        match_many([image("a", [short], []), image("b", [], [lost])], MASK)


def test_images_without_lesions_or_findings() -> None:
    matches = match_many([image("a", [], []), image("b", [lesion()], []), image("c", [], [finding()])], MASK)
    assert [one.reason for one in matches[1].lesions] == ["no overlap"]
    assert [(one.outcome, one.iou) for one in matches[2].findings] == [("FP", 0.0)]
