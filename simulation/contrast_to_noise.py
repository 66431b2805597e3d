"""How visible one calcification is: its height over the noise and fine texture around it.

The same measure serves real calcifications (targets of the calibration `match`) and inserted ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from simulation.errors import InvalidSettings

CORE_MM = 0.15
RING_MM = (0.8, 1.6)
# Structures wider than this do not hide a calcification and are taken out before the noise is measured.
DETAIL_MM = 1.5


def contrast_to_noise(image: NDArray[Any], x: float, y: float, spacing_mm: float) -> float:
    """Contrast-to-noise ratio of a spot.

    Mean within 0.15 mm of the place (at least the pixel and its four neighbours), minus the median of the ring of 0.8
    to 1.6 mm, over the robust standard deviation in the ring of what remains when the mean over 1.5 mm is taken off.
    A mean at a given place, not the brightest pixel near it, so that noise alone has the ratio 0.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        Low-energy grey values.
    x, y : float
        Place in continuous pixels.
    spacing_mm : float

    Raises
    ------
    ValueError
        If the surroundings reach beyond the image.
    """
    half = window_half(spacing_mm)
    row, column = int(y) - half, int(x) - half
    size = 2 * half + 1
    if row < 0 or column < 0 or row + size > image.shape[0] or column + size > image.shape[1]:
        raise ValueError("the surroundings of the calcification reach beyond the image")
    window = image[row : row + size, column : column + size].astype(np.float32)
    return float(contrasts_to_noise(window[None], spacing_mm)[0])


def contrasts_to_noise(windows: NDArray[np.float32], spacing_mm: float) -> NDArray[np.float64]:
    """`contrast_to_noise` at the centres of many windows of side 2 x `window_half` + 1; shape (windows,)."""
    core, ring = _discs(spacing_mm)
    values = detail(windows, spacing_mm)[:, ring]
    noise = 1.4826 * np.median(np.abs(values - np.median(values, axis=1, keepdims=True)), axis=1)
    height = windows[:, core].mean(1) - np.median(windows[:, ring], axis=1)
    return np.asarray(height / np.maximum(noise, 0.5), dtype=np.float64)


def typical_contrast_to_noise(values: Sequence[float]) -> float:
    """Median of the ratios measured on real calcifications of a site: the target of the calibration `match`.

    Raises
    ------
    InvalidSettings
        If there are fewer than ten values, one is not finite, or the median is not above 0.
    """
    if len(values) < 10:
        raise InvalidSettings(f"{len(values)} measured calcifications; at least 10 are needed to match them")
    median = float(np.median(values))
    if not np.isfinite(values).all() or median <= 0:
        raise InvalidSettings("contrast-to-noise ratios must be finite numbers with a median above 0")
    return median


def local_noise(patch: NDArray[Any], spacing_mm: float, where: NDArray[np.bool_] | None = None) -> float:
    """Robust standard deviation of noise and fine texture in a patch (inside `where`), at least half a grey value."""
    fine = detail(patch.astype(np.float32)[None], spacing_mm)[0]
    values = fine.ravel() if where is None else fine[where]
    return max(0.5, 1.4826 * float(np.median(np.abs(values - np.median(values)))))


def detail(images: NDArray[np.float32], spacing_mm: float) -> NDArray[np.float32]:
    """What remains of images, shape (images, rows, columns), without their mean over squares of 1.5 mm."""
    side = max(5, 2 * round(DETAIL_MM / spacing_mm / 2) + 1)
    return np.asarray(images - ndimage.uniform_filter(images, (1, side, side)), dtype=np.float32)


def window_half(spacing_mm: float) -> int:
    """Pixels from the centre of a window to its border."""
    return int(np.ceil(_radii(spacing_mm)[2])) + max(2, round(DETAIL_MM / spacing_mm / 2))


def _radii(spacing_mm: float) -> tuple[float, float, float]:
    # coarse pixels: at least the next pixels around the centre, then a ring of at least two
    core = max(CORE_MM / spacing_mm, 1.0)
    inner = max(RING_MM[0] / spacing_mm, core + 2)
    return core, inner, max(RING_MM[1] / spacing_mm, inner + 2)


def _discs(spacing_mm: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    half = window_half(spacing_mm)
    core, inner, outer = _radii(spacing_mm)
    y, x = np.ogrid[-half : half + 1, -half : half + 1]
    distance = np.hypot(x, y)
    return distance <= core, (distance >= inner) & (distance <= outer)
