"""Findings and lesions of many images as arrays, checked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.errors import EvaluationError
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.protocol import Protocol

UNKNOWN = -1
"""Malignancy of a lesion of which it is not known."""
EITHER = 2
"""Type of a lesion or finding that agrees with any type."""
_MALIGNANCY = {"benign": 0, "malignant": 1, "unknown": UNKNOWN}
# a detector of two classes does not say the type: its findings agree with any
_FINDING_TYPE = {"mass": 0, "cluster": 1, "other": EITHER}
# a detector says mass or cluster: `both` agrees with either, and so does `other`, which it cannot say
_LESION_TYPE = {"mass": 0, "cluster": 1, "both": EITHER, "other": EITHER}


class FindingArrays:
    """Findings of all images in (images, findings) arrays, by descending score (ties: input order).

    Attributes
    ----------
    counts : (images,) int
    order : (images, findings) int
        Position of each in the findings of its image as given.
    present, above, kept : (images, findings) bool
        Whether there is a finding, its score is above the threshold, and it is among the best of these.
    malignancy, lesion_type : (images, findings) int8
    box : (images, findings, 4) float64

    Raises
    ------
    EvaluationError
        If a score, probability, box or type is not usable; the message names image and finding.
    """

    def __init__(self, images: Sequence[EvaluatedImage], protocol: Protocol) -> None:
        self.counts = np.array([len(image.findings) for image in images], dtype=np.intp)
        image, position, self.present = _slots(self.counts)
        flat = [finding for entry in images for finding in entry.findings]
        box = np.array([finding.box for finding in flat], dtype=np.float64).reshape(-1, 4)
        score = np.array([finding.score for finding in flat], dtype=np.float64)
        malignancy = np.array([finding.malignancy for finding in flat], dtype=np.float64)
        _check_unit_interval("score", score, image, position, images)
        _check_unit_interval("malignancy", malignancy, image, position, images)
        _check_boxes("finding", box, image, position, images)
        types = [finding.lesion_type for finding in flat]
        if not _FINDING_TYPE.keys() >= set(types):
            index = next(place for place, name in enumerate(types) if name not in _FINDING_TYPE)
            raise EvaluationError(
                f"{_place(images, image, position, index, 'finding')}: expected lesion type 'mass', "
                f"'cluster' or 'other', found {types[index]!r}."
            )
        scores = np.full(self.present.shape, -np.inf)
        scores[image, position] = score
        self.order = np.argsort(-scores, axis=1, kind="stable")
        ordered = np.take_along_axis(scores, self.order, axis=1)
        self.above = ordered > protocol.score_above
        self.kept = self.above & (np.arange(self.present.shape[1]) < protocol.top)
        self.malignancy = self._ordered(image, position, [int(finding.is_malignant) for finding in flat], -2)
        self.lesion_type = self._ordered(image, position, [_FINDING_TYPE[name] for name in types], -2)
        boxes = np.zeros((*self.present.shape, 4))
        boxes[image, position] = box
        self.box = np.take_along_axis(boxes, self.order[:, :, None], axis=1)

    def _ordered(
        self, image: NDArray[np.intp], position: NDArray[np.intp], values: list[int], absent: int
    ) -> NDArray[np.int8]:
        table = np.full(self.present.shape, absent, dtype=np.int8)
        table[image, position] = values
        return np.take_along_axis(table, self.order, axis=1)


class LesionArrays:
    """Lesions of all images in (images, lesions) arrays, in their own order; attributes as of `FindingArrays`."""

    def __init__(self, images: Sequence[EvaluatedImage]) -> None:
        self.counts = np.array([len(image.targets) for image in images], dtype=np.intp)
        image, position, self.present = _slots(self.counts)
        flat = [target for entry in images for target in entry.targets]
        box = np.array([target.box for target in flat], dtype=np.float64).reshape(-1, 4)
        _check_boxes("lesion", box, image, position, images)
        for index, target in enumerate(flat):
            if target.malignancy not in _MALIGNANCY or target.lesion_type not in _LESION_TYPE:
                raise EvaluationError(
                    f"{_place(images, image, position, index, 'lesion')}: unknown malignancy "
                    f"{target.malignancy!r} or lesion type {target.lesion_type!r}; expected "
                    f"{', '.join(_MALIGNANCY)} and {', '.join(_LESION_TYPE)}."
                )
        self.malignancy = np.full(self.present.shape, UNKNOWN, dtype=np.int8)
        self.malignancy[image, position] = [_MALIGNANCY[target.malignancy] for target in flat]
        self.lesion_type = np.full(self.present.shape, EITHER, dtype=np.int8)
        self.lesion_type[image, position] = [_LESION_TYPE[target.lesion_type] for target in flat]
        self.box = np.zeros((*self.present.shape, 4))
        self.box[image, position] = box


def _slots(counts: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Image and position of each entry of a flat list, and the (images, most) mask of filled positions."""
    image = np.repeat(np.arange(counts.size), counts)
    position = np.arange(image.size) - np.repeat(np.cumsum(counts) - counts, counts)
    present = np.arange(counts.max(initial=0)) < counts[:, None]
    return image, position, present


def _check_unit_interval(
    name: str,
    values: NDArray[np.float64],
    image: NDArray[np.intp],
    position: NDArray[np.intp],
    images: Sequence[EvaluatedImage],
) -> None:
    wrong = np.flatnonzero(~((values >= 0) & (values <= 1)))
    if wrong.size:
        index = int(wrong[0])
        raise EvaluationError(
            f"{_place(images, image, position, index, 'finding')}: expected a {name} from 0 to 1, found "
            f"{values[index]:g}. Correct the findings and evaluate again."
        )


def _check_boxes(
    kind: str,
    boxes: NDArray[np.float64],
    image: NDArray[np.intp],
    position: NDArray[np.intp],
    images: Sequence[EvaluatedImage],
) -> None:
    right = np.isfinite(boxes).all(axis=1) & (boxes[:, 2] >= boxes[:, 0]) & (boxes[:, 3] >= boxes[:, 1])
    wrong = np.flatnonzero(~right)
    if wrong.size:
        index = int(wrong[0])
        found = ", ".join(f"{value:g}" for value in boxes[index])
        raise EvaluationError(
            f"{_place(images, image, position, index, kind)}: expected a box (x1, y1, x2, y2) of finite "
            f"numbers with x1 <= x2 and y1 <= y2, found ({found})."
        )


def _place(
    images: Sequence[EvaluatedImage],
    image: NDArray[np.intp],
    position: NDArray[np.intp],
    index: int,
    kind: str,
) -> str:
    return f"Image {images[int(image[index])].sample_id}, {kind} {int(position[index])}"
