"""Shapes as runs of pixels along rows: areas and overlaps of many small shapes at once, without images.

A pixel belongs to a polygon by the rule of `contours.polygons_to_mask`: its centre lies inside (non-zero winding), and
a shape is the union of its polygons. Shapes have no image around them, so that nothing is cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

Outline = Sequence[tuple[float, float]]
LARGEST = float(1 << 17)
"""Coordinates beyond this are no image's: they are refused before they can take the memory."""

_Whole = NDArray[np.int64]


class Spans:
    """Rows of many shapes as half-open runs [start, end) of pixel columns.

    Parameters
    ----------
    shapes : sequence of sequences of polygons
        Each polygon a sequence of at least three vertices (x, y) in continuous pixels (docs/architecture.md).

    Attributes
    ----------
    areas : (shapes,) int64
        Number of pixels; 0 for a shape without polygons or between pixel centres.

    Raises
    ------
    ValueError
        If a polygon has fewer than three vertices, or a coordinate is not finite or beyond `LARGEST`.
    """

    def __init__(self, shapes: Sequence[Sequence[Outline]]) -> None:
        self._count = len(shapes)
        polygons = list(chain.from_iterable(shapes))
        shape_of = np.repeat(np.arange(self._count), [len(shape) for shape in shapes])
        polygon, row, start, end = _runs_of_polygons(polygons)
        shape = shape_of[polygon]
        if np.unique(shape_of).size < shape_of.size:
            shape, row, start, end = _union(shape, row, start, end)
        self._start, self._end = start, end
        self.areas: _Whole = np.bincount(shape, end - start, self._count).astype(np.int64)
        self._top = np.zeros(self._count, dtype=np.int64)
        self._rows = np.zeros(self._count, dtype=np.int64)
        if shape.size:
            # runs come ordered by shape and row
            first = np.flatnonzero(np.append(True, np.diff(shape) != 0))
            last = np.append(first[1:], shape.size) - 1
            self._top[shape[first]] = row[first]
            self._rows[shape[first]] = row[last] - row[first] + 1
        self._line = np.cumsum(self._rows) - self._rows
        line = self._line[shape] + row - self._top[shape]
        self._runs = np.bincount(line, minlength=int(self._rows.sum())).astype(np.int64)
        self._run = np.cumsum(self._runs) - self._runs

    def __len__(self) -> int:
        return self._count

    def intersections(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> _Whole:
        """Pixels shared by pairs of shapes.

        Parameters
        ----------
        first, second : (pairs,) int
            Positions of the shapes.

        Returns
        -------
        (pairs,) int64
        """
        top = np.maximum(self._top[first], self._top[second])
        bottom = np.minimum(self._top[first] + self._rows[first], self._top[second] + self._rows[second])
        pair, step = _each(np.maximum(bottom - top, 0))
        row = top[pair] + step
        lines = [self._line[which[pair]] + row - self._top[which[pair]] for which in (first, second)]
        counts = [self._runs[line] for line in lines]
        # every run of the one with every run of the other: runs of a row do not overlap, so nothing counts twice
        at, place = _each(counts[0] * counts[1])
        one = self._run[lines[0][at]] + place // counts[1][at]
        other = self._run[lines[1][at]] + place % counts[1][at]
        shared = np.minimum(self._end[one], self._end[other]) - np.maximum(self._start[one], self._start[other])
        total: _Whole = np.bincount(pair[at], np.maximum(shared, 0), len(first)).astype(np.int64)
        return total


def boxes_of(shapes: Sequence[Sequence[Outline]]) -> NDArray[np.float64]:
    """Smallest box (x1, y1, x2, y2) around the polygons of each shape; zeros for a shape without polygons.

    Returns
    -------
    (shapes, 4) float64

    Raises
    ------
    ValueError
        As `Spans`.
    """
    sizes, points = _flat(list(chain.from_iterable(shapes)))
    polygons = np.array([len(shape) for shape in shapes], dtype=np.int64)
    boxes = np.zeros((len(shapes), 4))
    some = polygons > 0
    if some.any():
        starts = (np.cumsum(sizes) - sizes)[(np.cumsum(polygons) - polygons)[some]]
        boxes[some, :2] = np.minimum.reduceat(points, starts)
        boxes[some, 2:] = np.maximum.reduceat(points, starts)
    return boxes


def _flat(polygons: Sequence[Outline]) -> tuple[_Whole, NDArray[np.float64]]:
    """Number of vertices of each polygon, and the (vertices, 2) points of all."""
    sizes = np.array([len(polygon) for polygon in polygons], dtype=np.int64)
    if sizes.size and sizes.min() < 3:
        raise ValueError(f"a polygon needs at least three (x, y) vertices, not {sizes.min()}")
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(polygons)), np.float64, count=2 * int(sizes.sum()))
    if flat.size and not np.abs(flat).max() <= LARGEST:
        raise ValueError("a polygon has a coordinate that is not a finite number of an image")
    return sizes, flat.reshape(-1, 2)


