"""Findings as marks of a free-response study: each true or false, at any score (Chakraborty 1989)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.errors import EvaluationError
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.lesion_groups import LESION_TYPES, Group
from detection.evaluation.matching import match_many
from detection.evaluation.protocol import Protocol
from detection.evaluation.resampling import Units


@dataclass(frozen=True, eq=False)
class Marks:
    """Marks that count, highest score first, and the malignant lesions of the group.

    Attributes
    ----------
    scores : (k,) float64
    true : (k,) bool
    image : (k,) int
        Position of the image of each mark.
    lesion : (k,) int
        Position in `lesion_image` of the lesion that a true mark found; -1 for a false one.
    lesion_image : (l,) int
        Position of the image of each lesion, in the order of images and their lesions.
    lesion_id : (l,) tuple of str
    """

    scores: NDArray[np.float64]
    true: NDArray[np.bool_]
    image: NDArray[np.intp]
    lesion: NDArray[np.intp]
    lesion_image: NDArray[np.intp]
    lesion_id: tuple[str, ...]

    def ends(self) -> NDArray[np.intp]:
        """Position of the last mark of each distinct score: marks of one score come in together."""
        if self.scores.size == 0:
            return np.zeros(0, np.intp)
        return np.flatnonzero(np.append(np.diff(self.scores) != 0, True))

    def cumulated(
        self, weights: NDArray[np.int32], unit: NDArray[np.intp]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """True and false marks at or above each distinct score.

        Parameters
        ----------
        weights : (resamples, units) int32
            How often each unit was drawn.
        unit : (k,) int
            Unit of each mark.

        Returns
        -------
        (resamples, distinct scores) int32, twice
        """
        ends = self.ends()
        of_mark = np.take(weights, unit, axis=1)
        found = np.cumsum(of_mark * self.true, axis=1, dtype=np.int32)[:, ends]
        every = np.cumsum(of_mark, axis=1, dtype=np.int32)[:, ends]
        return found, every - found


def resampled_units(images: Sequence[EvaluatedImage], protocol: Protocol) -> Units:
    """The patient of each image, or the image itself, as the protocol resamples."""
    return Units([image.patient_id if protocol.resampling == "patient" else image.sample_id for image in images])


def marks_of(
    images: Sequence[EvaluatedImage], protocol: Protocol, group: Group, false_counted: Sequence[bool] | None = None
) -> Marks:
    """Findings called malignant whatever their score, at most `protocol.top` an image.

    Matching is greedy by score, so that the matches above a threshold are the same as if only those findings existed.
    Duplicates follow the protocol: left out, or false.

    Parameters
    ----------
    images : sequence of EvaluatedImage
    protocol : Protocol
        Its score threshold does not apply, except that a score of exactly 0 stays out.
    group : {"malignant", "malignant_mass", "malignant_cluster"}
        By type of the lesion; false marks are those of the type the finding says.
    false_counted : sequence of bool, optional
        Whether false marks of each image count; all of them where absent.

    Raises
    ------
    EvaluationError
        If the matching is not greedy or a finding is not usable.
    """
    if protocol.matching != "greedy":
        raise EvaluationError(
            f"Matching '{protocol.matching}' changes with the threshold; choose a protocol with greedy matching for "
            "curves over every score."
        )
    said = group.removeprefix("malignant_")
    rows: list[tuple[float, int, int]] = []
    lesions: list[tuple[int, str]] = []
    for position, (image, matched) in enumerate(
        zip(images, match_many(images, replace(protocol, score_above=0.0)), strict=True)
    ):
        number = {}
        for index, target in enumerate(image.targets):
            if target.malignancy == "malignant" and target.lesion_type in LESION_TYPES[group]:
                number[index] = len(lesions)
                lesions.append((position, target.lesion_id))
        counted = false_counted is None or false_counted[position]
        for finding, outcome in zip(image.findings, matched.findings, strict=True):
            if not finding.is_malignant:
                continue
            if outcome.outcome == "TP":
                if outcome.lesion in number:
                    rows.append((float(finding.score), position, number[outcome.lesion]))
            elif outcome.outcome == "FP" and counted and (group == "malignant" or finding.lesion_type == said):
                rows.append((float(finding.score), position, -1))
    rows.sort(key=lambda row: -row[0])
    lesion = np.array([number for _, _, number in rows], dtype=np.intp)
    return Marks(
        scores=np.array([score for score, _, _ in rows], dtype=np.float64),
        true=lesion >= 0,
        image=np.array([position for _, position, _ in rows], dtype=np.intp),
        lesion=lesion,
        lesion_image=np.array([position for position, _ in lesions], dtype=np.intp),
        lesion_id=tuple(name for _, name in lesions),
    )
