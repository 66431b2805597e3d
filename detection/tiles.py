"""Sub-images of half the height and width or of fixed size, and the merging of what is found in them.

Van Camp et al., IWBI 2024, section 2.3: "images were cropped to sub-images half the width and height of the
original image", with the predictions of all sub-images combined. Number, overlap and merging are not stated:
here the layout, the overlap at which two detections are one, and the treatment of cut lesions are parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection.finding import Box

_LAYOUTS = {"whole": 1, "half-2x2": 2, "half-3x3": 3}


@dataclass(frozen=True)
class Tile:
    """A rectangle of pixels: rows [row0, row1), columns [column0, column1)."""

    row0: int
    row1: int
    column0: int
    column1: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.row1 - self.row0, self.column1 - self.column0

    def to_tile(self, points: ArrayLike) -> NDArray[np.float64]:
        """Move (x, y) points, shape (n, 2), from the image into the tile."""
        return np.subtract(np.asarray(points, dtype=np.float64), (self.column0, self.row0))

    def to_image(self, points: ArrayLike) -> NDArray[np.float64]:
        """Move (x, y) points, shape (n, 2), from the tile into the image."""
        return np.add(np.asarray(points, dtype=np.float64), (self.column0, self.row0))

    def box_to_image(self, box: Box) -> Box:
        """Move a box (x1, y1, x2, y2) from the tile into the image."""
        x1, y1, x2, y2 = box
        return x1 + self.column0, y1 + self.row0, x2 + self.column0, y2 + self.row0


def layout(shape: tuple[int, int], scheme: str, *, size: int = 1024, overlap: float = 0.25) -> tuple[Tile, ...]:
    """Tiles of an image, in raster order.

    Parameters
    ----------
    shape : (rows, columns)
    scheme : {"whole", "half-2x2", "half-3x3", "native"}
        Half-size tiles have ceil(rows / 2) × ceil(columns / 2) pixels. With ``"half-2x2"`` they lie edge to
        edge (sharing one row or column where the size is odd); with ``"half-3x3"`` neighbours share half.
        ``"native"`` tiles have at most `size` × `size` pixels.
    size : int
        Longest side of a native tile, pixels.
    overlap : float
        Part of `size` that neighbouring native tiles share at least.

    Returns
    -------
    tuple of Tile
        Together they cover every pixel; all have one shape.

    Raises
    ------
    ValueError
        On an unknown scheme or an empty image.
    """
    if scheme != "native" and scheme not in _LAYOUTS:
        raise ValueError(f"unknown tile scheme {scheme!r}: expected one of {', '.join(_LAYOUTS)}, native")
    rows, columns = shape
    if rows < 1 or columns < 1:
        raise ValueError(f"an image needs at least one row and one column, not {rows} × {columns}")
    if scheme == "native":
        spans = [_native_spans(length, size, overlap) for length in (rows, columns)]
    else:
        spans = [_spans(length, _LAYOUTS[scheme]) for length in (rows, columns)]
    return tuple(Tile(row0, row1, column0, column1) for row0, row1 in spans[0] for column0, column1 in spans[1])


def _spans(length: int, count: int) -> list[tuple[int, int]]:
    if count == 1 or length == 1:
        return [(0, length)]
    size = -(-length // 2)
    spans = []
    for index in range(count):
        start = index * (length - size) // (count - 1)
        if (start, start + size) not in spans:
            spans.append((start, start + size))
    return spans


def _native_spans(length: int, size: int, overlap: float) -> list[tuple[int, int]]:
    if length <= size:
        return [(0, length)]
    stride = max(1, int(size * (1 - overlap)))
    steps = -(-(length - size) // stride)
    return [(start, start + size) for start in (index * (length - size) // steps for index in range(steps + 1))]


def touches_inner_edge(box: Box, tile: Tile, shape: tuple[int, int], margin: float = 1.0) -> bool:
    """Whether a box (in image coordinates) reaches an edge of its tile that is not an edge of the image.

    Parameters
    ----------
    shape : (rows, columns) of the image
    margin : float
        Distance in pixels within which a box counts as reaching the edge.
    """
    x1, y1, x2, y2 = box
    rows, columns = shape
    return (
        (tile.column0 > 0 and x1 <= tile.column0 + margin)
        or (tile.row0 > 0 and y1 <= tile.row0 + margin)
        or (tile.column1 < columns and x2 >= tile.column1 - margin)
        or (tile.row1 < rows and y2 >= tile.row1 - margin)
    )


def overlaps(box: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of one box with n others, shape (n,); 0 where the union is empty."""
    intersection = _intersections(box, others)
    union = _areas(np.asarray(box, dtype=np.float64)[None])[0] + _areas(others) - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


def merge(
    boxes: ArrayLike,
    scores: ArrayLike,
    *,
    overlap: float,
    limit: int | None = None,
    cut: ArrayLike | None = None,
    inside: float = 0.7,
) -> list[int]:
    """Combine the detections of all tiles of an image: greedy suppression across classes.

    Parameters
    ----------
    boxes : array_like, shape (n, 4)
        In image coordinates.
    scores : array_like, shape (n,)
    overlap : float
        Of two boxes with a larger IoU the one with the higher score stays (ties: the earlier).
    limit : int, optional
        Keep at most this many.
    cut : array_like of bool, shape (n,), optional
        Boxes that touch an inner tile edge: part of a lesion that another tile may show whole. Such a box
        goes when at least `inside` of its area lies within a kept box that is not cut.
    inside : float

    Returns
    -------
    list of int
        Indices of the boxes kept, best first.
    """
    corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    is_cut = np.zeros(len(corners), dtype=bool) if cut is None else np.asarray(cut, dtype=bool)
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    areas = _areas(corners)
    kept: list[int] = []
    for index in order:
        if kept and (overlaps(corners[index], corners[kept]) > overlap).any():
            continue
        kept.append(int(index))
    whole = [index for index in kept if not is_cut[index]]

    def is_part(index: int) -> bool:
        if not is_cut[index] or not whole or areas[index] <= 0:
            return False
        return bool((_intersections(corners[index], corners[whole]) / areas[index] >= inside).any())

    return [index for index in kept if not is_part(index)][:limit]


def _areas(boxes: ArrayLike) -> NDArray[np.float64]:
    corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    area: NDArray[np.float64] = np.clip(corners[:, 2:] - corners[:, :2], 0, None).prod(axis=1)
    return area


def _intersections(box: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    one = np.asarray(box, dtype=np.float64)
    many = np.asarray(others, dtype=np.float64).reshape(-1, 4)
    low = np.maximum(one[:2], many[:, :2])
    high = np.minimum(one[2:], many[:, 2:])
    area: NDArray[np.float64] = np.clip(high - low, 0, None).prod(axis=1)
    return area
