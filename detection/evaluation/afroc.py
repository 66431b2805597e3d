"""Alternative free-response curves and their figures of merit (Chakraborty 2017, chapters 13 and 14).

A case is one view. Its lesions are the malignant lesions of a group, each rated with the score of the finding that
marked it, and minus infinity without one. Its false-positive rating is its highest false mark, and minus infinity
without one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.errors import EvaluationError
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.intervals import Interval, bootstrap_interval, undefined
from detection.evaluation.lesion_groups import Group
from detection.evaluation.marks import Marks, marks_of, resampled_units
from detection.evaluation.protocol import Protocol
from detection.evaluation.ranked_pairs import RankedPairs
from detection.evaluation.resampling import replicates

FalsePositiveCases = Literal["cases without lesions", "all cases"]
Figure = Literal["AFROC", "wAFROC", "AFROC1", "wAFROC1", "HR-AUC"]
FIGURES: tuple[Figure, ...] = get_args(Figure)
LESION_FREE: tuple[Figure, ...] = ("AFROC", "wAFROC", "HR-AUC")
"""Figures that need cases without lesions."""


@dataclass(frozen=True, eq=False)
class Ratings:
    """What a free-response study leaves of each case and each lesion.

    Attributes
    ----------
    false : (cases,) float64
        Highest false mark of each case; minus infinity without one.
    lesion_free : (cases,) bool
        Cases without any lesion, benign ones included.
    lesion : (l,) float64
        Rating of each lesion; minus infinity where no finding marked it.
    case : (l,) int
        Case of each lesion.
    weight : (l,) float64
        Sums to 1 over the lesions of a case.
    """

    false: NDArray[np.float64]
    lesion_free: NDArray[np.bool_]
    lesion: NDArray[np.float64]
    case: NDArray[np.intp]
    weight: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AfrocCurve:
    """Share of lesions found against share of cases with a false positive, at every threshold.

    Attributes
    ----------
    thresholds : (k,) float64
        Distinct scores, highest first; marks at or above the threshold count.
    lesions_found, weighted_lesions_found, false_positive_fraction : (k,) float64
        The area is completed by a straight line from the last point to (1, 1).
    over : {"cases without lesions", "all cases"}
        Over which cases the false-positive fraction is counted; "all cases" (AFROC1) where every case has a lesion.
    figures : dict from figure to Interval
        AFROC and wAFROC (false positives on cases without lesions), AFROC1 and wAFROC1 (on all cases), and HR-AUC
        (highest mark of cases with malignant lesions against cases without lesions).
    lesions, cases, lesion_free_cases, patients : int
    group : str
    sentence : str
        How it was made, for captions.
    """

    thresholds: NDArray[np.float64]
    lesions_found: NDArray[np.float64]
    weighted_lesions_found: NDArray[np.float64]
    false_positive_fraction: NDArray[np.float64]
    over: FalsePositiveCases
    figures: Mapping[Figure, Interval]
    lesions: int
    cases: int
    lesion_free_cases: int
    patients: int
    group: Group
    sentence: str


def afroc_curve(
    images: Sequence[EvaluatedImage],
    protocol: Protocol,
    *,
    group: Group = "malignant",
    weights: Mapping[tuple[str, str], float] | None = None,
    resamples: int | None = None,
    marks: Marks | None = None,
) -> AfrocCurve:
    """Alternative free-response curve with its figures of merit, and intervals over patients.

    Parameters
    ----------
    images : sequence of EvaluatedImage
        Every view of the test set.
    protocol : Protocol
        Its score threshold does not apply; its matching must be greedy.
    group : {"malignant", "malignant_mass", "malignant_cluster"}
    weights : dict from (sample_id, lesion_id) to float, optional
        Clinical weight of each lesion of the group, summing to 1 on each view; equal weights where absent.
    resamples : int, optional
        Of patients; those of the protocol where absent.
    marks : Marks, optional
        `marks_of(images, protocol, group)` where it is there already.

    Raises
    ------
    EvaluationError
        If the matching is not greedy, a finding is not usable, or weights are missing or do not sum to 1.

    Notes
    -----
    With psi(x, y) = 1, 1/2, 0 for x < y, x = y, x > y: AFROC is the mean of psi(false positive rating, lesion rating)
    over cases without lesions and all lesions; wAFROC weighs each lesion and divides by the number of cases with
    lesions, so that a case with many lesions counts no more than one with a single one; AFROC1 and wAFROC1 take the
    false-positive ratings of all cases (Chakraborty and Berbaum 2004; Chakraborty and Zhai 2016).
    """
    rated = ratings_of(images, protocol, group, weights, marks)
    units = resampled_units(images, protocol)
    statistics = {name: figure_of_merit(rated, name, units.row) for name in FIGURES}
    drawn = replicates(
        list(statistics.values()), units, protocol.resamples if resamples is None else resamples, protocol.seed
    )
    figures: dict[Figure, Interval] = {}
    for (name, statistic), values in zip(statistics.items(), drawn, strict=True):
        value = statistic.value()
        if value is None:
            without = "no lesions" if not rated.lesion.size else "no cases without lesions"
            figures[name] = undefined(without, level=protocol.confidence)
            continue
        taking_part = rated.lesion_free.copy() if name in LESION_FREE else np.ones(len(images), dtype=bool)
        taking_part[rated.case] = True
        figures[name] = bootstrap_interval(
            value,
            values,
            n=rated.lesion.size,
            units=np.unique(units.row[taking_part]).size,
            unit=protocol.resampling,
            level=protocol.confidence,
            method=protocol.interval,
        )
    over: FalsePositiveCases = "cases without lesions" if rated.lesion_free.any() else "all cases"
    thresholds, found, weighted, false = _points(rated, over)
    return AfrocCurve(
        thresholds=thresholds,
        lesions_found=found,
        weighted_lesions_found=weighted,
        false_positive_fraction=false,
        over=over,
        figures=figures,
        lesions=rated.lesion.size,
        cases=len(images),
        lesion_free_cases=int(rated.lesion_free.sum()),
        patients=len({image.patient_id for image in images}),
        group=group,
        sentence=f"AFROC of {group.replace('_', ' ')} lesions; a case is a view; highest false positive of {over}; "
        f"lesion weights {'equal on' if weights is None else 'given for'} each view; any score, at most "
        f"{protocol.top} findings an image; otherwise: {protocol.sentence()}",
    )


def ratings_of(
    images: Sequence[EvaluatedImage],
    protocol: Protocol,
    group: Group = "malignant",
    weights: Mapping[tuple[str, str], float] | None = None,
    marks: Marks | None = None,
) -> Ratings:
    """Ratings of cases and lesions, as `afroc_curve` takes them.

    Raises
    ------
    EvaluationError
        As `afroc_curve`.
    """
    marks = marks_of(images, protocol, group) if marks is None else marks
    false = np.full(len(images), -np.inf)
    np.maximum.at(false, marks.image[~marks.true], marks.scores[~marks.true])
    lesion = np.full(marks.lesion_image.size, -np.inf)
    lesion[marks.lesion[marks.true]] = marks.scores[marks.true]
    case = marks.lesion_image
    if weights is None:
        weight = 1.0 / np.bincount(case, minlength=len(images))[case]
    else:
        weight = _given(images, case, marks.lesion_id, weights)
    lesion_free = np.array([not image.targets for image in images], dtype=bool)
    return Ratings(false, lesion_free, lesion, case, weight)


def figure_of_merit(rated: Ratings, figure: Figure, unit: NDArray[np.intp] | None = None) -> RankedPairs:
    """The pairs whose (weighted) share in the right order is the figure of merit.

    Parameters
    ----------
    rated : Ratings
    figure : {"AFROC", "wAFROC", "AFROC1", "wAFROC1", "HR-AUC"}
    unit : (cases,) int, optional
        Unit of resampling of each case; the case itself where absent.
    """
    of_case = np.arange(rated.false.size) if unit is None else unit
    negatives = rated.lesion_free if figure in LESION_FREE else np.ones(rated.false.size, dtype=bool)
    if figure == "HR-AUC":
        highest = rated.false.copy()
        np.maximum.at(highest, rated.case, rated.lesion)
        with_lesion = np.unique(rated.case)
        positive, of_positive, weight = highest[with_lesion], of_case[with_lesion], np.ones(with_lesion.size)
    else:
        positive, of_positive = rated.lesion, of_case[rated.case]
        weight = rated.weight if figure.startswith("w") else np.ones(rated.lesion.size)
    scores = np.concatenate([positive, rated.false[negatives]])
    return RankedPairs(
        np.arange(scores.size) < positive.size,
        scores,
        np.concatenate([of_positive, of_case[negatives]]),
        np.concatenate([weight, np.ones(int(negatives.sum()))]),
    )


def _given(
    images: Sequence[EvaluatedImage],
    case: NDArray[np.intp],
    lesion_id: Sequence[str],
    weights: Mapping[tuple[str, str], float],
) -> NDArray[np.float64]:
    keys = [(images[index].sample_id, name) for index, name in zip(case, lesion_id, strict=True)]
    if missing := [key for key in keys if key not in weights]:
        raise EvaluationError(f"AFROC: image {missing[0][0]}, lesion {missing[0][1]} has no weight.")
    weight = np.array([weights[key] for key in keys], dtype=np.float64)
    sums = np.bincount(case, weight, minlength=len(images))
    wrong = [index for index in np.unique(case) if not abs(sums[index] - 1) <= 1e-9]
    if wrong or (weight < 0).any():
        index = wrong[0] if wrong else case[int(np.argmin(weight))]
        raise EvaluationError(
            f"AFROC: weights of the lesions of image {images[index].sample_id} sum to {sums[index]:g}; expected "
            "weights of at least 0 that sum to 1 on each view."
        )
    return weight


def _points(
    rated: Ratings, over: FalsePositiveCases
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Thresholds, lesions found, weighted lesions found, and cases with a false positive, each (k,)."""
    false = rated.false[rated.lesion_free] if over == "cases without lesions" else rated.false
    scores = np.concatenate([false, rated.lesion])
    thresholds = np.unique(scores[np.isfinite(scores)])[::-1]

    def share(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weight at or above each threshold, over all of it; NaN of nothing."""
        if not values.size:
            return np.full(thresholds.size, np.nan)
        order = np.argsort(values, kind="stable")
        below = np.concatenate([[0.0], np.cumsum(weight[order])])
        reached = below[-1] - below[np.searchsorted(values[order], thresholds, side="left")]
        return np.asarray(reached / below[-1])

    return (
        thresholds,
        share(rated.lesion, np.ones(rated.lesion.size)),
        share(rated.lesion, rated.weight),
        share(false, np.ones(false.size)),
    )
