"""14 grey-level dependence features of a cell (pyradiomics ``gldm``): how many neighbours share a pixel's level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulation.texture.compilation import compiled

NAMES: tuple[str, ...] = (
    "SmallDependenceEmphasis",
    "LargeDependenceEmphasis",
    "GrayLevelNonUniformity",
    "DependenceNonUniformity",
    "DependenceNonUniformityNormalized",
    "GrayLevelVariance",
    "DependenceVariance",
    "DependenceEntropy",
    "LowGrayLevelEmphasis",
    "HighGrayLevelEmphasis",
    "SmallDependenceLowGrayLevelEmphasis",
    "SmallDependenceHighGrayLevelEmphasis",
    "LargeDependenceLowGrayLevelEmphasis",
    "LargeDependenceHighGrayLevelEmphasis",
)
# of the 16 features of a size matrix, two are no dependence features
OF_SIZE_FEATURES = np.array([0, 1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15])
SIZES = np.arange(1, 10)


def dependence_counts(levels: NDArray[np.uint16], present: int) -> NDArray[np.int64]:
    """Pixels of each level and number of equal neighbours.

    Parameters
    ----------
    levels : ndarray of uint16, shape (height, width)
    present : int
        Number of levels.

    Returns
    -------
    ndarray of int64, shape (present, 9)
        Columns for 0 to 8 equal ones among the 8 neighbours (sizes 1 to 9, the pixel itself included).
    """
    height, width = levels.shape
    padded = np.full((height + 2, width + 2), -1, np.int64)
    padded[1:-1, 1:-1] = levels
    equal = sum(
        padded[dy : dy + height, dx : dx + width] == levels for dy in range(3) for dx in range(3) if (dy, dx) != (1, 1)
    )
    return np.bincount((levels * np.int64(9) + equal).ravel(), minlength=present * 9).reshape(present, 9)


@compiled
def dependence_counts_compiled(levels: NDArray[np.uint16], present: int) -> NDArray[np.int32]:
    """`dependence_counts`."""
    height, width = levels.shape
    padded = np.full((height + 2, width + 2), present, np.uint16)
    padded[1:-1, 1:-1] = levels
    counts = np.zeros((present, 9), np.int32)
    equal = np.empty(width, np.uint16)
    for y in range(height):
        above, row, below = padded[y], padded[y + 1], padded[y + 2]
        for x in range(width):
            level = row[x + 1]
            equal[x] = (
                np.uint16(above[x] == level)
                + np.uint16(above[x + 1] == level)
                + np.uint16(above[x + 2] == level)
                + np.uint16(row[x] == level)
                + np.uint16(row[x + 2] == level)
                + np.uint16(below[x] == level)
                + np.uint16(below[x + 1] == level)
                + np.uint16(below[x + 2] == level)
            )
        for x in range(width):
            counts[row[x + 1], equal[x]] += 1
    return counts
