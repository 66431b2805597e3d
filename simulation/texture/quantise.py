"""Grey levels of a cell, with the bins of pyradiomics.

Bins of a fixed width start at a multiple of the width, are closed below and open above, and so are shared by all cells
of an image; a fixed number of bins divides the range of each cell, the highest value falling in the last bin.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulation.errors import UnusableCells
from simulation.texture.compilation import compiled

MAXIMUM_LEVELS = 1024


class Quantised(NamedTuple):
    """Grey levels of one cell.

    Attributes
    ----------
    levels : ndarray of uint16, shape (height, width)
        Position in `grey`.
    grey : ndarray of int64, shape (present,)
        Grey levels that occur, counted from 1, ascending.
    counts : ndarray of int64, shape (present,)
        Pixels of each.
    """

    levels: NDArray[np.uint16]
    grey: NDArray[np.int64]
    counts: NDArray[np.int64]


def bin_edges(
    minima: NDArray[np.float64], maxima: NDArray[np.float64], *, bin_width: float, bin_count: int | None
) -> list[NDArray[np.float64]]:
    """Edges of the bins of each cell (pyradiomics ``getBinEdges``).

    Parameters
    ----------
    minima, maxima : ndarray of float64, shape (cells,)
    bin_width : float
        Used when `bin_count` is None.
    bin_count : int or None

    Returns
    -------
    list of ndarray of float64
        A value lies in bin k (from 1) when k edges are not above it.

    Raises
    ------
    UnusableCells
        If a cell would have more than `MAXIMUM_LEVELS` bins.
    """
    if bin_count is not None:
        flat = minima == maxima
        table = np.linspace(
            np.where(flat, minima - 0.5, minima), np.where(flat, maxima + 0.5, maxima), bin_count + 1, axis=1
        )
        table[:, -1] += 1
        return list(table)
    bins = (maxima - minima) / bin_width + 2
    if len(bins) and bins.max() > MAXIMUM_LEVELS:
        raise UnusableCells(
            f"a cell spans {float((maxima - minima).max()):g} grey values: more than {MAXIMUM_LEVELS} bins of width "
            f"{bin_width:g}. Choose wider bins, or a bin count"
        )
    lows = minima - np.mod(minima, bin_width)
    return [
        np.arange(low, high + 2 * bin_width, bin_width)
        for low, high in zip(lows.tolist(), maxima.tolist(), strict=True)
    ]


def quantise(values: NDArray[np.float64], edges: NDArray[np.float64]) -> Quantised:
    """Grey levels of a cell of any values; shape (height, width)."""
    bins = np.searchsorted(edges, values.ravel(), side="right")
    grey, levels, counts = np.unique(bins, return_inverse=True, return_counts=True)
    return Quantised(levels.reshape(values.shape).astype(np.uint16), grey.astype(np.int64), counts.astype(np.int64))


def value_ranges(image: NDArray[np.float64], cells: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
    """Lowest and highest value of each cell: two float64 arrays of shape (cells,)."""
    patches = [image[row : row + height, column : column + width] for row, column, height, width in cells.tolist()]
    return (
        np.array([patch.min() for patch in patches], dtype=np.float64),
        np.array([patch.max() for patch in patches], dtype=np.float64),
    )


@compiled
def integer_ranges(image: NDArray[np.int32], cells: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest and highest value of each cell: two int64 arrays of shape (cells,)."""
    minima = np.empty(len(cells), np.int64)
    maxima = np.empty(len(cells), np.int64)
    for index in range(len(cells)):
        row, column, height, width = cells[index, 0], cells[index, 1], cells[index, 2], cells[index, 3]
        low = image[row, column]
        high = low
        for y in range(row, row + height):
            for x in range(column, column + width):
                value = image[y, x]
                low = min(low, value)
                high = max(high, value)
        minima[index] = low
        maxima[index] = high
    return minima, maxima


@compiled
def quantise_integers(
    image: NDArray[np.int32], cell: NDArray[np.int64], minimum: int, maximum: int, edges: NDArray[np.float64]
) -> tuple[NDArray[np.uint16], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """`quantise` for a cell of whole numbers, and the pixels of each value from `minimum` to `maximum`."""
    row, column, height, width = cell[0], cell[1], cell[2], cell[3]
    span = maximum - minimum + 1
    value_counts = np.zeros(span, np.int64)
    for y in range(row, row + height):
        for x in range(column, column + width):
            value_counts[np.uint32(image[y, x] - minimum)] += 1
    pixels_of_bin = np.zeros(edges.size + 1, np.int64)
    level_of = np.empty(span, np.uint16)
    reached = 0
    for offset in range(span):
        while reached < edges.size and edges[reached] <= minimum + offset:
            reached += 1
        level_of[offset] = reached
        pixels_of_bin[reached] += value_counts[offset]
    grey = np.flatnonzero(pixels_of_bin)
    position = np.zeros(edges.size + 1, np.uint16)
    for index in range(grey.size):
        position[grey[index]] = index
    for offset in range(span):
        level_of[offset] = position[level_of[offset]]
    levels = np.empty((height, width), np.uint16)
    for y in range(height):
        for x in range(width):
            levels[y, x] = level_of[np.uint32(image[row + y, column + x] - minimum)]
    return levels, grey, pixels_of_bin[grey], value_counts
