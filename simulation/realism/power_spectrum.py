"""M1: slope of the power spectrum, P(f) = a / f**beta (Burgess; Chen, Med Phys 2012)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from simulation.filters import frequency_grid

BAND_LP_MM = (0.15, 0.9)


def power_law_slope(patch: NDArray[Any], spacing_mm: float, band: tuple[float, float] = BAND_LP_MM) -> float:
    """Slope beta of the radially averaged power spectrum; larger is smoother, 0 is white noise.

    The mean is taken away and a Hann window applied; the line is fitted to the logarithms, every radial bin with the
    weight of its number of frequencies.

    Parameters
    ----------
    patch : ndarray, shape (rows, columns)
    spacing_mm : float
        Pixel size.
    band : tuple of float
        Lowest and highest frequency of the fit in lp/mm.

    Returns
    -------
    float
        NaN where the band holds fewer than three bins or the patch does not vary.
    """
    plain = np.asarray(patch, dtype=np.float64)
    rows, columns = plain.shape
    if plain.std() == 0:
        return float("nan")
    window = np.hanning(rows)[:, None] * np.hanning(columns)[None, :]
    centred = plain - (plain * window).sum() / window.sum()
    power = np.abs(fft.rfft2(centred * window, workers=1)) ** 2
    frequency = frequency_grid((rows, columns), spacing_mm).astype(np.float64)
    width = 1 / (spacing_mm * max(rows, columns))
    bins = np.floor(frequency / width).astype(int)
    inside = (frequency >= band[0]) & (frequency <= band[1])
    used = np.unique(bins[inside])
    if len(used) < 3:
        return float("nan")
    count = ndimage.sum_labels(inside, bins, used)
    mean_power = ndimage.sum_labels(np.where(inside, power, 0), bins, used) / count
    mean_frequency = ndimage.sum_labels(np.where(inside, frequency, 0), bins, used) / count
    slope = np.polyfit(np.log(mean_frequency), np.log(np.maximum(mean_power, 1e-30)), 1, w=np.sqrt(count))[0]
    return -float(slope)
