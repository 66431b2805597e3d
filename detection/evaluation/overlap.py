"""Intersection over union of boxes in continuous pixel coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def box_iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Overlap of every box of one group with every box of another.

    Parameters
    ----------
    first : (..., p, 4) float64
        Boxes (x1, y1, x2, y2) in pixels; area (x2 - x1)(y2 - y1), no "+1".
    second : (..., q, 4) float64

    Returns
    -------
    (..., p, q) float64
        Values in [0, 1]; 0 where the union has no area.
    """
    a = first[..., :, None, :]
    b = second[..., None, :, :]
    width = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0])
    height = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1])
    intersection = np.maximum(width, 0) * np.maximum(height, 0)
    union = _area(a) + _area(b) - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    area: NDArray[np.float64] = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    return area
