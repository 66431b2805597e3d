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
from imaging.spans import Spans, Vertices

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
    try:
        vertices = Vertices([*findings, *lesions])
    except ValueError as error:
        raise _refusal(images, findings, lesions) from error
    first = np.where(found.present, (np.cumsum(found.counts) - found.counts)[:, None] + found.order, -1)
    slots = np.arange(truth.present.shape[1])
    starts = len(findings) + np.cumsum(truth.counts) - truth.counts
    second = np.where(truth.present, starts[:, None] + slots, -1)
    image, rank, lesion = meeting(vertices.boxes(), first, second)
    one, other = first[image, rank], second[image, lesion]
    # only what meets something is filled
    used = np.zeros(len(vertices), dtype=bool)
    used[one] = used[other] = True
    place = np.cumsum(used) - 1
    iou = np.zeros((*first.shape, second.shape[1]))
    iou[image, rank, lesion] = shape_iou(Spans(vertices.chosen(used)), place[one], place[other])
    return iou


def meeting(
    boxes: NDArray[np.float64], first: NDArray[np.intp], second: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of shapes of one image whose boxes overlap: no others share a pixel.

    Parameters
    ----------
    boxes : (shapes, 4) float64
    first, second : (images, findings) and (images, lesions) int
        Positions of the shapes of each image, -1 where there is none.

    Returns
    -------
    image, finding, lesion : (pairs,) int
    """
    image, finding, lesion = np.nonzero((first >= 0)[:, :, None] & (second >= 0)[:, None, :])
    one, other = boxes[first[image, finding]], boxes[second[image, lesion]]
    meet = (np.minimum(one[:, 2:], other[:, 2:]) > np.maximum(one[:, :2], other[:, :2])).all(axis=1)
    return image[meet], finding[meet], lesion[meet]


def shape_iou(spans: Spans, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.float64]:
    """(pairs,) intersection over union of pairs of shapes in pixels; 0 where the union has none."""
    shared = spans.intersections(first, second)
    union = spans.areas[first] + spans.areas[second] - shared
    return np.divide(shared, union, out=np.zeros(len(first)), where=union > 0)


def _corners(box: Box) -> Shape:
    x1, y1, x2, y2 = box
    return (((x1, y1), (x2, y1), (x2, y2), (x1, y2)),)


def _refusal(images: Sequence[EvaluatedImage], findings: Sequence[Shape], lesions: Sequence[Shape]) -> EvaluationError:
    """Where the first outline is that cannot be used, those of findings first."""
    index, why = first_refused([*findings, *lesions])
    kind, counts = "finding", np.array([len(one.findings) for one in images])
    if index >= len(findings):
        kind, counts, index = "lesion", np.array([len(one.targets) for one in images]), index - len(findings)
    image = int(np.searchsorted(np.cumsum(counts), index, side="right"))
    place = index - int(counts[:image].sum())
    return EvaluationError(
        f"Image {images[image].sample_id}, {kind} {place}: {why}. Correct the outline and evaluate again."
    )


def first_refused(shapes: Sequence[Shape]) -> tuple[int, str]:
    """Position of the first shape that `imaging.spans` refuses, and why.

    Raises
    ------
    ValueError
        If it refuses none.
    """
    for position, shape in enumerate(shapes):
        try:
            Vertices([shape])
        except ValueError as error:
            return position, str(error)
    raise ValueError("every shape is usable")
