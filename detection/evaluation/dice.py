"""Dice coefficient of found lesions with the findings credited to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detection.evaluation.errors import EvaluationError
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.matching import ImageMatch
from detection.evaluation.outlines import Shape, first_refused
from imaging.spans import Spans


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
        spans = Spans(shapes)
    except ValueError as error:
        pair, is_finding = divmod(first_refused(shapes), 2)
        position, lesion, finding = places[pair]
        place = f"finding {finding}" if is_finding else f"lesion {lesion}"
        raise EvaluationError(
            f"Image {images[position].sample_id}, {place}: {error}. Correct the outline and evaluate again."
        ) from error
    lesions = np.arange(0, len(shapes), 2)
    shared = spans.intersections(lesions, lesions + 1)
    total = spans.areas[0::2] + spans.areas[1::2]
    return {
        (position, lesion): float(2 * both / area)
        for (position, lesion, _), both, area in zip(places, shared, total, strict=True)
        if area > 0
    }
