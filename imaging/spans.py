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
_Real = NDArray[np.float64]


class Vertices:
    """Vertices of the polygons of many shapes, read once.

    Parameters
    ----------
    shapes : sequence of sequences of polygons
        Each polygon a sequence of at least three vertices (x, y) in continuous pixels (docs/architecture.md).

    Attributes
    ----------
    polygons : (shapes,) int64
        Number of polygons of each shape.
    sizes : (polygons,) int64
        Number of vertices of each polygon.
    x, y : (vertices,) float64

    Raises
    ------
    ValueError
        If a polygon has fewer than three vertices, or a coordinate is not finite or beyond `LARGEST`.
    """

    def __init__(self, shapes: Sequence[Sequence[Outline]]) -> None:
        polygons = list(chain.from_iterable(shapes))
        self.polygons: _Whole = np.fromiter(map(len, shapes), np.int64, count=len(shapes))
        self.sizes: _Whole = np.fromiter(map(len, polygons), np.int64, count=len(polygons))
        if self.sizes.size and self.sizes.min() < 3:
            raise ValueError(f"a polygon needs at least three (x, y) vertices, not {self.sizes.min()}")
        total = int(self.sizes.sum())
        flat = np.fromiter(chain.from_iterable(chain.from_iterable(polygons)), np.float64, count=2 * total)
        # not a number compares as false
        if total and not (flat.min() >= -LARGEST and flat.max() <= LARGEST):
            raise ValueError("a polygon has a coordinate that is not a finite number of an image")
        self.x: _Real
        self.y: _Real
        self.x, self.y = np.ascontiguousarray(flat.reshape(-1, 2).T)

    def __len__(self) -> int:
        return self.polygons.size

    def boxes(self) -> NDArray[np.float64]:
        """(shapes, 4) smallest box (x1, y1, x2, y2) around the polygons of each; zeros for a shape without polygons."""
        boxes = np.zeros((len(self), 4))
        some = self.polygons > 0
        if some.any():
            starts = _starts(self.sizes)[_starts(self.polygons)[some]]
            for column, (least, values) in enumerate(
                ((np.minimum, self.x), (np.minimum, self.y), (np.maximum, self.x), (np.maximum, self.y))
            ):
                boxes[some, column] = least.reduceat(values, starts)
        return boxes

    def chosen(self, which: NDArray[np.bool_]) -> Vertices:
        """The shapes of the (shapes,) mask alone."""
        polygon = np.repeat(which, self.polygons)
        vertex = np.repeat(polygon, self.sizes)
        part = Vertices(())
        part.polygons, part.sizes = self.polygons[which], self.sizes[polygon]
        part.x, part.y = self.x[vertex], self.y[vertex]
        return part


class Spans:
    """Rows of many shapes as half-open runs [start, end) of pixel columns.

    Parameters
    ----------
    vertices : Vertices

    Attributes
    ----------
    areas : (shapes,) int64
        Number of pixels; 0 for a shape without polygons or between pixel centres.
    """

    def __init__(self, vertices: Vertices) -> None:
        self._count = len(vertices)
        polygon, row, start, end = _runs_of_polygons(vertices)
        shape = np.repeat(np.arange(self._count), vertices.polygons)[polygon]
        several = (vertices.polygons > 1)[shape]
        if several.any():
            parts = (shape, row, start, end)
            united = _union(*(part[several] for part in parts))
            joined = [np.concatenate([part[~several], one]) for part, one in zip(parts, united, strict=True)]
            order = np.argsort(joined[0], kind="stable")
            shape, row, start, end = (part[order] for part in joined)
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
        self._line = _starts(self._rows)
        line = (self._line - self._top)[shape] + row
        self._runs = np.bincount(line, minlength=int(self._rows.sum())).astype(np.int64, copy=False)
        self._run = _starts(self._runs)

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
        lines = [(self._line[which] + top - self._top[which])[pair] + step for which in (first, second)]
        counts = [self._runs[line] for line in lines]
        # every run of the one with every run of the other: runs of a row do not overlap, so nothing counts twice
        at, place = _each(counts[0] * counts[1])
        one = self._run[lines[0][at]] + place // counts[1][at]
        other = self._run[lines[1][at]] + place % counts[1][at]
        shared = np.minimum(self._end[one], self._end[other]) - np.maximum(self._start[one], self._start[other])
        total: _Whole = np.bincount(pair[at], np.maximum(shared, 0), len(first)).astype(np.int64)
        return total


