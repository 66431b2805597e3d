"""Masks, polygons and boxes under the one pixel convention (docs/architecture.md).

Mask pixel (row r, column c) covers the square [c, c + 1] × [r, r + 1]. A polygon made from a mask runs along pixel
edges, so filling it again gives the same mask. OpenCV is loaded by the function that needs it, because the web process
measures polygons and nothing else here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Mask = NDArray[np.bool_]
Polygon = NDArray[np.float64]
Box = tuple[float, float, float, float]

_EIGHT = np.ones((3, 3), dtype=bool)
# Right, down, left, up as (row step, column step); turning right is +1.
_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))


@dataclass(frozen=True, eq=False)
class Region:
    """One 8-connected part of a mask.

    Attributes
    ----------
    box : tuple of float
        (x1, y1, x2, y2) in continuous pixels.
    area : int
        Number of mask pixels.
    mask : ndarray of bool
        The region inside its box, shape (y2 − y1, x2 − x1).
    """

    box: Box
    area: int
    mask: Mask

    def full(self, shape: tuple[int, int]) -> Mask:
        """The region as a mask of the whole image of ``shape`` (rows, columns)."""
        result = np.zeros(shape, dtype=bool)
        x1, y1, x2, y2 = (int(value) for value in self.box)
        result[y1:y2, x1:x2] = self.mask
        return result


def regions(mask: NDArray[Any], minimum_area: float = 1.0, *, minimum_fraction: float = 0.0) -> list[Region]:
    """Split a mask into its 8-connected regions.

    Parameters
    ----------
    mask : ndarray, shape (rows, columns)
        Non-zero is foreground.
    minimum_area : float
        Regions of fewer pixels are left out.
    minimum_fraction : float
        Regions smaller than this fraction of the largest one are left out (specks of hand-drawn masks).

    Returns
    -------
    list of Region
        In raster order of their first pixel.
    """
    import cv2

    whole = _as_mask(mask)
    occupied = np.flatnonzero(whole.any(axis=1))
    if not occupied.size:
        return []
    # labels are made for the part that holds something: masks are mostly empty
    row0, row1 = int(occupied[0]), int(occupied[-1]) + 1
    across = np.flatnonzero(whole[row0:row1].any(axis=0))
    column0, column1 = int(across[0]), int(across[-1]) + 1
    foreground = np.ascontiguousarray(whole[row0:row1, column0:column1])
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(
        foreground.view(np.uint8), connectivity=8, ltype=cv2.CV_32S
    )
    areas = statistics[1:, cv2.CC_STAT_AREA]
    least = max(float(minimum_area), minimum_fraction * float(areas.max()))
    result = []
    for label in range(1, count):
        left, top, width, height, area = (int(value) for value in statistics[label])
        if area < least:
            continue
        part = labels[top : top + height, left : left + width] == label
        left, top = left + column0, top + row0
        result.append(Region((float(left), float(top), float(left + width), float(top + height)), area, part))
    first = [(region.box[1], region.box[0] + float(np.argmax(region.mask[0]))) for region in result]
    return [region for _, region in sorted(zip(first, result, strict=True), key=lambda pair: pair[0])]


def mask_to_polygons(mask: NDArray[Any], minimum_area: float = 1.0) -> list[Polygon]:
    """Outlines of the 8-connected regions of a mask, along pixel edges; holes are filled.

    Parameters
    ----------
    mask : ndarray, shape (rows, columns)
        Non-zero is foreground.
    minimum_area : float
        Regions of fewer pixels are left out.

    Returns
    -------
    list of ndarray of float64, shape (n, 2)
        Vertices (x, y) in continuous pixels, not closed (the last point differs from the first), clockwise on screen.
    """
    return [_outline(region) for region in regions(mask, minimum_area)]


def polygons_to_mask(polygons: Iterable[ArrayLike], shape: tuple[int, int]) -> Mask:
    """Pixels whose centre lies inside at least one polygon (non-zero winding rule).

    Parameters
    ----------
    polygons : iterable of array_like, shape (n, 2)
        Vertices (x, y) in continuous pixels; parts outside the image are cut off.
    shape : tuple of int
        (rows, columns) of the result.

    Returns
    -------
    ndarray of bool, shape ``shape``

    Raises
    ------
    ValueError
        If a polygon has fewer than three vertices or a coordinate that is not finite.
    """
    result = np.zeros(shape, dtype=bool)
    for polygon in polygons:
        _fill(_as_polygon(polygon), result)
    return result


def box_to_polygon(box: Box) -> Polygon:
    """The four corners of a box, clockwise on screen."""
    x1, y1, x2, y2 = box
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], dtype=np.float64)


def polygon_area(polygon: ArrayLike) -> float:
    """Area enclosed by a simple polygon, in square pixels (shoelace formula)."""
    points = _as_polygon(polygon)
    x, y = points[:, 0] - points[0, 0], points[:, 1] - points[0, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _as_mask(mask: NDArray[Any]) -> Mask:
    array = np.asarray(mask)
    if array.ndim != 2:
        raise ValueError(f"a mask has 2 dimensions, not {array.ndim}")
    return np.ascontiguousarray(array if array.dtype == np.bool_ else array != 0)


def _as_polygon(polygon: ArrayLike) -> Polygon:
    points = np.asarray(polygon, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:
        raise ValueError(f"a polygon needs at least three (x, y) vertices, not an array of shape {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("a polygon has a coordinate that is not a finite number")
    return points


def _outline(region: Region) -> Polygon:
    """Walk the outer pixel edges with the region on the right hand; diagonal neighbours belong together."""
    padded = np.pad(region.mask, 1).tolist()
    left, top = region.box[0] - 1, region.box[1] - 1
    column = int(np.argmax(region.mask[0])) + 1
    # Corner (row, column) of the padded grid; the walk starts on the top edge of the first pixel, heading right.
    row, direction = 1, 0
    start = (row, column)
    vertices = [start]
    while True:
        down, right = _STEPS[direction]
        row, column = row + down, column + right
        # The two pixels ahead of the corner, left and right of the heading.
        ahead_left, ahead_right = _ahead(row, column, direction)
        if padded[ahead_left[0]][ahead_left[1]]:
            turned = (direction + 3) % 4
        elif padded[ahead_right[0]][ahead_right[1]]:
            continue
        else:
            turned = (direction + 1) % 4
        # Only the starting corner's own first edge closes the walk: a pinch may pass through the same corner.
        if (row, column) == start and turned == 0:
            break
        vertices.append((row, column))
        direction = turned
    points = np.array(vertices, dtype=np.float64)
    return np.stack([points[:, 1] + left, points[:, 0] + top], axis=1)


def _ahead(row: int, column: int, direction: int) -> tuple[tuple[int, int], tuple[int, int]]:
    if direction == 0:
        return (row - 1, column), (row, column)
    if direction == 1:
        return (row, column), (row, column - 1)
    if direction == 2:
        return (row, column - 1), (row - 1, column - 1)
    return (row - 1, column - 1), (row - 1, column)


def _fill(points: Polygon, result: Mask) -> None:
    """Add the pixels of one polygon: each edge adds its winding at its crossing of every row of pixel centres."""
    rows, columns = result.shape
    following = np.roll(points, -1, axis=0)
    upper = np.where((points[:, 1] <= following[:, 1])[:, None], points, following)
    lower = np.where((points[:, 1] <= following[:, 1])[:, None], following, points)
    winding = np.where(points[:, 1] <= following[:, 1], 1, -1)
    # Row r is crossed when y_upper <= r + 0.5 < y_lower (half open, so that shared vertices count once).
    first = np.clip(np.ceil(upper[:, 1] - 0.5), 0, rows).astype(np.int64)
    last = np.clip(np.ceil(lower[:, 1] - 0.5), 0, rows).astype(np.int64)
    lengths = last - first
    crossing = lengths > 0
    if not crossing.any():
        return
    upper, lower, winding = upper[crossing], lower[crossing], winding[crossing]
    first, lengths = first[crossing], lengths[crossing]
    edge = np.repeat(np.arange(len(lengths)), lengths)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + first[edge]
    slope = (lower[:, 0] - upper[:, 0]) / (lower[:, 1] - upper[:, 1])
    x = upper[edge, 0] + (row + 0.5 - upper[edge, 1]) * slope[edge]
    column = np.clip(np.ceil(x - 0.5), 0, columns).astype(np.int64)
    top, bottom = int(row.min()), int(row.max()) + 1
    start, stop = int(column.min()), int(column.max())
    if stop <= start:
        return
    changes = np.zeros((bottom - top, stop - start + 1), dtype=np.int32)
    np.add.at(changes, (row - top, column - start), winding[edge])
    np.logical_or(
        result[top:bottom, start:stop],
        np.cumsum(changes, axis=1)[:, :-1] != 0,
        out=result[top:bottom, start:stop],
    )
