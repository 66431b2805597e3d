"""16 grey-level size-zone features of a cell (pyradiomics ``glszm``): 8-connected areas of one level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage import measure

from simulation.texture.compilation import compiled

NAMES: tuple[str, ...] = (
    "SmallAreaEmphasis",
    "LargeAreaEmphasis",
    "GrayLevelNonUniformity",
    "GrayLevelNonUniformityNormalized",
    "SizeZoneNonUniformity",
    "SizeZoneNonUniformityNormalized",
    "ZonePercentage",
    "GrayLevelVariance",
    "ZoneVariance",
    "ZoneEntropy",
    "LowGrayLevelZoneEmphasis",
    "HighGrayLevelZoneEmphasis",
    "SmallAreaLowGrayLevelEmphasis",
    "SmallAreaHighGrayLevelEmphasis",
    "LargeAreaLowGrayLevelEmphasis",
    "LargeAreaHighGrayLevelEmphasis",
)


def zone_counts(levels: NDArray[np.uint16], present: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Zones of each level and size.

    Parameters
    ----------
    levels : ndarray of uint16, shape (height, width)
    present : int
        Number of levels.

    Returns
    -------
    counts : ndarray of int64, shape (present, sizes)
    sizes : ndarray of int64, shape (sizes,)
        Sizes that occur, in pixels, ascending.
    """
    labels = measure.label(levels.astype(np.int64) + 1, background=0, connectivity=2)
    _, first, area = np.unique(labels, return_index=True, return_counts=True)
    sizes, column = np.unique(area, return_inverse=True)
    flat = levels.ravel()[first].astype(np.int64) * len(sizes) + column
    counts = np.bincount(flat, minlength=present * len(sizes)).reshape(present, len(sizes))
    return counts, sizes.astype(np.int64)


@compiled
def _root(parent: NDArray[np.int32], label: int) -> int:
    while parent[label] != label:
        label = parent[label]
    return label


@compiled
def zone_counts_compiled(levels: NDArray[np.uint16], present: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """`zone_counts` by a scan with union of labels.

    A pixel equal to the one above takes its label: all other neighbours of its level are joined to that one already.
    Otherwise only the neighbour above right can join two labels.
    """
    height, width = levels.shape
    # a border that equals no level saves asking where the image ends
    padded = np.full((height + 1, width + 2), present, np.uint16)
    padded[1:, 1:-1] = levels
    label_of = np.empty((height + 1, width + 2), np.int32)
    parent = np.empty(height * width, np.int32)
    area = np.zeros(height * width, np.int32)
    level_of = np.empty(height * width, np.uint16)
    labels = 0
    for y in range(1, height + 1):
        above, row = padded[y - 1], padded[y]
        labels_above, labels_here = label_of[y - 1], label_of[y]
        for x in range(1, width + 1):
            level = row[x]
            if above[x] == level:
                label = labels_above[x]
            else:
                if row[x - 1] == level:
                    label = labels_here[x - 1]
                elif above[x - 1] == level:
                    label = labels_above[x - 1]
                else:
                    label = np.int32(-1)
                if above[x + 1] == level:
                    other = labels_above[x + 1]
                    if label >= 0 and label != other:
                        one, two = _root(parent, label), _root(parent, other)
                        parent[max(one, two)] = min(one, two)
                    label = other
                elif label < 0:
                    label = np.int32(labels)
                    parent[labels] = labels
                    level_of[labels] = level
                    labels += 1
            labels_here[x] = label
            area[label] += 1
    largest = 0
    # a parent is never above its child, so one pass sums up
    for label in range(labels - 1, -1, -1):
        if parent[label] != label:
            area[parent[label]] += area[label]
        else:
            largest = max(largest, area[label])
    column_of = np.zeros(largest + 1, np.int32)
    for label in range(labels):
        if parent[label] == label:
            column_of[area[label]] = 1
    sizes = np.flatnonzero(column_of)
    for column in range(sizes.size):
        column_of[sizes[column]] = column
    counts = np.zeros((present, sizes.size), np.int32)
    for label in range(labels):
        if parent[label] == label:
            counts[level_of[label], column_of[area[label]]] += 1
    return counts, sizes
