"""16 grey-level run-length features of a cell (pyradiomics ``glrlm``): runs in four directions.

Runs are counted without looking for their ends. Each pixel counts at its place within its run; a run of length k
passes places 1 to k, so the runs of exactly length k are the pixels at place k less those at place k + 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulation.texture.compilation import compiled

NAMES: tuple[str, ...] = (
    "ShortRunEmphasis",
    "LongRunEmphasis",
    "GrayLevelNonUniformity",
    "GrayLevelNonUniformityNormalized",
    "RunLengthNonUniformity",
    "RunLengthNonUniformityNormalized",
    "RunPercentage",
    "GrayLevelVariance",
    "RunVariance",
    "RunEntropy",
    "LowGrayLevelRunEmphasis",
    "HighGrayLevelRunEmphasis",
    "ShortRunLowGrayLevelEmphasis",
    "ShortRunHighGrayLevelEmphasis",
    "LongRunLowGrayLevelEmphasis",
    "LongRunHighGrayLevelEmphasis",
)


def run_counts(levels: NDArray[np.uint16], present: int) -> NDArray[np.int64]:
    """Runs of each level and length.

    Parameters
    ----------
    levels : ndarray of uint16, shape (height, width)
    present : int
        Number of levels.

    Returns
    -------
    ndarray of int64, shape (4, present, longest side)
        Along rows, columns and both diagonals; the first length is 1.
    """
    directions = [_places(levels.T, 0).T, *(_places(levels, shift) for shift in (0, 1, -1))]
    longest = max(levels.shape)
    at_place = np.stack(
        [
            np.bincount(levels.ravel() * np.int64(longest + 1) + places.ravel() - 1, minlength=present * (longest + 1))
            for places in directions
        ]
    ).reshape(4, present, longest + 1)
    return np.asarray(at_place[:, :, :-1] - at_place[:, :, 1:])


def _places(levels: NDArray[np.uint16], shift: int) -> NDArray[np.int64]:
    """Place of each pixel within its run, from 1, going down rows and `shift` columns to the right."""
    height, width = levels.shape
    padded = np.full((height, width + 2), -1, np.int64)
    padded[:, 1:-1] = levels
    places = np.ones((height, width + 2), np.int64)
    inner = slice(1, width + 1)
    before = slice(1 - shift, width + 1 - shift)
    for row in range(1, height):
        same = padded[row, inner] == padded[row - 1, before]
        places[row, inner] = np.where(same, places[row - 1, before] + 1, 1)
    return places[:, inner]


@compiled
def run_counts_compiled(levels: NDArray[np.uint16], present: int) -> NDArray[np.int32]:
    """`run_counts` up to the longest run."""
    height, width = levels.shape
    longest = max(height, width)
    along = np.zeros((present, longest + 2), np.int32)
    down = np.zeros((present, longest + 2), np.int32)
    right = np.zeros((present, longest + 2), np.int32)
    left = np.zeros((present, longest + 2), np.int32)
    # place in the run; one column more on each side for the diagonals
    place_down = np.zeros(width + 2, np.uint16)
    place_right = np.zeros((2, width + 2), np.uint16)
    place_left = np.zeros((2, width + 2), np.uint16)
    reached = np.uint16(1)
    for y in range(height):
        row = levels[y]
        now_right, now_left = place_right[y % 2], place_left[y % 2]
        if y == 0:
            place_down[:] = 1
            now_right[:] = 1
            now_left[:] = 1
        else:
            above = levels[y - 1]
            before_right, before_left = place_right[1 - y % 2], place_left[1 - y % 2]
            for x in range(width):
                place_down[x + 1] = place_down[x + 1] * np.uint16(row[x] == above[x]) + np.uint16(1)
            now_right[1] = 1
            for x in range(1, width):
                now_right[x + 1] = before_right[x] * np.uint16(row[x] == above[x - 1]) + np.uint16(1)
            now_left[width] = 1
            for x in range(width - 1):
                now_left[x + 1] = before_left[x + 2] * np.uint16(row[x] == above[x + 1]) + np.uint16(1)
        place = np.uint16(0)
        last = row[0]
        for x in range(width):
            level = row[x]
            place = np.uint16(place * np.uint16(level == last) + np.uint16(1))
            last = level
            along[level, place] += 1
            down[level, place_down[x + 1]] += 1
            right[level, now_right[x + 1]] += 1
            left[level, now_left[x + 1]] += 1
            reached = max(reached, place, place_down[x + 1], now_right[x + 1], now_left[x + 1])
    counts = np.empty((4, present, np.int64(reached)), np.int32)
    for level in range(present):
        for length in range(np.int64(reached)):
            counts[0, level, length] = along[level, length + 1] - along[level, length + 2]
            counts[1, level, length] = down[level, length + 1] - down[level, length + 2]
            counts[2, level, length] = right[level, length + 1] - right[level, length + 2]
            counts[3, level, length] = left[level, length + 1] - left[level, length + 2]
    return counts
