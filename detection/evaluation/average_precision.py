"""Average precision of malignant lesions at the declared overlap, as COCO counts it (Lin et al. 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.images import EvaluatedImage
from detection.evaluation.intervals import Interval, bootstrap_interval, undefined
from detection.evaluation.lesion_groups import Group
from detection.evaluation.marks import Marks, marks_of, resampled_units
from detection.evaluation.protocol import Protocol
from detection.evaluation.resampling import replicates

RECALL_LEVELS = np.linspace(0, 1, 101)
"""Shares of lesions found at which precision is read."""


@dataclass(frozen=True, eq=False)
class AveragePrecision:
    """Average precision with the curve it is read from.

    Attributes
    ----------
    interval : Interval
        Mean over `RECALL_LEVELS` of the highest precision at that recall or above; 0 beyond the last recall.
    thresholds : (k,) float64
        Distinct scores, highest first; findings at or above the threshold count.
    precision, recall : (k,) float64
    lesions, images, patients : int
    group : str
    sentence : str
        How it was made, for captions.
    """

    interval: Interval
    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    lesions: int
    images: int
    patients: int
    group: Group
    sentence: str


def average_precision(
    images: Sequence[EvaluatedImage],
    protocol: Protocol,
    *,
    group: Group = "malignant",
    resamples: int | None = None,
    marks: Marks | None = None,
) -> AveragePrecision:
    """Average precision of the malignant lesions of a group, with an interval over patients.

    Every finding called malignant counts whatever its score, at most `protocol.top` an image. It equals COCO's number
    at one IoU where COCO's rules are chosen: `duplicates="fp"`, and an IoU above rather than at the threshold (which
    differs only for an IoU of exactly that value). COCO takes findings of equal score one by one; here they come in
    together, so that the order of the input plays no part.

    Parameters
    ----------
    images : sequence of EvaluatedImage
        Every view of the test set.
    protocol : Protocol
        Its score threshold does not apply; its matching must be greedy.
    group : {"malignant", "malignant_mass", "malignant_cluster"}
        By type of the lesion; false positives are those of the type the finding says.
    resamples : int, optional
        Of patients; those of the protocol where absent.
    marks : Marks, optional
        `marks_of(images, protocol, group)` where it is there already.

    Returns
    -------
    AveragePrecision
        Undefined where there are no lesions; 0 where there are lesions and no findings.

    Raises
    ------
    EvaluationError
        If the matching is not greedy or a finding is not usable.
    """
    units = resampled_units(images, protocol)
    marks = marks_of(images, protocol, group) if marks is None else marks
    lesions = np.bincount(units.row[marks.lesion_image], minlength=len(units)).astype(np.int64)
    total = int(lesions.sum())
    average = _Average(marks, units.row[marks.image], lesions)
    once = np.ones((1, len(units)), np.int32)
    found, false = marks.cumulated(once, average.unit)
    if total:
        draws = protocol.resamples if resamples is None else resamples
        interval = bootstrap_interval(
            float(average.resampled(once)[0]),
            replicates([average], units, draws, protocol.seed)[0],
            n=total,
            units=int(np.count_nonzero(lesions)),
            unit=protocol.resampling,
            level=protocol.confidence,
            method=protocol.interval,
        )
    else:
        interval = undefined("no lesions", level=protocol.confidence)
    return AveragePrecision(
        interval=interval,
        thresholds=marks.scores[marks.ends()],
        precision=found[0] / (found[0] + false[0]),
        recall=found[0] / total if total else np.full(found.shape[1], np.nan),
        lesions=total,
        images=len(images),
        patients=len({image.patient_id for image in images}),
        group=group,
        sentence=f"Average precision of {group.replace('_', ' ')} lesions, mean of the interpolated precision at 101 "
        f"shares of lesions found; any score, at most {protocol.top} findings an image; otherwise: "
        f"{protocol.sentence()}",
    )


@dataclass(frozen=True, eq=False)
class _Average:
    """Average precision of weighted units: `unit` of each mark, and `lesions` of each unit."""

    marks: Marks
    unit: NDArray[np.intp]
    lesions: NDArray[np.int64]

    def resampled(self, weights: NDArray[np.int32]) -> NDArray[np.float64]:
        found, false = self.marks.cumulated(weights, self.unit)
        totals = weights @ self.lesions
        every = found + false
        precision = np.divide(found, every, out=np.zeros(every.shape), where=every > 0)
        # the highest precision at this recall or above
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        # beyond the last recall there is no precision
        envelope = np.concatenate([envelope, np.zeros((len(envelope), 1))], axis=1)
        values = np.full(len(found), np.nan)
        for row in np.flatnonzero(totals):
            at = np.searchsorted(found[row] / totals[row], RECALL_LEVELS, side="left")
            values[row] = envelope[row, at].mean()
        return values
