"""16 features of a matrix of grey level x size: shared by run lengths, zone sizes and dependences.

Names of the features with "size" for run, zone or dependence, in the order of the results: small-size emphasis,
large-size emphasis, grey-level non-uniformity, the same normalised, size non-uniformity, the same normalised,
percentage, grey-level variance, size variance, entropy, low and high grey-level emphasis, small-size low and high
grey-level emphasis, large-size low and high grey-level emphasis.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulation.texture.compilation import compiled

FEATURES = 16


def size_features(counts: NDArray[np.int64], grey: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Features averaged over matrices.

    Parameters
    ----------
    counts : ndarray of int, shape (matrices, present levels, sizes)
    grey : ndarray of int64, shape (present levels,)
    sizes : ndarray of int64, shape (sizes,)

    Returns
    -------
    ndarray of float64, shape (16,)
    """
    return np.mean([_plain(matrix, grey.astype(np.float64), sizes.astype(np.float64)) for matrix in counts], axis=0)


def _plain(counts: NDArray[np.int64], grey: NDArray[np.float64], sizes: NDArray[np.float64]) -> list[float]:
    total = counts.sum()
    share = counts / total
    of_grey, of_size = share.sum(axis=1), share.sum(axis=0)
    mean_grey, mean_size = of_grey @ grey, of_size @ sizes
    occurring = share[share > 0]
    grey_2, size_2 = grey**2, sizes**2
    return [
        (of_size / size_2).sum(),
        of_size @ size_2,
        (of_grey**2).sum() * total,
        (of_grey**2).sum(),
        (of_size**2).sum() * total,
        (of_size**2).sum(),
        1 / mean_size,
        of_grey @ (grey - mean_grey) ** 2,
        of_size @ (sizes - mean_size) ** 2,
        -(occurring * np.log2(occurring)).sum(),
        (of_grey / grey_2).sum(),
        of_grey @ grey_2,
        (1 / grey_2) @ share @ (1 / size_2),
        grey_2 @ share @ (1 / size_2),
        (1 / grey_2) @ share @ size_2,
        grey_2 @ share @ size_2,
    ]


@compiled
def _add_features(
    counts: NDArray[np.int32],
    grey: NDArray[np.int64],
    sizes: NDArray[np.int64],
    logarithms: NDArray[np.float64],
    weight: float,
    out: NDArray[np.float64],
) -> None:
    levels, columns = counts.shape
    of_size = np.zeros(columns, np.int64)
    square = np.empty(columns)
    inverse = np.empty(columns)
    for column in range(columns):
        square[column] = float(sizes[column]) * sizes[column]
        inverse[column] = 1.0 / square[column]
    total, grey_sum, grey_squares = 0, 0, 0.0
    logs, low, high = 0.0, 0.0, 0.0
    small, large, small_low, small_high, large_low, large_high = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    of_grey = np.zeros(levels, np.int64)
    for level in range(levels):
        row_total, row_small, row_large = 0, 0.0, 0.0
        for column in range(columns):
            count = counts[level, column]
            if count > 0:
                of_size[column] += count
                row_total += count
                logs += logarithms[np.uint32(count)]
                row_small += count * inverse[column]
                row_large += count * square[column]
        of_grey[level] = row_total
        total += row_total
        grey_sum += row_total * grey[level]
        grey_squares += float(row_total) * row_total
        level_2 = float(grey[level]) * grey[level]
        low += row_total / level_2
        high += row_total * level_2
        small += row_small
        large += row_large
        small_low += row_small / level_2
        small_high += row_small * level_2
        large_low += row_large / level_2
        large_high += row_large * level_2
    size_sum, size_squares = 0, 0.0
    for column in range(columns):
        size_sum += of_size[column] * sizes[column]
        size_squares += float(of_size[column]) * of_size[column]
    grey_mean, size_mean = grey_sum / total, size_sum / total
    grey_variance, size_variance = 0.0, 0.0
    for level in range(levels):
        grey_variance += of_grey[level] * (grey[level] - grey_mean) ** 2
    for column in range(columns):
        size_variance += of_size[column] * (sizes[column] - size_mean) ** 2
    scale = weight / total
    out[0] += scale * small
    out[1] += scale * large
    out[2] += scale * grey_squares
    out[3] += scale * grey_squares / total
    out[4] += scale * size_squares
    out[5] += scale * size_squares / total
    out[6] += weight * total / size_sum
    out[7] += scale * grey_variance
    out[8] += scale * size_variance
    out[9] += weight * np.log2(total) - scale * logs
    out[10] += scale * low
    out[11] += scale * high
    out[12] += scale * small_low
    out[13] += scale * small_high
    out[14] += scale * large_low
    out[15] += scale * large_high


@compiled
def size_features_compiled(
    counts: NDArray[np.int32],
    grey: NDArray[np.int64],
    sizes: NDArray[np.int64],
    logarithms: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """`size_features`, written to `out`, shape (16,)."""
    out[:] = 0.0
    for index in range(counts.shape[0]):
        _add_features(counts[index], grey, sizes, logarithms, 1.0 / counts.shape[0], out)
