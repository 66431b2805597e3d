"""Matching findings with lesions, one outcome for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.assignment import assign
from detection.evaluation.image_arrays import EITHER, UNKNOWN, FindingArrays, LesionArrays
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.outlines import mask_iou
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
_Outcome = TypeVar("_Outcome")

_IMAGES_AT_ONCE = 256
"""So many that the arrays of their outlines stay in the cache of a processor."""


class FindingOutcome(NamedTuple):
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


class LesionOutcome(NamedTuple):
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


class ImageMatch(NamedTuple):
    """Outcomes of one image, in the order of its findings and of its lesions."""

    findings: tuple[FindingOutcome, ...]
    lesions: tuple[LesionOutcome, ...]


def match(targets: Sequence[LesionTarget], findings: Sequence[Finding], protocol: Protocol) -> ImageMatch:
    """Match the findings of one image with its lesions.

    A finding is kept when its score is above the threshold and among the best `protocol.top`; a pair is eligible when
    its IoU is above the threshold and the classes agree; `assignment.assign` credits. Score, IoU and class rule are
    those of Van Camp et al. 2024, section 2.3. Without lesions every kept finding is false; without findings every
    lesion is missed; a box without area overlaps nothing.

    Parameters
    ----------
    targets : sequence of LesionTarget
    findings : sequence of Finding
        In any order; equal scores go to the earlier one.
    protocol : Protocol

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
    found = FindingArrays(images, protocol)
    truth = LesionArrays(images)
    iou = box_iou(found.box, truth.box) if protocol.iou_of == "box" else mask_iou(images, found, truth)
    state = _State.of(found, truth, iou, protocol)
    findings = _by_image(_finding_outcomes(state, protocol), found.counts)
    lesions = _by_image(_lesion_outcomes(state), truth.counts)
    return [ImageMatch(*outcomes) for outcomes in zip(findings, lesions, strict=True)]


@dataclass(frozen=True, eq=False)
class _State:
    """All pairs of a block, (images, findings in order of score, lesions)."""

    found: FindingArrays
    truth: LesionArrays
    iou: NDArray[np.float64]
    overlap: NDArray[np.bool_]
    eligible: NDArray[np.bool_]
    credited: NDArray[np.bool_]
    localised: NDArray[np.bool_]
    unscored: NDArray[np.bool_]

    @classmethod
    def of(cls, found: FindingArrays, truth: LesionArrays, iou: NDArray[np.float64], protocol: Protocol) -> _State:
        overlap = iou > protocol.iou_above
        overlap &= found.present[:, :, None] & truth.present[:, None, :]
        on_position = overlap & found.kept[:, :, None]
        eligible = on_position
        if protocol.class_aware != "none":
            eligible = eligible & (found.malignancy[:, :, None] == truth.malignancy[:, None, :])
        if protocol.class_aware == "malignancy and type":
            lesion_type = truth.lesion_type[:, None, :]
            said = found.lesion_type[:, :, None]
            eligible = eligible & ((lesion_type == EITHER) | (said == EITHER) | (lesion_type == said))
        credited = np.zeros_like(eligible)
        localised = np.zeros_like(eligible)
        # kept findings come first, so the rules need not look further
        top = slice(0, protocol.top)
        credited[:, top] = assign(eligible[:, top], iou[:, top], protocol.matching)
        localised[:, top] = assign(on_position[:, top], iou[:, top], protocol.matching)
        unscored = truth.present & (truth.malignancy == UNKNOWN) & (protocol.class_aware != "none")
        return cls(found, truth, iou, overlap, eligible, credited, localised, unscored)


