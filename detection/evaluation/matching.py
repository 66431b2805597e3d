"""Matching findings with lesions, one outcome for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.assignment import assign
from detection.evaluation.errors import EvaluationError
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.overlap import box_iou
from detection.evaluation.protocol import Protocol
from detection.finding import Finding
from detection.sample_set import LesionTarget

FindingResult = Literal["TP", "DUP", "FP", "below", "unscored"]
FindingReason = Literal[
    "no overlap", "wrong class", "duplicate", "low score", "outside top", "lesion of unknown malignancy"
]
LesionResult = Literal["TP", "FN", "unscored"]
MissReason = Literal["no overlap", "low score", "wrong class", "outside top", "finding taken", "unknown malignancy"]

_MALIGNANCY = {"benign": 0, "malignant": 1, "unknown": -1}
# a detector of two classes does not say the type: its findings agree with any
_FINDING_TYPE = {"mass": 0, "cluster": 1, "other": 2}
# a detector says mass or cluster: `both` agrees with either, and so does `other`, which it cannot say
_LESION_TYPE = {"mass": 0, "cluster": 1, "both": 2, "other": 2}
_IMAGES_AT_ONCE = 1024


@dataclass(frozen=True)
class FindingOutcome:
    """What became of one finding.

    Attributes
    ----------
    outcome : {"TP", "DUP", "FP", "below", "unscored"}
        `below`: not kept by the protocol. `unscored`: overlaps nothing but a lesion of unknown malignancy.
    reason : str or None
        For everything but TP and DUP.
    lesion : int or None
        Lesion credited (TP), lesion already found (DUP), or lesion of highest IoU above the threshold.
    iou : float
        IoU with that lesion; without one, the highest IoU with any lesion.
    localised : int or None
        Lesion matched by the same rule on position alone, whatever the class; None for a finding not kept.
    """

    outcome: FindingResult
    reason: FindingReason | None
    lesion: int | None
    iou: float
    localised: int | None


@dataclass(frozen=True)
class LesionOutcome:
    """What became of one lesion.

    Attributes
    ----------
    outcome : {"TP", "FN", "unscored"}
    finding : int or None
        Finding credited; for a missed lesion the highest-scoring finding that explains the reason.
    reason : str or None
        Why it was missed: "finding taken" (an eligible finding was spent on another lesion), "wrong class",
        "outside top" (not among the best findings of the image), "low score", "no overlap"; the first that
        holds.
    iou : float
        IoU with that finding; without one, the highest IoU with any finding.
    """

    outcome: LesionResult
    finding: int | None
    reason: MissReason | None
    iou: float


@dataclass(frozen=True)
class ImageMatch:
    """Outcomes of one image, in the order of its findings and of its lesions."""

    findings: tuple[FindingOutcome, ...]
    lesions: tuple[LesionOutcome, ...]


def match(targets: Sequence[LesionTarget], findings: Sequence[Finding], protocol: Protocol) -> ImageMatch:
    """Match the findings of one image with its lesions.

    Raises
    ------
    EvaluationError
        If a score, probability or box is not usable.
    """
    return match_many([EvaluatedImage("image", "", targets, findings)], protocol)[0]


def match_many(images: Sequence[EvaluatedImage], protocol: Protocol) -> list[ImageMatch]:
    """Match every image on its own; the order of the images plays no part.

    Raises
    ------
    EvaluationError
        If a score, probability or box is not usable; the message names the image.
    """
    matches: list[ImageMatch] = []
    for start in range(0, len(images), _IMAGES_AT_ONCE):
        matches.extend(_match_block(images[start : start + _IMAGES_AT_ONCE], protocol))
    return matches


def _match_block(images: Sequence[EvaluatedImage], protocol: Protocol) -> list[ImageMatch]:
    found = _Findings(images, protocol)
    truth = _Lesions(images)
    iou = box_iou(found.box, truth.box)
    overlap = iou > protocol.iou_above
    overlap &= found.present[:, :, None] & truth.present[:, None, :]
    agree = np.ones_like(overlap)
    if protocol.class_aware != "none":
        agree = found.malignancy[:, :, None] == truth.malignancy[:, None, :]
    if protocol.class_aware == "malignancy and type":
        lesion_type = truth.lesion_type[:, None, :]
        said = found.lesion_type[:, :, None]
        agree &= (lesion_type == 2) | (said == 2) | (lesion_type == said)
    eligible = overlap & agree & found.kept[:, :, None]
    credited = np.zeros_like(eligible)
    localised = np.zeros_like(eligible)
    # kept findings come first, so the rules need not look further
    top = slice(0, protocol.top)
    credited[:, top] = assign(eligible[:, top], iou[:, top], protocol.matching)
    on_position = overlap & found.kept[:, :, None]
    localised[:, top] = assign(on_position[:, top], iou[:, top], protocol.matching)
    unscored = truth.present & (truth.malignancy == -1) & (protocol.class_aware != "none")
    state = _State(found, truth, iou, overlap, eligible, credited, localised, unscored)
    lesions = _lesion_outcomes(state)
    findings = _finding_outcomes(state, protocol)
    return [
        ImageMatch(tuple(of_findings), tuple(of_lesions))
        for of_findings, of_lesions in zip(findings, lesions, strict=True)
    ]


class _Findings:
    """Findings of all images in (images, findings) arrays, by descending score (ties: input order)."""

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
        for index, finding in enumerate(flat):
            if finding.lesion_type not in _FINDING_TYPE:
                raise EvaluationError(
                    f"{_place(images, image, position, index, 'finding')}: expected lesion type 'mass', "
                    f"'cluster' or 'other', found {finding.lesion_type!r}."
                )
        scores = np.full(self.present.shape, -np.inf)
        scores[image, position] = score
        self.order = np.argsort(-scores, axis=1, kind="stable")
        ordered = np.take_along_axis(scores, self.order, axis=1)
        self.above = ordered > protocol.score_above
        self.kept = self.above & (np.arange(self.present.shape[1]) < protocol.top)
        self.malignancy = self._ordered(image, position, [int(finding.is_malignant) for finding in flat], -2)
        self.lesion_type = self._ordered(image, position, [_FINDING_TYPE[finding.lesion_type] for finding in flat], -2)
        boxes = np.zeros((*self.present.shape, 4))
        boxes[image, position] = box
        self.box = np.take_along_axis(boxes, self.order[:, :, None], axis=1)

    def _ordered(
        self, image: NDArray[np.intp], position: NDArray[np.intp], values: list[int], absent: int
    ) -> NDArray[np.int8]:
        table = np.full(self.present.shape, absent, dtype=np.int8)
        table[image, position] = values
        return np.take_along_axis(table, self.order, axis=1)


class _Lesions:
    """Lesions of all images in (images, lesions) arrays, in their own order."""

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
        self.malignancy = np.full(self.present.shape, -1, dtype=np.int8)
        self.malignancy[image, position] = [_MALIGNANCY[target.malignancy] for target in flat]
        self.lesion_type = np.full(self.present.shape, 2, dtype=np.int8)
        self.lesion_type[image, position] = [_LESION_TYPE[target.lesion_type] for target in flat]
        self.box = np.zeros((*self.present.shape, 4))
        self.box[image, position] = box


@dataclass(frozen=True)
class _State:
    """All pairs of a block, (images, findings in order of score, lesions)."""

    found: _Findings
    truth: _Lesions
    iou: NDArray[np.float64]
    overlap: NDArray[np.bool_]
    eligible: NDArray[np.bool_]
    credited: NDArray[np.bool_]
    localised: NDArray[np.bool_]
    unscored: NDArray[np.bool_]


def _lesion_outcomes(state: _State) -> list[list[LesionOutcome]]:
    kept, above = state.found.kept[:, :, None], state.found.above[:, :, None]
    # in order of precedence: each is a set of findings that would explain the outcome
    explanations: list[tuple[LesionResult, MissReason | None, NDArray[np.bool_]]] = [
        ("unscored", "unknown malignancy", state.overlap & kept & state.unscored[:, None, :]),
        ("TP", None, state.credited),
        ("FN", "finding taken", state.eligible),
        ("FN", "wrong class", state.overlap & kept),
        ("FN", "outside top", state.overlap & above),
        ("FN", "low score", state.overlap),
    ]
    shape = state.truth.present.shape
    chosen = np.full(shape, len(explanations))
    rank = np.full(shape, -1)
    for index in reversed(range(len(explanations))):
        pairs = explanations[index][2]
        holds = pairs.any(axis=1)
        chosen[holds] = index
        if pairs.shape[1]:
            rank[holds] = pairs.argmax(axis=1)[holds]
    highest = state.iou.max(axis=1, initial=0.0)
    outcomes: list[list[LesionOutcome]] = []
    for image, count in enumerate(state.truth.counts):
        row = []
        for lesion in range(count):
            best = int(rank[image, lesion])
            finding = int(state.found.order[image, best]) if best >= 0 else None
            iou = float(state.iou[image, best, lesion] if best >= 0 else highest[image, lesion])
            outcome: LesionResult = "FN"
            reason: MissReason | None = "no overlap"
            if chosen[image, lesion] < len(explanations):
                outcome, reason, _ = explanations[chosen[image, lesion]]
            if state.unscored[image, lesion]:
                outcome, reason = "unscored", "unknown malignancy"
            row.append(LesionOutcome(outcome, finding, reason, iou))
        outcomes.append(row)
    return outcomes


def _finding_outcomes(state: _State, protocol: Protocol) -> list[list[FindingOutcome]]:
    outcomes: list[list[FindingOutcome]] = []
    for image, count in enumerate(state.found.counts):
        row: list[FindingOutcome | None] = [None] * int(count)
        for rank in range(count):
            row[int(state.found.order[image, rank])] = _finding_outcome(state, protocol, image, rank)
        outcomes.append([outcome for outcome in row if outcome is not None])
    return outcomes


def _finding_outcome(state: _State, protocol: Protocol, image: int, rank: int) -> FindingOutcome:
    overlap = state.overlap[image, rank]
    iou = state.iou[image, rank]
    credited = _best(state.credited[image, rank], iou)
    eligible = _best(state.eligible[image, rank], iou)
    near = _best(overlap, iou)
    localised = _best(state.localised[image, rank], iou)
    outcome: FindingResult = "FP"
    reason: FindingReason | None = "no overlap" if near is None else "wrong class"
    lesion = near
    if not state.found.kept[image, rank]:
        outcome, reason = "below", "outside top" if state.found.above[image, rank] else "low score"
    elif credited is not None:
        outcome, reason, lesion = "TP", None, credited
    elif eligible is not None:
        as_false_positive = protocol.duplicates == "fp"
        outcome, reason = ("FP", "duplicate") if as_false_positive else ("DUP", None)
        lesion = eligible
    elif near is not None and (overlap & state.unscored[image]).any():
        outcome, reason = "unscored", "lesion of unknown malignancy"
    highest = float(iou.max(initial=0.0)) if lesion is None else float(iou[lesion])
    return FindingOutcome(outcome, reason, lesion, highest, localised)


def _best(pairs: NDArray[np.bool_], iou: NDArray[np.float64]) -> int | None:
    if not pairs.any():
        return None
    return int(np.where(pairs, iou, -1.0).argmax())


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
