"""5 neighbouring grey-tone difference features of a cell (pyradiomics ``ngtdm``)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulation.texture.compilation import compiled

NAMES: tuple[str, ...] = ("Coarseness", "Contrast", "Busyness", "Complexity", "Strength")
# pyradiomics' value where no pixel differs from its neighbours
COARSENESS_OF_FLAT = 1e6


def neighbourhood(
    levels: NDArray[np.uint16], grey: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Features of how much pixels differ from the mean of their neighbours.

    Parameters
    ----------
    levels : ndarray of uint16, shape (height, width)
    grey, counts : ndarray of int64, shape (present,)

    Returns
    -------
    ndarray of float64, shape (5,)
        In the order of `NAMES`.
    """
    height, width = levels.shape
    values = np.pad(grey[levels], 1)
    inside = np.pad(np.ones(levels.shape, np.int64), 1)
    around, neighbours = (
        sum(table[dy : dy + height, dx : dx + width] for dy in range(3) for dx in range(3)) - table[1:-1, 1:-1]
        for table in (values, inside)
    )
    difference = np.abs(grey[levels] - around / neighbours)
    of_level = np.bincount(levels.ravel(), weights=difference.ravel(), minlength=len(grey))
    share, tone, pixels, present = counts / counts.sum(), grey.astype(np.float64), counts.sum(), len(grey)
    distance = np.abs(tone[:, None] - tone)
    weighted, total = share @ of_level, of_level.sum()
    spread = np.abs((tone * share)[:, None] - tone * share).sum()
    contrast = share @ distance**2 @ share * total / pixels
    pairs = ((share * of_level)[:, None] + share * of_level) / (share[:, None] + share)
    strength = ((share[:, None] + share) * distance**2).sum()
    return np.array(
        [
            1 / weighted if weighted else COARSENESS_OF_FLAT,
            contrast / (present * (present - 1)) if present > 1 else 0.0,
            weighted / spread if spread else 0.0,
            (distance * pairs).sum() / pixels,
            strength / total if total else 0.0,
        ]
    )


@compiled
def _differences(levels: NDArray[np.uint16], grey: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum over the pixels of each level of the distance to the mean of their neighbours."""
    height, width = levels.shape
    padded = np.zeros((height + 2, width + 2), np.int32)
    for y in range(height):
        for x in range(width):
            padded[y + 1, x + 1] = grey[levels[y, x]]
    # in whole numbers, apart for pixels with 3, 5 and 8 neighbours
    sums = np.zeros((3, grey.size), np.int64)
    columns = np.empty(width + 2, np.int32)
    distance = np.empty(width, np.int32)
    for y in range(height):
        above, row, below = padded[y], padded[y + 1], padded[y + 2]
        rows = 3 - (y == 0) - (y == height - 1)
        for x in range(width + 2):
            columns[x] = above[x] + row[x] + below[x]
        neighbours = np.int32(3 * rows - 1)
        for x in range(width):
            distance[x] = abs(row[x + 1] * (neighbours + np.int32(1)) - columns[x] - columns[x + 1] - columns[x + 2])
        at_edge = np.int32(2 * rows)
        distance[0] = abs(row[1] * at_edge - columns[0] - columns[1] - columns[2])
        distance[width - 1] = abs(row[width] * at_edge - columns[width - 1] - columns[width] - columns[width + 1])
        inner, outer = sums[rows - 1], sums[rows - 2]
        for x in range(1, width - 1):
            inner[levels[y, x]] += distance[x]
        outer[levels[y, 0]] += distance[0]
        outer[levels[y, width - 1]] += distance[width - 1]
    return sums[0] / 3.0 + sums[1] / 5.0 + sums[2] / 8.0


@compiled
def neighbourhood_compiled(
    levels: NDArray[np.uint16], grey: NDArray[np.int64], counts: NDArray[np.int64], out: NDArray[np.float64]
) -> None:
    """`neighbourhood`, written to `out`, shape (5,)."""
    of_level = _differences(levels, grey)
    present = grey.size
    pixels = levels.size
    share = counts / pixels
    weighted, total = 0.0, 0.0
    for i in range(present):
        weighted += share[i] * of_level[i]
        total += of_level[i]
    contrast, spread, complexity, strength = 0.0, 0.0, 0.0, 0.0
    for i in range(present):
        for j in range(i + 1, present):
            step = float(grey[j] - grey[i])
            contrast += share[i] * share[j] * step * step
            spread += abs(grey[i] * share[i] - grey[j] * share[j])
            complexity += step * (share[i] * of_level[i] + share[j] * of_level[j]) / (share[i] + share[j])
            strength += (share[i] + share[j]) * step * step
    out[0] = 1 / weighted if weighted != 0 else 1e6
    out[1] = 2 * contrast * total / pixels / (present * (present - 1)) if present > 1 else 0.0
    out[2] = weighted / (2 * spread) if spread != 0 else 0.0
    out[3] = 2 * complexity / pixels
    out[4] = 2 * strength / total if total != 0 else 0.0
