"""Time the matching of 5,000 images on masks against pycocotools; prints one JSON object.

Run from the repository root: ``python -m benchmarks.matching``. CPU seconds of this process, best of the repeats; the
peer works on run-length codes of the same masks, and the largest difference between both stands beside. Matching on
boxes is timed by ``benchmarks.evaluation``.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from benchmarks.evaluation import synthetic_images
from benchmarks.timing import timed
from detection.evaluation.assignment import assign
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.matching import match_many
from detection.evaluation.outlines import meeting, shape_iou
from detection.evaluation.protocol import Protocol
from detection.finding import Box, Polygon
from detection.sample_set import LesionTarget
from imaging.contours import polygons_to_mask
from imaging.spans import Spans, Vertices

IMAGES = 5000
SIDE = 1024
VERTICES = 32
ABOVE = 0.1
MOST_SECONDS = 0.1


def main() -> int:
    """Measure everything and print it; exit status 1 beyond the target, or where the numbers differ."""
    masks = mask_matching(outlined_images(IMAGES, seed=0))
    report = {"images": IMAGES, "image_side": SIDE, "masks": masks, "target_seconds": MOST_SECONDS}
    print(json.dumps(report, indent=1))
    return 0 if masks["largest_difference"] == 0 and masks["seconds"] <= MOST_SECONDS else 1


def mask_matching(images: Sequence[EvaluatedImage]) -> dict[str, Any]:
    """Greedy matching of masks at IoU > 0.1, from masks that both sides hold in their own form.

    ``from_outlines`` begins with the vertices: `match_many` with its outcome of every finding and lesion, against
    pycocotools with its own filling of polygons (another rule, so that its numbers may differ by pixels).
    """
    findings: list[Sequence[Polygon]] = [
        (f.contour or (),) for image in images for f in sorted(image.findings, key=lambda f: -f.score)
    ]
    lesions = [target.polygons for image in images for target in image.targets]
    shapes = [*findings, *lesions]
    first, second = tables(images, len(findings))
    both = (first >= 0).any(axis=1) & (second >= 0).any(axis=1)
    compared = np.concatenate([first[both].ravel(), second[both].ravel()])
    codes = {int(index): encoded(shapes[index]) for index in compared if index >= 0}
    vertices = Vertices(shapes)
    spans, corners = Spans(vertices), vertices.boxes()

    def own() -> NDArray[np.float64]:
        iou = np.zeros((*first.shape, second.shape[1]))
        image, finding, lesion = meeting(corners, first, second)
        iou[image, finding, lesion] = shape_iou(spans, first[image, finding], second[image, lesion])
        assign(iou > ABOVE, iou, "greedy")
        return iou

    def peer() -> NDArray[np.float64]:
        iou = np.zeros((*first.shape, second.shape[1]))
        for index in np.flatnonzero(both):
            a, b = first[index][first[index] >= 0].tolist(), second[index][second[index] >= 0].tolist()
            found = coco.iou([codes[i] for i in a], [codes[j] for j in b], [0] * len(b))
            iou[index, : len(a), : len(b)] = found
        assign(iou > ABOVE, iou, "greedy")
        return iou

    def whole() -> int:
        rules = Protocol(score_above=0.0, class_aware="none", iou_of="mask")
        return sum(f.outcome == "TP" for entry in match_many(images, rules) for f in entry.findings)

    def peer_from_outlines() -> int:
        drawn = [
            coco.frPyObjects([[coordinate for point in shape[0] for coordinate in point]], SIDE, SIDE)[0]
            for shape in shapes
        ]
        overlapping = 0
        for index in np.flatnonzero(both):
            a, b = first[index][first[index] >= 0].tolist(), second[index][second[index] >= 0].tolist()
            overlapping += int((coco.iou([drawn[i] for i in a], [drawn[j] for j in b], [0] * len(b)) > 0).sum())
        return overlapping

    seconds, ours = timed(own, 7)
    peer_seconds, theirs = timed(peer, 5)
    pairs = int(assign(theirs > ABOVE, theirs, "greedy").sum())
    outline_seconds, found = timed(whole, 3)
    peer_outline_seconds, _ = timed(peer_from_outlines, 2)
    return {
        "seconds": seconds,
        "pycocotools_rle_seconds": peer_seconds,
        "ratio": peer_seconds / seconds,
        "largest_difference": max(float(np.abs(ours - theirs).max()), abs(pairs - found)),
        "pairs": pairs,
        "overlapping": int((theirs > 0).sum()),
        "from_outlines": {
            "match_many_seconds": outline_seconds,
            "pycocotools_seconds": peer_outline_seconds,
            "ratio": peer_outline_seconds / outline_seconds,
        },
    }


def tables(images: Sequence[EvaluatedImage], findings: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(images, findings) and (images, lesions) positions of the shapes, -1 where there is none."""
    counts = [(len(image.findings), len(image.targets)) for image in images]
    starts = np.cumsum([(0, findings), *counts], axis=0)[:-1]
    result = []
    for column in (0, 1):
        count = np.array(counts)[:, column, None]
        slot = np.arange(count.max())
        result.append(np.where(slot < count, starts[:, column, None] + slot, -1))
    return result[0], result[1]


def outlined_images(count: int, *, seed: int) -> list[EvaluatedImage]:
    """The images of the evaluation benchmark with a wavy outline of 32 points in every box."""
    rng = np.random.default_rng(seed)
    images = []
    for image in synthetic_images(count, seed=seed):
        targets = tuple(
            LesionTarget(t.lesion_id, t.lesion_type, t.malignancy, (outline(t.box, rng),), t.box) for t in image.targets
        )
        findings = tuple(
            type(f)(f.box, f.score, f.malignancy, f.lesion_type, outline(f.box, rng)) for f in image.findings
        )
        images.append(EvaluatedImage(image.sample_id, image.patient_id, targets, findings))
    return images


def outline(box: Box, rng: np.random.Generator) -> Polygon:
    """A closed wavy line inside a box, cut at the edge of the image as pycocotools cuts it."""
    x1, y1, x2, y2 = box
    angles = np.linspace(0, 2 * math.pi, VERTICES, endpoint=False)
    radius = 1 - 0.3 * rng.random(VERTICES)
    x = (x1 + x2) / 2 + (x2 - x1) / 2 * radius * np.cos(angles)
    y = (y1 + y2) / 2 + (y2 - y1) / 2 * radius * np.sin(angles)
    return tuple(zip(np.clip(x, 0, SIDE).tolist(), np.clip(y, 0, SIDE).tolist(), strict=True))


def encoded(shape: Sequence[Polygon]) -> dict[str, Any]:
    """Run-length code of the whole-image mask."""
    code: dict[str, Any] = coco.encode(np.asfortranarray(polygons_to_mask(shape, (SIDE, SIDE)).view(np.uint8)))
    return code


if __name__ == "__main__":
    sys.exit(main())