def _runs_of_polygons(vertices: Vertices) -> tuple[_Whole, _Whole, _Whole, _Whole]:
    """Polygon, row, start and end of every run, in this order.

    Row r is crossed by an edge when y_upper <= r + 0.5 < y_lower (half open, so that shared vertices count once).
    """
    sizes, x, y = vertices.sizes, vertices.x, vertices.y
    if not sizes.size:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing, nothing
    starts = _starts(sizes)
    row_of = np.ceil(y - 0.5).astype(np.int64)
    top = np.minimum.reduceat(row_of, starts)
    rows = np.maximum.reduceat(row_of, starts) - top
    # rows of all polygons one after the other: each has as many edges going down as up, and at least one
    line_of_row_0 = _starts(rows) - top
    following = np.arange(1, y.size + 1)
    following[starts + sizes - 1] = starts
    polygon = np.repeat(np.arange(sizes.size), sizes)
    rise = row_of[following] - row_of
    sides = []
    for edge, upper, lower in (
        ((down := np.flatnonzero(rise > 0)), down, following[down]),
        ((up := np.flatnonzero(rise < 0)), following[up], up),
    ):
        first, lengths = row_of[upper], np.abs(rise[edge])
        slope = (x[lower] - x[upper]) / (y[lower] - y[upper])
        # place of each crossing among all: from it to row and line it is a constant of the edge
        place = np.arange(int(lengths.sum()))
        shift = first - _starts(lengths)
        row = place + np.repeat(shift, lengths)
        column = np.repeat(x[upper], lengths) + (row + 0.5 - np.repeat(y[upper], lengths)) * np.repeat(slope, lengths)
        line = place + np.repeat(shift + line_of_row_0[polygon[edge]], lengths)
        sides.append((line, np.ceil(column - 0.5).astype(np.int64)))
    line, start, end = _runs_between(sides[0], sides[1], int(rows.sum()))
    polygon = np.repeat(np.arange(sizes.size), rows)[line]
    return polygon, line - line_of_row_0[polygon], start, end


def _runs_between(down: tuple[_Whole, _Whole], up: tuple[_Whole, _Whole], lines: int) -> tuple[_Whole, _Whole, _Whole]:
    """Line, start and end of every run, from the line and column of every edge going down and of every one going up."""
    ends = np.zeros((2, lines), dtype=np.int64)
    for side, (line, column) in zip(ends, (down, up), strict=True):
        side[line] = column
    start, end = ends.min(axis=0), ends.max(axis=0)
    several = np.bincount(down[0], minlength=lines) > 1
    line = np.flatnonzero(~several & (end > start))
    if not several.any():
        return line, start[line], end[line]
    often = []
    for at, column in (down, up):
        among = several[at]
        often.append((at[among], column[among]))
    many = _runs(
        np.concatenate([at for at, _ in often]),
        np.concatenate([column for _, column in often]),
        np.repeat([True, False], [at.size for at, _ in often]),
    )
    joined = [np.concatenate(pair) for pair in zip((line, start[line], end[line]), many, strict=True)]
    order = np.argsort(joined[0], kind="stable")
    return joined[0][order], joined[1][order], joined[2][order]


def _union(shape: _Whole, row: _Whole, start: _Whole, end: _Whole) -> tuple[_Whole, _Whole, _Whole, _Whole]:
    """Runs of polygons as runs of their shapes, each pixel once."""
    lowest = int(row.min())
    height = int(row.max()) - lowest + 1
    line = shape * height + (row - lowest)
    opens = np.repeat([True, False], line.size)
    line, start, end = _runs(np.tile(line, 2), np.concatenate([start, end]), opens)
    shape, row = np.divmod(line, height)
    return shape, row + lowest, start, end


def _runs(line: _Whole, column: _Whole, rises: NDArray[np.bool_]) -> tuple[_Whole, _Whole, _Whole]:
    """Where the steps of a line, +1 and -1 that sum to 0, add up to something else than 0; there is at least one."""
    left = int(column.min())
    width = int(column.max()) - left + 1
    # one number a step, so that a plain sort puts them in order
    keys = np.sort(((line * width + (column - left)) << 1) | rises)
    total = np.cumsum(np.where(keys & 1, 1, -1))
    closes = np.flatnonzero(total == 0)
    opens = np.append(0, closes[:-1] + 1)
    line, start = np.divmod(keys[opens] >> 1, width)
    end = (keys[closes] >> 1) % width
    kept = end > start
    return line[kept], start[kept] + left, end[kept] + left


def _starts(counts: _Whole) -> _Whole:
    """Place of the first item of each owner, where items of all owners follow one another."""
    starts: _Whole = np.cumsum(counts) - counts
    return starts


def _each(counts: _Whole) -> tuple[_Whole, _Whole]:
    """Owner of each of so many items, and the place of the item among those of its owner."""
    owner = np.repeat(np.arange(counts.size), counts)
    return owner, np.arange(owner.size) - _starts(counts)[owner]