def _runs_of_polygons(polygons: Sequence[Outline]) -> tuple[_Whole, _Whole, _Whole, _Whole]:
    """Polygon, row, start and end of every run, in this order."""
    sizes, points = _flat(polygons)
    total = len(points)
    x, y = points[:, 0], points[:, 1]
    ends = np.cumsum(sizes)
    following = np.arange(1, total + 1)
    following[ends - 1] = ends - sizes
    downwards = y <= y[following]
    upper = np.where(downwards, np.arange(total), following)
    lower = np.where(downwards, following, np.arange(total))
    # row r is crossed when y_upper <= r + 0.5 < y_lower (half open, so that shared vertices count once)
    first = np.ceil(y[upper] - 0.5).astype(np.int64)
    lengths = np.ceil(y[lower] - 0.5).astype(np.int64) - first
    edge, step = _each(lengths)
    row = first[edge] + step
    height = y[lower] - y[upper]
    slope = np.divide(x[lower] - x[upper], height, out=np.zeros(total), where=height > 0)
    column = np.ceil(x[upper][edge] + (row + 0.5 - y[upper][edge]) * slope[edge] - 0.5).astype(np.int64)
    polygon = np.repeat(np.arange(sizes.size), sizes)[edge]
    return _runs(polygon, row, column, downwards[edge])


def _union(shape: _Whole, row: _Whole, start: _Whole, end: _Whole) -> tuple[_Whole, _Whole, _Whole, _Whole]:
    """Runs of polygons as runs of their shapes, each pixel once."""
    opens = np.repeat([True, False], shape.size)
    return _runs(np.tile(shape, 2), np.tile(row, 2), np.concatenate([start, end]), opens)


def _runs(
    owner: _Whole, row: _Whole, column: _Whole, rises: NDArray[np.bool_]
) -> tuple[_Whole, _Whole, _Whole, _Whole]:
    """Where the steps of a row, +1 and -1 that sum to 0, add up to something else than 0."""
    if not owner.size:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing, nothing
    lowest, left = int(row.min()), int(column.min())
    height, width = int(row.max()) - lowest + 1, int(column.max()) - left + 1
    # one number a step, so that a plain sort puts them in order
    keys = np.sort((((owner * height + (row - lowest)) * width + (column - left)) << 1) | rises)
    total = np.cumsum(np.where(keys & 1, 1, -1))
    closes = np.flatnonzero(total == 0)
    opens = np.append(0, closes[:-1] + 1)
    line, start = np.divmod(keys[opens] >> 1, width)
    end = (keys[closes] >> 1) % width
    kept = end > start
    owner, row = np.divmod(line[kept], height)
    return owner, row + lowest, start[kept] + left, end[kept] + left


def _each(counts: _Whole) -> tuple[_Whole, _Whole]:
    """Owner of each of so many items, and the place of the item among those of its owner."""
    owner = np.repeat(np.arange(counts.size), counts)
    return owner, np.arange(owner.size) - np.repeat(np.cumsum(counts) - counts, counts)
