"""The lesion outline of a cluster: hull, corner cutting, enlargement, dilation (S000, section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from imaging.contours import polygons_to_mask


@dataclass(frozen=True, eq=False)
class LesionMask:
    """Mask around every calcification.

    Attributes
    ----------
    mask : ndarray of bool, shape (rows, columns)
    enlargement : float
        Factor about the centroid that was needed so that no calcification is cut.
    area_mm2 : float
    clipped : float
        Of the outline, beyond the breast or the image and left out.
    """

    mask: NDArray[np.bool_]
    enlargement: float
    area_mm2: float
    clipped: float


def lesion_mask(
    support: NDArray[np.bool_],
    *,
    spacing_mm: float,
    breast: NDArray[np.bool_] | None = None,
    enlargement: float = 1.15,
    dilation_mm: float = 1.0,
    rounds: int = 3,
) -> LesionMask:
    """Outline a cluster as S000 does: convex hull, Chaikin-like smoothing and enlargement, dilation.

    The hull is that of the corners of all pixels, so that a single calcification or several in one line have a hull
    as well; after the dilation theirs is a capsule.

    Parameters
    ----------
    support : ndarray of bool, shape (rows, columns)
        Pixels that belong to calcifications.
    spacing_mm : float
        Pixel size.
    breast : ndarray of bool, optional
        The result is clipped to it, but never cuts a calcification.
    enlargement : float
        First factor about the centroid; raised until all of `support` is inside.
    dilation_mm : float
        Radius of the disc of the last dilation, at least one pixel.
    rounds : int
        Corner-cutting rounds.

    Raises
    ------
    ValueError
        If `support` is empty.
    """
    left, top, width, height = cv2.boundingRect(support.view(np.uint8))
    if width == 0:
        raise ValueError("no calcification pixels to outline")
    rows, columns = np.nonzero(support[top : top + height, left : left + width])
    rows, columns = rows + top, columns + left
    corners = np.concatenate([np.stack([columns + dx, rows + dy], 1) for dx in (0, 1) for dy in (0, 1)])
    hull = corners[ConvexHull(corners).vertices].astype(float)
    smooth = chaikin(hull, rounds)
    centroid = smooth.mean(0)
    factor = enlargement
    radius = max(dilation_mm / spacing_mm, 1.0)
    while True:
        polygon = centroid + factor * (smooth - centroid)
        # only the surroundings of the cluster are worked on; the filled shape may leave the image and is cut there
        (top, left), shape = _surroundings(np.concatenate([polygon, corners]), radius)
        whole = _dilate(polygons_to_mask([polygon - (left, top)], shape), radius)
        window = (
            slice(max(top, 0), min(top + shape[0], support.shape[0])),
            slice(max(left, 0), min(left + shape[1], support.shape[1])),
        )
        grown = whole[window[0].start - top : window[0].stop - top, window[1].start - left : window[1].stop - left]
        if breast is not None:
            grown = grown & (breast[window] | support[window])
        if bool(grown[support[window]].all()):
            break
        factor *= 1.05
    mask = np.zeros(support.shape, bool)
    mask[window] = grown
    lost = 1 - float(grown.sum()) / float(whole.sum())
    return LesionMask(mask, factor, float(grown.sum()) * spacing_mm**2, lost)


def chaikin(points: NDArray[Any], rounds: int) -> NDArray[np.float64]:
    """Chaikin corner cutting (1/4, 3/4) of a closed polygon.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Vertices, first one not repeated.
    rounds : int
        Each round doubles the number of vertices.
    """
    current = np.asarray(points, dtype=np.float64)
    for _ in range(rounds):
        following = np.roll(current, -1, axis=0)
        cut = np.stack([0.75 * current + 0.25 * following, 0.25 * current + 0.75 * following], axis=1)
        current = cut.reshape(-1, 2)
    return current


def _surroundings(points: NDArray[Any], radius: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """First (row, column) and (rows, columns) of a box around points (x, y), with room for the dilation."""
    left, top = (int(np.floor(value)) for value in points.min(0) - radius - 1)
    right, bottom = (int(np.ceil(value)) for value in points.max(0) + radius + 1)
    return (top, left), (bottom - top, right - left)


def _dilate(mask: NDArray[np.bool_], radius_px: float) -> NDArray[np.bool_]:
    distance = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance <= radius_px, dtype=bool)
