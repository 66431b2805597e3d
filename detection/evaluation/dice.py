"""Dice coefficient of found lesions with the findings credited to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.errors import EvaluationError
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.intervals import Interval, bootstrap_interval, undefined
from detection.evaluation.lesion_groups import TYPES_UNKNOWN, Group
from detection.evaluation.matching import ImageMatch
from detection.evaluation.outlines import Shape, first_refused
from detection.evaluation.resampling import Ratio, Units, replicates
from detection.evaluation.result import LesionRecord, TestSetResult
from detection.evaluation.rows_of_group import lesions_of
from imaging.spans import Spans, Vertices


@dataclass(frozen=True)
class MeanDice:
    """Mean Dice coefficient of the malignant lesions of a group; S004 does not say which of the two it prints.

    Attributes
    ----------
    found : Interval
        Over the lesions found.
    every : Interval
        Over all lesions, with 0 for those missed.
    without : int
        Found lesions without a Dice coefficient: no outline of lesion or finding, or none of its pixels. In neither.
    """

    found: Interval
    every: Interval
    without: int

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary with every field."""
        return asdict(self)


def mean_dice(result: TestSetResult, group: Group = "malignant") -> MeanDice:
    """Mean Dice coefficient over found lesions and over all, on the resamples of the main numbers.

    Undefined where lesions are found and none of them has a Dice coefficient: their zeros alone would say nothing.
    """
    protocol = result.protocol
    level = protocol.confidence
    if not result.groups_known and group != "malignant":
        unknown = undefined(TYPES_UNKNOWN, level=level)
        return MeanDice(unknown, unknown, 0)
    rows = lesions_of(group, result.lesions)
    found = [row for row in rows if row.outcome == "TP"]
    measured = [row for row in found if row.dice is not None]
    without = len(found) - len(measured)
    if found and not measured:
        none = undefined("no found lesion has a Dice coefficient: outlines are missing", level=level)
        return MeanDice(none, none, without)
    units = Units(result.units)
    position = {name: index for index, name in enumerate(units.names)}

    def summed(chosen: Sequence[LesionRecord]) -> Ratio:
        unit = [position[row.patient_id if protocol.resampling == "patient" else row.sample_id] for row in chosen]
        rows = np.array(unit, dtype=np.intp)
        total = np.bincount(rows, [row.dice or 0.0 for row in chosen], len(units))
        return Ratio(total, np.bincount(rows, minlength=len(units)).astype(np.int64), Units(units.names))

    missed = [row for row in rows if row.outcome != "TP"]
    means = [summed(measured), summed([*measured, *missed])]
    drawn = replicates(means, units, protocol.resamples, protocol.seed)
    numbers = [
        _mean(result, mean, values, without, reason)
        for mean, values, reason in zip(means, drawn, ("no lesion is found", "no lesions"), strict=True)
    ]
    return MeanDice(numbers[0], numbers[1], without)


def _mean(result: TestSetResult, mean: Ratio, drawn: NDArray[np.float64], without: int, reason: str) -> Interval:
    protocol = result.protocol
    count = int(mean.denominator.sum())
    if not count:
        return undefined(reason, level=protocol.confidence)
    number = bootstrap_interval(
        float(mean.numerator.sum()) / count,
        drawn,
        n=count,
        units=int(np.count_nonzero(mean.denominator)),
        unit=protocol.resampling,
        level=protocol.confidence,
        method=protocol.interval,
    )
    if not without:
        return number
    left_out = f"{without} found lesion(s) without a Dice coefficient are left out."
    return replace(number, warning=f"{left_out} {number.warning}" if number.warning else left_out)


def credited_dice(images: Sequence[EvaluatedImage], matches: Sequence[ImageMatch]) -> dict[tuple[int, int], float]:
    """Dice coefficient of every found lesion with the finding credited to it.

    2 |A and B| / (|A| + |B|) over pixels whose centre lies inside (Dice 1945). A lesion or a finding without an
    outline has none, and neither has a pair that covers no pixel centre: 0 / 0 is undefined.

    Returns
    -------
    dict from (position of the image, position of the lesion) to float

    Raises
    ------
    EvaluationError
        If an outline is not usable; the message names the image.
    """
    places: list[tuple[int, int, int]] = []
    shapes: list[Shape] = []
    for position, (image, matched) in enumerate(zip(images, matches, strict=True)):
        for lesion, outcome in enumerate(matched.lesions):
            if outcome.outcome != "TP" or outcome.finding is None:
                continue
            outline, contour = image.targets[lesion].polygons, image.findings[outcome.finding].contour
            if outline and contour:
                places.append((position, lesion, outcome.finding))
                shapes += [outline, (contour,)]
    try:
        spans = Spans(Vertices(shapes))
    except ValueError as error:
        index, why = first_refused(shapes)
        pair, is_finding = divmod(index, 2)
        position, lesion, finding = places[pair]
        place = f"finding {finding}" if is_finding else f"lesion {lesion}"
        raise EvaluationError(
            f"Image {images[position].sample_id}, {place}: {why}. Correct the outline and evaluate again."
        ) from error
    lesions = np.arange(0, len(shapes), 2)
    shared = spans.intersections(lesions, lesions + 1)
    total = spans.areas[0::2] + spans.areas[1::2]
    return {
        (position, lesion): float(2 * both / area)
        for (position, lesion, _), both, area in zip(places, shared, total, strict=True)
        if area > 0
    }
