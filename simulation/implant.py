"""Breast implants told from the pixels: a large, bright, smooth body."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from simulation.filters import block_mean

SEARCH_MM = 0.8
LEAST_SHARE = 0.15
FRONT_MARGIN_MM = 8.0
_BRIGHT = 0.9
_SMOOTH = 0.015
_TEXTURE_MM = 4.0
_OPENING_MM = 10.0


def find_implant(image: NDArray[Any], breast: NDArray[np.bool_], spacing_mm: float) -> NDArray[np.bool_] | None:
    """The implant, or None when there is none.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
        Low-energy image; about 0.4 mm pixels are enough.
    breast : ndarray of bool, same shape
        Without the pectoral muscle, which is bright and smooth as well.
    spacing_mm : float

    Returns
    -------
    ndarray of bool or None
        One connected body of more than 15 % of the breast whose grey values lie in the upper tenth of the breast's
        range and vary by less than 1.5 % of it within 4 mm.
    """
    if not breast.any():
        return None
    step = max(1, round(SEARCH_MM / spacing_mm))
    shape = breast.shape
    image, spacing_mm = block_mean(image, step), spacing_mm * step
    breast = block_mean(breast.astype(np.float32), step) > 0.5
    inside = image[breast]
    low, high = (float(value) for value in np.percentile(inside, (5, 99.5)))
    extent = max(high - low, 1e-6)
    scaled = ((image - low) / extent).astype(np.float32)
    window = 2 * round(_TEXTURE_MM / spacing_mm / 2) + 1
    mean = cv2.blur(scaled, (window, window))
    variance = cv2.blur(scaled * scaled, (window, window)) - mean * mean
    body: NDArray[Any] = ((mean > _BRIGHT) & (variance < _SMOOTH**2) & breast).astype(np.uint8)
    side = 2 * round(_OPENING_MM / spacing_mm / 2) + 1
    body = cv2.morphologyEx(body, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(body, connectivity=4)
    if count <= 1:
        return None
    largest = 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())
    if statistics[largest, cv2.CC_STAT_AREA] <= LEAST_SHARE * int(breast.sum()):
        return None
    found = (labels == largest).repeat(step, 0).repeat(step, 1)[: shape[0], : shape[1]]
    return np.asarray(found, dtype=bool)


def behind_front(implant: NDArray[np.bool_], spacing_mm: float) -> NDArray[np.bool_]:
    """Implant, 8 mm around it and everything between it and the chest wall on the left."""
    side = 2 * int(np.ceil(FRONT_MARGIN_MM / spacing_mm)) + 1
    wide = cv2.dilate(implant.view(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))) > 0
    return np.asarray(np.logical_or.accumulate(wide[:, ::-1], axis=1)[:, ::-1])
