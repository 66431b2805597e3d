"""The breast in a mammogram: mask, box and chest-wall side, told from the pixels alone.

Works at about quarter resolution. Padding is peeled off first, the background level is read from the darkest peak of
the image border, the largest connected part above it is kept after an opening that cuts off labels, and holes are
filled. Clips, implants and skin that touches the border stay inside.
"""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.errors import BreastNotFound

Mask = NDArray[np.bool_]

_WORKING_SIDE = 600  # pixels on the shorter side of the whole image at working resolution
_FRAME = 0.03  # width of the border that shows the background, as a fraction of the side
_BINS = 256
_GRID = 16


def breast_mask(pixels: NDArray[Any]) -> Mask:
    """Mask of the breast (with what lies on it) in a low-energy or recombined image.

    Parameters
    ----------
    pixels : ndarray, shape (rows, columns)
        Stored values, brighter = denser.

    Returns
    -------
    ndarray of bool, shape (rows, columns)
        One 4-connected region without holes.

    Raises
    ------
    BreastNotFound
        If the image is flat or nothing stands out from the background.
    ValueError
        If the image is not two-dimensional or empty.
    """
    small, (top, bottom, left, right) = working_mask(pixels)
    size = (right - left, bottom - top)
    enlarged = cv2.resize(small.view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_LINEAR)
    result = np.zeros(pixels.shape, dtype=bool)
    np.greater_equal(enlarged, 128, out=result[top:bottom, left:right])
    return result


def working_mask(pixels: NDArray[Any]) -> tuple[Mask, tuple[int, int, int, int]]:
    """The breast mask at working resolution, and the part (row0, row1, column0, column1) of the image it covers.

    Raises
    ------
    BreastNotFound, ValueError
        As `breast_mask`.
    """
    if pixels.ndim != 2 or 0 in pixels.shape:
        raise ValueError(f"an image of two dimensions is needed, not shape {pixels.shape}")
    part = _without_padding(pixels)
    top, bottom, left, right = part
    if bottom - top < 8 or right - left < 8:
        raise BreastNotFound("No breast was found: the image is flat or nearly flat. Check that it is a mammogram.")
    inner = pixels[top:bottom, left:right]
    working = _shrink(inner, max(1, round(min(pixels.shape) / _WORKING_SIDE)))
    small = _largest_part(working > _background_limit(working))
    if small is None:
        raise BreastNotFound("No breast was found: nothing stands out from the background of the image.")
    return small, part


