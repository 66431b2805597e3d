"""Overlap of outlines on pixels, counted on the rows they cover and never on whole images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detection.evaluation.errors import EvaluationError
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.matching import ImageMatch
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
    places: list[tuple[int, int]] = []
    shapes: list[Sequence[Sequence[tuple[float, float]]]] = []
    for position, (image, matched) in enumerate(zip(images, matches, strict=True)):
        for lesion, outcome in enumerate(matched.lesions):
            if outcome.outcome != "TP" or outcome.finding is None:
                continue
            outline, contour = image.targets[lesion].polygons, image.findings[outcome.finding].contour
            if outline and contour:
                places.append((position, lesion))
                shapes += [outline, [contour]]
    try:
        spans = Spans(shapes)
    except ValueError as error:
        raise EvaluationError(f"{_guilty(images, places, shapes)}: {error}. Correct the outline.") from error
    lesions = np.arange(0, len(shapes), 2)
    both = spans.intersections(lesions, lesions + 1)
    total = spans.areas[0::2] + spans.areas[1::2]
    return {
        place: float(2 * shared / area) for place, shared, area in zip(places, both, total, strict=True) if area > 0
    }


def _guilty(
    images: Sequence[EvaluatedImage],
    places: Sequence[tuple[int, int]],
    shapes: Sequence[Sequence[Sequence[tuple[float, float]]]],
) -> str:
    for index, shape in enumerate(shapes):
        try:
            Spans([shape])
        except ValueError:
            return f"Image {images[places[index // 2][0]].sample_id}, {'finding' if index % 2 else 'lesion'}"
    raise AssertionError("every outline is usable")
