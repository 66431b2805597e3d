"""Average precision of malignant lesions at the declared overlap, as COCO counts it (Lin et al. 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.images import EvaluatedImage
from detection.evaluation.intervals import Interval, bootstrap_interval, undefined
from detection.evaluation.lesion_groups import Group
from detection.evaluation.marks import Marks, marks_of
from detection.evaluation.protocol import Protocol
from detection.evaluation.resampling import Units

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

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary with the whole curve."""
        return {
            "interval": self.interval.to_json(),
            "thresholds": self.thresholds.tolist(),
            "precision": self.precision.tolist(),
            "recall": self.recall.tolist(),
            "lesions": self.lesions,
            "images": self.images,
            "patients": self.patients,
            "group": self.group,
            "sentence": self.sentence,
        }


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
    units = Units([image.patient_id if protocol.resampling == "patient" else image.sample_id for image in images])
    marks = marks_of(images, protocol, group) if marks is None else marks
    lesions = np.bincount(units.row[marks.lesion_image], minlength=len(units)).astype(np.int64)
    total = int(lesions.sum())
    found, false = marks.cumulated(np.ones((1, len(units)), np.int32), units.row[marks.image])
    if total:
        draws = protocol.resamples if resamples is None else resamples
        interval = bootstrap_interval(
            float(_averages(found, false, np.array([total]))[0]),
            _resampled(marks, lesions, units, draws, protocol.seed),
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


def _averages(found: NDArray[np.int32], false: NDArray[np.int32], totals: NDArray[np.int64]) -> NDArray[np.float64]:
    """(resamples,) averages from true and false marks up to each distinct score; NaN without lesions."""
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


def _resampled(
    marks: Marks, lesions: NDArray[np.int64], units: Units, resamples: int, seed: int
) -> NDArray[np.float64]:
    values = np.full(resamples, np.nan)
    unit = units.row[marks.image]
    row = 0
    for block in units.weight_blocks(resamples, seed):
        values[row : row + len(block)] = _averages(*marks.cumulated(block, unit), block @ lesions)
        row += len(block)
    return values
