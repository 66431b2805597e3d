"""18 first-order features of a cell (pyradiomics ``firstorder``)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulation.texture.compilation import compiled

NAMES: tuple[str, ...] = (
    "10Percentile",
    "90Percentile",
    "Energy",
    "Entropy",
    "InterquartileRange",
    "Kurtosis",
    "Maximum",
    "MeanAbsoluteDeviation",
    "Mean",
    "Median",
    "Minimum",
    "Range",
    "RobustMeanAbsoluteDeviation",
    "RootMeanSquared",
    "Skewness",
    "TotalEnergy",
    "Uniformity",
    "Variance",
)


def first_order(values: NDArray[np.float64], level_counts: NDArray[np.int64], pixel_area: float) -> NDArray[np.float64]:
    """Features of a cell of any values.

    Parameters
    ----------
    values : ndarray of float64
        Grey values of the cell, any shape.
    level_counts : ndarray of int64, shape (present,)
        Pixels of each grey level.
    pixel_area : float
        Product of the pixel spacing; scales the total energy (the third side of the voxel is 1).

    Returns
    -------
    ndarray of float64, shape (18,)
        In the order of `NAMES`. Kurtosis is not an excess.
    """
    values = values.ravel()
    p10, p25, p50, p75, p90 = np.percentile(values, (10, 25, 50, 75, 90))
    mean = values.mean()
    centred = values - mean
    second, third, fourth = ((centred**power).mean() for power in (2, 3, 4))
    safe = second if second != 0 else 1.0
    middle = values[(values >= p10) & (values <= p90)]
    energy = (values**2).sum()
    share = level_counts / values.size
    return np.array(
        [
            p10,
            p90,
            energy,
            -(share * np.log2(share)).sum(),
            p75 - p25,
            fourth / safe**2,
            values.max(),
            np.abs(centred).mean(),
            mean,
            p50,
            values.min(),
            values.max() - values.min(),
            np.abs(middle - middle.mean()).mean(),
            np.sqrt(energy / values.size),
            third / safe**1.5,
            energy * pixel_area,
            (share**2).sum(),
            second,
        ]
    )


@compiled
def _percentile(below: NDArray[np.int64], minimum: int, percent: float) -> float:
    """Linear percentile of whole numbers from the number of pixels up to each value."""
    last = below[below.size - 1] - 1
    rank = percent / 100.0 * last
    lower = int(rank)
    low = minimum + np.searchsorted(below, lower, side="right")
    high = minimum + np.searchsorted(below, min(lower + 1, last), side="right")
    return low + (high - low) * (rank - lower)


@compiled
def first_order_of_counts(
    value_counts: NDArray[np.int64],
    minimum: int,
    level_counts: NDArray[np.int64],
    pixel_area: float,
    logarithms: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """`first_order` from the pixels of each whole value; written to `out`, shape (18,)."""
    below = np.cumsum(value_counts)
    pixels = below[below.size - 1]
    total = 0
    energy = 0.0
    for offset in range(value_counts.size):
        value = minimum + offset
        total += value_counts[offset] * value
        energy += float(value_counts[offset]) * value * value
    mean = total / pixels
    second, third, fourth, absolute = 0.0, 0.0, 0.0, 0.0
    for offset in range(value_counts.size):
        distance = minimum + offset - mean
        weighted = value_counts[offset] * distance
        absolute += abs(weighted)
        second += weighted * distance
        third += weighted * distance * distance
        fourth += weighted * distance * distance * distance
    second /= pixels
    safe = second if second != 0 else 1.0
    p10 = _percentile(below, minimum, 10.0)
    p90 = _percentile(below, minimum, 90.0)
    middle_pixels, middle_total = 0, 0
    for offset in range(value_counts.size):
        value = minimum + offset
        if p10 <= value <= p90:
            middle_pixels += value_counts[offset]
            middle_total += value_counts[offset] * value
    middle_mean = middle_total / middle_pixels
    robust = 0.0
    for offset in range(value_counts.size):
        value = minimum + offset
        if p10 <= value <= p90:
            robust += value_counts[offset] * abs(value - middle_mean)
    logs, squares = 0.0, 0.0
    for level in range(level_counts.size):
        logs += logarithms[level_counts[level]]
        squares += float(level_counts[level]) * level_counts[level]
    maximum = minimum + value_counts.size - 1
    out[0] = p10
    out[1] = p90
    out[2] = energy
    out[3] = np.log2(pixels) - logs / pixels
    out[4] = _percentile(below, minimum, 75.0) - _percentile(below, minimum, 25.0)
    out[5] = fourth / pixels / safe**2
    out[6] = maximum
    out[7] = absolute / pixels
    out[8] = mean
    out[9] = _percentile(below, minimum, 50.0)
    out[10] = minimum
    out[11] = maximum - minimum
    out[12] = robust / middle_pixels
    out[13] = np.sqrt(energy / pixels)
    out[14] = third / pixels / safe**1.5
    out[15] = energy * pixel_area
    out[16] = squares / pixels / pixels
    out[17] = second
