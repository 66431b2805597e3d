"""Smoothing and detector blur shared by the phantom and the insertion."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Image = NDArray[np.float32]


def smooth(image: NDArray[Any], sigma_px: float) -> Image:
    """Gaussian smoothing; wide kernels run on a block-averaged copy.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
    sigma_px : float
        Standard deviation in pixels.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
    """
    step = int(sigma_px // 4)
    plain = image.astype(np.float32, copy=False)
    if step < 2:
        return np.asarray(ndimage.gaussian_filter(plain, sigma_px, mode="nearest"), dtype=np.float32)
    coarse = ndimage.gaussian_filter(block_mean(plain, step), sigma_px / step, mode="nearest")
    return enlarge(coarse, image.shape, step)


def block_mean(image: Image, step: int) -> Image:
    """Mean over step x step blocks; the last rows and columns are repeated to fill the last block."""
    rows, columns = image.shape
    padded = np.pad(image, ((0, -rows % step), (0, -columns % step)), mode="edge")
    shape = (padded.shape[0] // step, step, padded.shape[1] // step, step)
    return np.asarray(padded.reshape(shape).mean((1, 3)), dtype=np.float32)


def enlarge(coarse: NDArray[Any], shape: tuple[int, ...], step: int) -> Image:
    """Linear interpolation of a block-averaged image back to `shape` (block centres stay where they were)."""
    result = coarse.astype(np.float32, copy=False)
    for axis in (0, 1):
        position = np.clip((np.arange(shape[axis]) + 0.5) / step - 0.5, 0, result.shape[axis] - 1)
        low = np.minimum(position.astype(int), max(result.shape[axis] - 2, 0))
        high = np.minimum(low + 1, result.shape[axis] - 1)
        weight = (position - low).astype(np.float32)
        weight = weight[:, None] if axis == 0 else weight[None, :]
        result = np.take(result, low, axis) * (1 - weight) + np.take(result, high, axis) * weight
    return np.asarray(result, dtype=np.float32)


def frequency_grid(shape: tuple[int, int], spacing_mm: float) -> Image:
    """Radial spatial frequency in lp/mm on the grid of `scipy.fft.rfft2`, float32."""
    rows = fft.fftfreq(shape[0], spacing_mm).astype(np.float32)[:, None]
    columns = fft.rfftfreq(shape[1], spacing_mm).astype(np.float32)[None, :]
    return np.asarray(np.sqrt(rows * rows + columns * columns), dtype=np.float32)


def transfer(image: NDArray[Any], response: NDArray[Any]) -> Image:
    """Multiply the spectrum of an image by a response on the `rfft2` grid (periodic boundary)."""
    rows, columns = image.shape
    spectrum = fft.rfft2(image.astype(np.float32, copy=False), workers=1)
    return np.asarray(fft.irfft2(spectrum * response, s=(rows, columns), workers=1), dtype=np.float32)
