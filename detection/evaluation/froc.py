"""Free-response curves: sensitivity against false positives per image (Chakraborty 1989; CPM: LUNA16 points)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.images import EvaluatedImage
from detection.evaluation.intervals import Interval, bootstrap_interval, undefined
from detection.evaluation.lesion_groups import Group
from detection.evaluation.marks import Marks, marks_of, resampled_units
from detection.evaluation.protocol import Protocol
from detection.evaluation.resampling import Units

CPM_POINTS = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)
"""False positives per image whose sensitivities are averaged."""

Denominator = Literal["all images", "images without lesions"]


@dataclass(frozen=True)
class FrocPoint:
    """Sensitivity at a number of false positives per image.

    Attributes
    ----------
    false_positives_per_image : float
        As asked for.
    sensitivity : Interval
        The highest sensitivity with at most so many false positives.
    beyond : bool
        Whether the curve ends before this point, so that its last sensitivity stands.
    """

    false_positives_per_image: float
    sensitivity: Interval
    beyond: bool


@dataclass(frozen=True, eq=False)
class FrocCurve:
    """A free-response curve with what it rests on.

    Attributes
    ----------
    thresholds : (k,) float64
        Distinct scores, highest first; findings at or above the threshold count.
    sensitivity, false_positives_per_image : (k,) float64
    points : tuple of FrocPoint
        At `CPM_POINTS`.
    cpm : Interval
        Mean sensitivity over the points.
    lesions, images, patients : int
    denominator : {"all images", "images without lesions"}
    group : str
    sentence : str
        How it was made, for captions.
    """

    thresholds: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    false_positives_per_image: NDArray[np.float64]
    points: tuple[FrocPoint, ...]
    cpm: Interval
    lesions: int
    images: int
    patients: int
    denominator: Denominator
    group: Group
    sentence: str


def froc_curve(
    images: Sequence[EvaluatedImage],
    protocol: Protocol,
    *,
    group: Group = "malignant",
    denominator: Denominator = "all images",
    resamples: int | None = None,
    marks: Marks | None = None,
) -> FrocCurve:
    """Free-response curve of the malignant lesions of a group, with intervals over patients.

    Lesions found / lesions against false marks / images, at every distinct score (Bunch et al. 1978; Chakraborty 1989);
    the CPM is the mean over `CPM_POINTS` of the highest sensitivity with at most so many false marks an image.
    Every finding called malignant counts whatever its score, at most `protocol.top` an image; matching is greedy by
    score, so that the matches above a threshold are the same as if only those findings existed. Duplicates follow the
    protocol: left out, or false.

    Parameters
    ----------
    images : sequence of EvaluatedImage
        Every view of the test set.
    protocol : Protocol
        Its score threshold does not apply; its matching must be greedy.
    group : {"malignant", "malignant_mass", "malignant_cluster"}
        By type of the lesion; false positives are those of the type the finding says.
    denominator : {"all images", "images without lesions"}
        Over which false positives are counted.
    resamples : int, optional
        Of patients; those of the protocol where absent.
    marks : Marks, optional
        `marks_of(images, protocol, group, counted)` where it is there already; `counted` are all images, or those
        without lesions, as `denominator` says.

    Returns
    -------
    FrocCurve
        With undefined points where there are no lesions, or no images to count false positives on.

    Raises
    ------
    EvaluationError
        If the matching is not greedy or a finding is not usable.
    """
    units = resampled_units(images, protocol)
    counted = [denominator == "all images" or not image.targets for image in images]
    marks = marks_of(images, protocol, group, counted) if marks is None else marks
    unit = units.row[marks.image]
    lesions = np.bincount(units.row[marks.lesion_image], minlength=len(units)).astype(np.int64)
    free = np.bincount(units.row[counted], minlength=len(units)).astype(np.int64)
    found, false = marks.cumulated(np.ones((1, len(units)), np.int32), unit)
    total, shown = int(lesions.sum()), int(free.sum())
    draws = protocol.resamples if resamples is None else resamples
    drawn = _resampled(marks, lesions, free, units, draws, protocol.seed) if total and shown else None

    def width_of(value: float, replicates: NDArray[np.float64]) -> Interval:
        return bootstrap_interval(
            value,
            replicates,
            n=total,
            units=int(np.count_nonzero(lesions)),
            unit=protocol.resampling,
            level=protocol.confidence,
            method=protocol.interval,
        )

    points, values = [], []
    for index, limit in enumerate(CPM_POINTS):
        if drawn is None:
            why = "no lesions" if not total else "no images to count false positives on"
            points.append(FrocPoint(limit, undefined(why, level=protocol.confidence), True))
            continue
        values.append(_at(found[0], false[0], limit * shown) / total)
        width = width_of(values[-1], drawn[index])
        points.append(FrocPoint(limit, width, bool(not false.size or false[0, -1] <= limit * shown)))
    cpm = points[0].sensitivity
    if drawn is not None:
        cpm = width_of(float(np.mean(values)), drawn.mean(0))
    return FrocCurve(
        thresholds=marks.scores[marks.ends()],
        sensitivity=found[0] / total if total else np.full(found.shape[1], np.nan),
        false_positives_per_image=false[0] / shown if shown else np.full(found.shape[1], np.nan),
        points=tuple(points),
        cpm=cpm,
        lesions=total,
        images=len(images),
        patients=len({image.patient_id for image in images}),
        denominator=denominator,
        group=group,
        sentence=f"FROC of {group.replace('_', ' ')} lesions; false positives per image over {denominator}; any score, "
        f"at most {protocol.top} findings an image; otherwise: {protocol.sentence()}",
    )


def _at(found: NDArray[np.int32], false: NDArray[np.int32], limit: float) -> float:
    """Most lesions found with at most `limit` false positives; 0 where the first threshold has more."""
    index = int(np.searchsorted(false, limit + 1e-9, side="right")) - 1
    return float(found[index]) if index >= 0 else 0.0


def _resampled(
    marks: Marks,
    lesions: NDArray[np.int64],
    free: NDArray[np.int64],
    units: Units,
    resamples: int,
    seed: int,
) -> NDArray[np.float64]:
    """(points, resamples) sensitivities; NaN where a resample has no lesion or no image to count on."""
    values = np.full((len(CPM_POINTS), resamples), np.nan)
    points = np.array(CPM_POINTS)
    unit = units.row[marks.image]
    row = 0
    for block in units.weight_blocks(resamples, seed):
        found, false = marks.cumulated(block, unit)
        totals, shown = block @ lesions, block @ free
        for index in range(len(block)):
            if totals[index] and shown[index]:
                at = np.searchsorted(false[index], points * shown[index] + 1e-9, side="right") - 1
                hit = np.where(at >= 0, found[index][at] if found.shape[1] else 0, 0)
                values[:, row] = hit / totals[index]
            row += 1
    return values
