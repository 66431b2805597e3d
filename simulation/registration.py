"""How far the recombined image is shifted against the low-energy image.

The two show other things, so grey values and even the sign of edges differ. What they share is the direction in which
structures run: the doubled angle of the gradient, which is blind to sign, is correlated inside the breast, away from
the skin, whose steep roll-off looks shifted where it is not. Whitening the spectrum by its square root makes the
peak narrow (phase correlation: Kuglin and Hines 1975; doubled angles: structure tensor).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

_SKIN_MM = 4.0
_FADE_MM = 5.0
_REACH_MM = 12.0
_WHITENING = 0.5
# A second peak almost as high as the first one means that chance decided.
_HIGHEST_RIVAL = 0.7
_APART_PX = 6


@dataclass(frozen=True)
class Shift:
    """Result of `measure_shift`.

    Attributes
    ----------
    x, y : float
        Of the recombined image against the low-energy image, in pixels of the given images, to the right and down.
    rival : float
        Second highest peak of the correlation by the highest one.
    """

    x: float
    y: float
    rival: float

    @property
    def certain(self) -> bool:
        """Whether one peak stands out clearly."""
        return self.rival < _HIGHEST_RIVAL

    @property
    def distance(self) -> float:
        """In pixels of the given images."""
        return float(np.hypot(self.x, self.y))


def measure_shift(
    low_energy: NDArray[Any], recombined: NDArray[Any], breast: NDArray[np.bool_], spacing_mm: float
) -> Shift:
    """Shift that brings the structures of two images over each other, with sub-pixel precision.

    Parameters
    ----------
    low_energy, recombined : ndarray of float32, shape (rows, columns)
    breast : ndarray of bool, same shape
    spacing_mm : float
    """
    rows, columns = np.flatnonzero(breast.any(1)), np.flatnonzero(breast.any(0))
    part = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    depth = cv2.distanceTransform(breast[part].view(np.uint8), cv2.DIST_L2, 3)
    weight = np.clip((depth * spacing_mm - _SKIN_MM) / _FADE_MM, 0, 1)
    first, second = _directions(low_energy[part]) * weight, _directions(recombined[part]) * weight
    reach = min(max(2, round(_REACH_MM / spacing_mm)), (min(first.shape) - 1) // 2)
    if reach < 2:
        return Shift(0.0, 0.0, 1.0)
    size = [fft.next_fast_len(side + reach) for side in first.shape]
    product = np.conj(fft.fft2(first, size, workers=1)) * fft.fft2(second, size, workers=1)
    amplitude = np.abs(product)
    if not amplitude.max() > 0:
        return Shift(0.0, 0.0, 1.0)
    product /= np.maximum(amplitude, 1e-6 * amplitude.max()) ** _WHITENING
    peaks = np.roll(fft.ifft2(product, workers=1).real, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    row, column = (int(index) for index in np.unravel_index(int(peaks.argmax()), peaks.shape))
    y, x = np.ogrid[: peaks.shape[0], : peaks.shape[1]]
    others = peaks[(y - row) ** 2 + (x - column) ** 2 > _APART_PX**2]
    rival = float(max(others.max(), 0) / peaks[row, column]) if others.size else 1.0
    return Shift(
        column - reach + _between(peaks[row], column),
        row - reach + _between(peaks[:, column], row),
        rival,
    )


def _directions(image: NDArray[Any]) -> NDArray[np.complex64]:
    """Doubled angle of the gradient, with the root of its length."""
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0)
    right, down = (cv2.Sobel(smooth, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    gradient = right + np.complex64(1j) * down
    length = np.abs(gradient)
    # lengths below a thousandth of the usual one carry no direction
    floor = max(1e-3 * float(length.mean()), 1e-12)
    return np.asarray(gradient * gradient / np.maximum(length, floor) ** 1.5, dtype=np.complex64)


def _between(values: NDArray[Any], at: int) -> float:
    """Top of the parabola through three neighbouring values, relative to the middle one."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, middle, after = (float(value) for value in values[at - 1 : at + 2])
    curvature = before - 2 * middle + after
    return 0.5 * (before - after) / curvature if curvature < 0 else 0.0
