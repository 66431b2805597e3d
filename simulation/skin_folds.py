"""Skin folds: thin, long, bright ridges that run out at the border of the breast or of the picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.pair import ViewPosition
from simulation.filters import block_mean

SEARCH_MM = 1.6
MARGIN_MM = 3.0
_LINE_MM = 15.0
_FLANK_MM = 4.5
_DIRECTIONS = 8
_LEAST_PROMINENCE = 0.12
_LEAST_LENGTH_MM = 25.0
_WIDEST_MM = 6.0
_BORDER_MM = 12.0
_SKIN_MM = 5.0
# Parts of the breast's height in which folds are looked for.
_AXILLA = 0.40
_END = 1 / 6


def skin_folds(
    image: NDArray[Any], breast: NDArray[np.bool_], view: ViewPosition, spacing_mm: float
) -> NDArray[np.bool_]:
    """Folds with 3 mm around them.

    Straight pieces of 15 mm that are brighter than both flanks at 4.5 mm by a tenth of the breast's range of grey
    values, joined to lines of at least 25 mm that are at most 6 mm wide on average and reach within 12 mm of the skin
    or of the upper or lower edge of the picture. They are looked for where the breast folds: in the axilla (upper 40 %
    of an oblique view) and in the upper and lower sixth of every view.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
        Low-energy image, chest wall on the left.
    breast : ndarray of bool, same shape
    view : {"CC", "MLO"}
    spacing_mm : float
    """
    step = max(1, round(SEARCH_MM / spacing_mm))
    size = spacing_mm * step
    small = block_mean(image, step)
    inside = block_mean(breast.astype(np.float32), step) > 0.99
    if not inside.any():
        return np.zeros(breast.shape, bool)
    low, high = np.percentile(small[inside], (5, 99))
    prominence = _prominence(small, size) / np.float32(max(high - low, 1e-6))
    # beyond the edges of the picture the breast goes on
    reach = 2 * round(_BORDER_MM / size)
    padded = cv2.copyMakeBorder(inside.view(np.uint8), reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[reach:-reach, reach:-reach] * size
    tissue = inside & (depth > _SKIN_MM)
    rows = np.flatnonzero(inside.any(1))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    upper = _AXILLA if view == "MLO" else _END
    tissue[top + round(upper * (bottom - top)) : bottom - round(_END * (bottom - top))] = False
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(
        (tissue & (prominence > _LEAST_PROMINENCE)).astype(np.uint8), connectivity=8
    )
    near = depth < _BORDER_MM
    near[: round(_BORDER_MM / size)] = near[-round(_BORDER_MM / size) :] = True
    at_border = set(np.unique(labels[near & tissue]).tolist())
    folds = np.zeros(small.shape, np.uint8)
    for label in range(1, count):
        _, _, width, tall, area = (int(value) for value in statistics[label])
        length = float(np.hypot(width, tall)) * size
        if length >= _LEAST_LENGTH_MM and area * size**2 / length <= _WIDEST_MM and label in at_border:
            folds[labels == label] = 1
    side = 2 * int(np.ceil(MARGIN_MM / size)) + 1
    wide = cv2.dilate(folds, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    enlarged = wide.repeat(step, 0).repeat(step, 1)[: breast.shape[0], : breast.shape[1]]
    return np.asarray(enlarged > 0)


def _prominence(image: NDArray[Any], size: float) -> NDArray[Any]:
    """Height of the best line through each pixel above the brighter of its two flanks."""
    half = round(_LINE_MM / size / 2)
    flank = _FLANK_MM / size
    reach = int(np.ceil(flank))
    rows, columns = image.shape
    best = np.full(image.shape, -np.inf, np.float32)
    for direction in range(_DIRECTIONS):
        angle = np.pi * direction / _DIRECTIONS
        kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
        for position in range(-half, half + 1):
            kernel[half + round(position * np.sin(angle)), half + round(position * np.cos(angle))] += 1
        line = cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
        wide = cv2.copyMakeBorder(line, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
        across, down = round(-flank * np.sin(angle)), round(flank * np.cos(angle))
        flanks = [
            wide[reach + way * down : reach + way * down + rows, reach + way * across : reach + way * across + columns]
            for way in (1, -1)
        ]
        best = np.maximum(best, line - np.maximum(*flanks))
    return best
