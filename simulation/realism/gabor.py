"""M6: kurtosis of Gabor responses: tells Gaussian textures from tissue of equal power spectrum (Abbey, JMI 2019)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.signal import fftconvolve
from skimage.filters import gabor_kernel

FREQUENCIES_LP_MM = (0.25, 0.5, 1.0)
ORIENTATIONS = 4


def response_kurtosis(patch: NDArray[Any], spacing_mm: float, use: NDArray[np.bool_] | None = None) -> list[float]:
    """Excess kurtosis of the real Gabor responses at each frequency, mean over orientations.

    Gaussian textures have 0 at every frequency; tissue has long tails.

    Parameters
    ----------
    patch : ndarray, shape (rows, columns)
    spacing_mm : float
    use : ndarray of bool, same shape, optional
        Where responses count; everywhere when None.

    Returns
    -------
    list of float
        One for each of `FREQUENCIES_LP_MM`; NaN where fewer than 50 responses count or they do not vary.
    """
    plain = np.asarray(patch, dtype=np.float64)
    plain = plain - plain.mean()
    where = np.ones(plain.shape, bool) if use is None else use
    result = []
    for frequency in FREQUENCIES_LP_MM:
        values = []
        for turn in range(ORIENTATIONS):
            kernel = np.real(gabor_kernel(frequency * spacing_mm, theta=np.pi * turn / ORIENTATIONS, bandwidth=1))
            kernel = kernel - kernel.mean()
            response = _filtered(plain, kernel)[where]
            if response.size < 50 or response.std() < 1e-9:
                values.append(np.nan)
            else:
                values.append(float(stats.kurtosis(response)))
        result.append(float(np.mean(values)))
    return result


def _filtered(image: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns = kernel.shape[0] // 2, kernel.shape[1] // 2
    padded = np.pad(image, ((rows, rows), (columns, columns)), mode="symmetric")
    return np.asarray(fftconvolve(padded, kernel, mode="valid"), dtype=np.float64)