def _lesion_outcomes(state: _State) -> list[LesionOutcome]:
    """Of all images, one after another."""
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
    verdicts: list[tuple[LesionResult, MissReason | None]] = [(result, why) for result, why, _ in explanations]
    verdicts += [("FN", "no overlap"), ("unscored", "unknown malignancy")]
    chosen = np.full(state.truth.present.shape, len(explanations))
    rank = np.full(state.truth.present.shape, -1)
    for index, (_, _, pairs) in reversed(list(enumerate(explanations))):
        holds = pairs.any(axis=1)
        chosen[holds] = index
        if pairs.shape[1]:
            rank[holds] = pairs.argmax(axis=1)[holds]
    chosen[state.unscored] = len(verdicts) - 1
    iou = state.iou.max(axis=1, initial=0.0)
    image, lesion = np.nonzero(rank >= 0)
    iou[image, lesion] = state.iou[image, rank[image, lesion], lesion]
    finding = np.full(rank.shape, -1)
    finding[image, lesion] = state.found.order[image, rank[image, lesion]]
    present = state.truth.present
    return [
        LesionOutcome(verdicts[verdict][0], place if place >= 0 else None, verdicts[verdict][1], overlap)
        for verdict, place, overlap in zip(
            chosen[present].tolist(), finding[present].tolist(), iou[present].tolist(), strict=True
        )
    ]


_VERDICTS: tuple[tuple[FindingResult, FindingReason | None], ...] = (
    ("FP", "no overlap"),
    ("FP", "wrong class"),
    ("unscored", "lesion of unknown malignancy"),
    ("DUP", None),
    ("FP", "duplicate"),
    ("TP", None),
    ("below", "low score"),
    ("below", "outside top"),
)
"""Outcomes of a finding; later ones take precedence."""


def _finding_outcomes(state: _State, protocol: Protocol) -> list[FindingOutcome]:
    """Of all images, one after another, in the order of the input."""
    credited, eligible, near, localised = (
        _best(pairs, state.iou) for pairs in (state.credited, state.eligible, state.overlap, state.localised)
    )
    verdict = np.where(near >= 0, _VERDICTS.index(("FP", "wrong class")), 0)
    on_unscored = (state.overlap & state.unscored[:, None, :]).any(axis=2)
    verdict[on_unscored] = _VERDICTS.index(("unscored", "lesion of unknown malignancy"))
    duplicate: tuple[FindingResult, FindingReason | None] = ("DUP", None)
    if protocol.duplicates == "fp":
        duplicate = ("FP", "duplicate")
    verdict[eligible >= 0] = _VERDICTS.index(duplicate)
    verdict[credited >= 0] = _VERDICTS.index(("TP", None))
    verdict[~state.found.kept] = _VERDICTS.index(("below", "low score"))
    verdict[state.found.above & ~state.found.kept] = _VERDICTS.index(("below", "outside top"))
    # findings that are not kept are in neither of the first two
    lesion = np.where(credited >= 0, credited, np.where(eligible >= 0, eligible, near))
    iou = state.iou.max(axis=2, initial=0.0)
    image, rank = np.nonzero(lesion >= 0)
    iou[image, rank] = state.iou[image, rank, lesion[image, rank]]
    # from the order of scores to that of the input
    columns = []
    for values in (verdict, lesion, iou, localised):
        column = np.empty_like(values)
        np.put_along_axis(column, state.found.order, values, axis=1)
        columns.append(column[state.found.present].tolist())
    return [
        FindingOutcome(
            _VERDICTS[code][0], _VERDICTS[code][1], place if place >= 0 else None, overlap, at if at >= 0 else None
        )
        for code, place, overlap, at in zip(*columns, strict=True)
    ]


def _best(pairs: NDArray[np.bool_], iou: NDArray[np.float64]) -> NDArray[np.intp]:
    """(images, findings) lesion of highest IoU among the pairs, -1 without one."""
    if not pairs.shape[2]:
        return np.full(pairs.shape[:2], -1)
    return np.where(pairs.any(axis=2), np.where(pairs, iou, -1.0).argmax(axis=2), -1)


def _by_image(outcomes: list[_Outcome], counts: NDArray[np.intp]) -> list[tuple[_Outcome, ...]]:
    """The outcomes of each image, as many as it has."""
    return [tuple(outcomes[start:end]) for start, end in pairwise([0, *np.cumsum(counts).tolist()])]
