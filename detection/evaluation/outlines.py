"""Overlap of outlines on pixels, counted on the rows they cover and never on whole images.

A pixel is inside where its centre is (`imaging.spans`). A lesion or finding without an outline is its box.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.errors import EvaluationError
from detection.evaluation.image_arrays import FindingArrays, LesionArrays
from detection.evaluation.images import EvaluatedImage
from detection.finding import Box, Polygon
from imaging.spans import Spans, boxes_of

Shape = Sequence[Polygon]


def mask_iou(images: Sequence[EvaluatedImage], found: FindingArrays, truth: LesionArrays) -> NDArray[np.float64]:
    """Intersection over union, in pixels, of every finding of an image with every lesion of it.

    Returns
    -------
    (images, findings, lesions) float64
        Findings in the order of `found`. 0 where the union has no pixel, or where there is no finding or lesion.

    Raises
    ------
    EvaluationError
        If an outline is not usable; the message names the image.
    """
    findings = [
        (finding.contour,) if finding.contour else _corners(finding.box) for one in images for finding in one.findings
    ]
    lesions = [target.polygons or _corners(target.box) for one in images for target in one.targets]
    shapes = [*findings, *lesions]
    boxes = np.concatenate(
        [_boxes("finding", images, findings, found.counts), _boxes("lesion", images, lesions, truth.counts)]
    )
    first = (np.cumsum(found.counts) - found.counts)[:, None] + found.order
    second = len(findings) + (np.cumsum(truth.counts) - truth.counts)[:, None] + np.arange(truth.present.shape[1])
    iou = np.zeros((*found.present.shape, truth.present.shape[1]))
    image, rank, lesion = np.nonzero(found.present[:, :, None] & truth.present[:, None, :])
    one, other = boxes[first[image, rank]], boxes[second[image, lesion]]
    meet = (np.minimum(one[:, 2:], other[:, 2:]) > np.maximum(one[:, :2], other[:, :2])).all(axis=1)
    image, rank, lesion = image[meet], rank[meet], lesion[meet]
    # only what meets something is filled
    used, place = np.unique(np.concatenate([first[image, rank], second[image, lesion]]), return_inverse=True)
    spans = Spans([shapes[index] for index in used])
    one, other = place[: image.size], place[image.size :]
    shared = spans.intersections(one, other)
    union = spans.areas[one] + spans.areas[other] - shared
    iou[image, rank, lesion] = np.divide(shared, union, out=np.zeros(image.size), where=union > 0)
    return iou


def _corners(box: Box) -> Shape:
    x1, y1, x2, y2 = box
    return (((x1, y1), (x2, y1), (x2, y2), (x1, y2)),)


def _boxes(
    kind: str, images: Sequence[EvaluatedImage], shapes: Sequence[Shape], counts: NDArray[np.intp]
) -> NDArray[np.float64]:
    try:
        return boxes_of(shapes)
    except ValueError as error:
        index = first_refused(shapes)
        image = int(np.searchsorted(np.cumsum(counts), index, side="right"))
        place = index - int(counts[:image].sum())
        raise EvaluationError(
            f"Image {images[image].sample_id}, {kind} {place}: {error}. Correct the outline and evaluate again."
        ) from error


def first_refused(shapes: Sequence[Shape]) -> int:
    """Position of the first shape that `imaging.spans` refuses.

    Raises
    ------
    ValueError
        If it refuses none.
    """
    for position, shape in enumerate(shapes):
        try:
            boxes_of([shape])
        except ValueError:
            return position
    raise ValueError("every shape is usable")