def bounding_box(mask: NDArray[Any]) -> tuple[int, int, int, int]:
    """Box of a breast mask as slices.

    Returns
    -------
    tuple of int
        (row0, row1, column0, column1), half open: ``image[row0:row1, column0:column1]``.

    Raises
    ------
    BreastNotFound
        If the mask is empty.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        raise BreastNotFound("No breast was found: the mask is empty.")
    columns = np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def chest_wall_contact(mask: NDArray[Any]) -> tuple[int, int]:
    """Pixels of the breast along the left and the right edge of its own box, so that padding does not matter.

    Raises
    ------
    BreastNotFound
        If the mask is empty.
    """
    row0, row1, column0, column1 = bounding_box(mask)
    part = mask[row0:row1, column0:column1]
    width = max(1, round(part.shape[1] * 0.03))
    left, right = int(part[:, :width].sum()), int(part[:, -width:].sum())
    if left == right:
        half = part.shape[1] // 2
        left, right = int(part[:, :half].sum()), int(part[:, half:].sum())
    return left, right


def chest_wall_side(mask: NDArray[Any]) -> Literal["left", "right"]:
    """Side of the image on which the chest wall lies: where the breast is cut off along the longer line.

    Raises
    ------
    BreastNotFound
        If the mask is empty.
    """
    left, right = chest_wall_contact(mask)
    return "left" if left >= right else "right"


def _without_padding(pixels: NDArray[Any]) -> tuple[int, int, int, int]:
    """Peel constant rows and columns off the border (dark or bright padding, frames of one colour)."""
    top, bottom = _varying(pixels, across=1)
    left, right = _varying(pixels[top:bottom], across=0)
    if right > left:
        inner_top, inner_bottom = _varying(pixels[top:bottom, left:right], across=1)
        top, bottom = top + inner_top, top + inner_bottom
    return top, bottom, left, right


def _varying(pixels: NDArray[Any], across: int) -> tuple[int, int]:
    """First and last (half open) row (``across`` 1) or column (0) that is not of one value."""
    if not pixels.size:
        return 0, 0
    # A coarse grid finds most varying lines; only the strips outside them need every pixel.
    coarse = _not_flat(pixels[::_GRID, ::_GRID], across)
    first, last = (int(coarse[0]) * _GRID, int(coarse[-1]) * _GRID) if coarse.size else (pixels.shape[1 - across], 0)
    before = _not_flat(pixels[:first] if across else pixels[:, :first], across)
    after = _not_flat(pixels[last:] if across else pixels[:, last:], across)
    if not after.size:
        return 0, 0
    return int(before[0]) if before.size else first, last + int(after[-1]) + 1


def _not_flat(pixels: NDArray[Any], across: int) -> NDArray[np.intp]:
    if not pixels.size:
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(pixels.min(axis=across) != pixels.max(axis=across))


def _shrink(pixels: NDArray[Any], factor: int) -> NDArray[Any]:
    source = pixels if pixels.dtype in (np.uint8, np.uint16) else pixels.astype(np.float32)
    if factor > 1:
        rows, columns = source.shape
        size = (max(1, round(columns / factor)), max(1, round(rows / factor)))
        source = cv2.resize(np.ascontiguousarray(source), size, interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(source.astype(np.float32), (5, 5), 1.0, borderType=cv2.BORDER_REPLICATE)


def _background_limit(working: NDArray[Any]) -> float:
    """Level above which a pixel is not air: the darkest peak of the border histogram plus its own noise."""
    rows, columns = working.shape
    high, wide = max(1, round(rows * _FRAME)), max(1, round(columns * _FRAME))
    frame = np.concatenate(
        [
            working[:high].ravel(),
            working[-high:].ravel(),
            working[high:-high, :wide].ravel(),
            working[high:-high, -wide:].ravel(),
        ]
    )
    lowest, brightest = float(working.min()), float(np.percentile(working, 99))
    extent = brightest - lowest
    if extent <= 0:
        return float("inf")
    counts, edges = np.histogram(frame, bins=_BINS, range=(lowest, brightest))
    smooth = np.convolve(counts, np.ones(3), mode="same")
    peak = int(np.flatnonzero(smooth >= 0.25 * smooth.max())[0])
    while peak + 1 < _BINS and smooth[peak + 1] > smooth[peak]:
        peak += 1
    width = edges[1] - edges[0]
    near = frame[np.abs(frame - (edges[peak] + width / 2)) <= 3 * width]
    level = float(np.median(near))
    below = frame[frame <= level]
    noise = 1.4826 * float(np.median(level - below)) if below.size else 0.0
    return level + max(4 * noise, 0.03 * (brightest - level))


def _largest_part(foreground: Mask) -> Mask | None:
    rows, columns = foreground.shape
    # Pixels beyond the image count as breast where the breast reaches the edge, so that opening does not eat it there.
    radius = max(1, round(min(rows, columns) / 100))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    padded = np.pad(foreground.astype(np.uint8), 2 * radius, mode="edge")
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, disk)[2 * radius : -2 * radius, 2 * radius : -2 * radius]
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if count <= 1:
        return None
    largest = 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
    if statistics[largest, cv2.CC_STAT_AREA] < 0.01 * foreground.size:
        return None
    return _fill_from_edges(labels == largest)


def _fill_from_edges(part: Mask) -> Mask:
    """Fill holes, and dark bays that open only to the cut edges of the image (chest wall, top, bottom)."""
    row0, row1, column0, column1 = bounding_box(part)
    inside = part[row0:row1, column0:column1]
    walled = inside.copy()
    depth = max(1, round(inside.shape[1] * 0.05))
    left = chest_wall_side(part) == "left"
    rows = np.flatnonzero((inside[:, :depth] if left else inside[:, -depth:]).any(axis=1))
    walled[rows[0] : rows[-1] + 1, 0 if left else -1] = True
    for edge, reached in ((0, row0 == 0), (-1, row1 == part.shape[0])):
        columns = np.flatnonzero(inside[edge])
        if reached and columns.size:
            walled[edge, columns[0] : columns[-1] + 1] = True
    result = np.zeros_like(part)
    result[row0:row1, column0:column1] = _filled(walled)
    return result


def _filled(part: Mask) -> Mask:
    """Everything that cannot be reached from outside in 4-connected steps."""
    outside = np.pad(part.view(np.uint8), 1)
    cv2.floodFill(outside, None, (0, 0), 2, flags=4)
    return outside[1:-1, 1:-1] != 2
