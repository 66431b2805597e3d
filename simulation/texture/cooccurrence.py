"""24 grey-level co-occurrence features of a cell (pyradiomics ``glcm``), averaged over four directions.

The matrices are symmetric, so that sums over them follow from the counts of grey-level sums and differences.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulation.texture.compilation import compiled

NAMES: tuple[str, ...] = (
    "Autocorrelation",
    "JointAverage",
    "ClusterProminence",
    "ClusterShade",
    "ClusterTendency",
    "Contrast",
    "Correlation",
    "DifferenceAverage",
    "DifferenceEntropy",
    "DifferenceVariance",
    "JointEnergy",
    "JointEntropy",
    "Imc1",
    "Imc2",
    "Idm",
    "MCC",
    "Idmn",
    "Id",
    "Idn",
    "InverseVariance",
    "MaximumProbability",
    "SumAverage",
    "SumEntropy",
    "SumSquares",
)
MCC = NAMES.index("MCC")


def pair_counts(levels: NDArray[np.uint16], present: int) -> NDArray[np.int64]:
    """Pairs of neighbouring levels, counted both ways.

    Parameters
    ----------
    levels : ndarray of uint16, shape (height, width)
    present : int
        Number of levels.

    Returns
    -------
    ndarray of int64, shape (4, present, present)
        To the right, down, down to the right and down to the left; each matrix is symmetric.
    """
    pairs = (
        (levels[:, :-1], levels[:, 1:]),
        (levels[:-1], levels[1:]),
        (levels[:-1, :-1], levels[1:, 1:]),
        (levels[:-1, 1:], levels[1:, :-1]),
    )
    counts = np.stack(
        [
            np.bincount((one * np.int64(present) + two).ravel(), minlength=present**2).reshape(present, present)
            for one, two in pairs
        ]
    )
    return np.asarray(counts + counts.transpose(0, 2, 1))


def cooccurrence(counts: NDArray[np.int64], grey: NDArray[np.int64]) -> NDArray[np.float64]:
    """Features of the pair counts.

    Parameters
    ----------
    counts : ndarray of int64, shape (4, present, present)
        From `pair_counts`.
    grey : ndarray of int64, shape (present,)

    Returns
    -------
    ndarray of float64, shape (24,)
        In the order of `NAMES`; the maximal correlation coefficient ("MCC") is left 0.
    """
    return np.mean([_of_direction(matrix / matrix.sum(), grey) for matrix in counts], axis=0)


def _entropy(share: NDArray[Any]) -> float:
    occurring = share[share > 0]
    return float(-(occurring * np.log2(occurring)).sum())


def _of_direction(share: NDArray[np.float64], grey: NDArray[np.int64]) -> list[Any]:
    highest = int(grey[-1])
    tone = grey.astype(np.float64)
    marginal = share.sum(axis=1)
    mean = marginal @ tone
    variance = marginal @ (tone - mean) ** 2
    covariance = (tone - mean) @ share @ (tone - mean)
    sums = np.bincount((grey[:, None] + grey).ravel(), weights=share.ravel())
    differences = np.bincount(np.abs(grey[:, None] - grey).ravel(), weights=share.ravel(), minlength=highest)
    total, step = np.arange(len(sums)), np.arange(len(differences))
    joint, single = _entropy(share), _entropy(marginal)
    difference_mean = differences @ step
    varies = np.count_nonzero(marginal) > 1
    return [
        tone @ share @ tone,
        mean,
        sums @ (total - 2 * mean) ** 4,
        sums @ (total - 2 * mean) ** 3,
        sums @ (total - 2 * mean) ** 2,
        differences @ step**2,
        covariance / variance if varies else 1.0,
        difference_mean,
        _entropy(differences),
        differences @ (step - difference_mean) ** 2,
        (share**2).sum(),
        joint,
        (joint - 2 * single) / single if varies else 0.0,
        # the entropies are in bits and the exponential is natural, as in pyradiomics
        np.sqrt(max(1 - np.exp(-2 * (2 * single - joint)), 0.0)) if varies else 0.0,
        (differences / (1 + step**2)).sum(),
        0.0,
        (differences / (1 + step**2 / highest**2)).sum(),
        (differences / (1 + step)).sum(),
        (differences / (1 + step / highest)).sum(),
        (differences[1:] / step[1:] ** 2).sum(),
        share.max(),
        sums @ total,
        _entropy(sums),
        variance,
    ]


@compiled
def pair_counts_compiled(levels: NDArray[np.uint16], present: int) -> NDArray[np.int32]:
    """`pair_counts`."""
    height, width = levels.shape
    counts = np.zeros((4, present, present), np.int32)
    right, down, down_right, down_left = counts[0], counts[1], counts[2], counts[3]
    for y in range(height - 1):
        row, below = levels[y], levels[y + 1]
        for x in range(width - 1):
            here, beside, under, across = row[x], row[x + 1], below[x], below[x + 1]
            right[here, beside] += 1
            down[here, under] += 1
            down_right[here, across] += 1
            down_left[beside, under] += 1
        down[row[width - 1], below[width - 1]] += 1
    last = levels[height - 1]
    for x in range(width - 1):
        right[last[x], last[x + 1]] += 1
    for direction in range(4):
        matrix = counts[direction]
        for i in range(present):
            matrix[i, i] *= 2
            for j in range(i):
                both = matrix[i, j] + matrix[j, i]
                matrix[i, j] = both
                matrix[j, i] = both
    return counts


@compiled
def _add_features(
    counts: NDArray[np.int32],
    grey: NDArray[np.int64],
    logarithms: NDArray[np.float64],
    sums: NDArray[np.int64],
    differences: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    present = grey.size
    highest = grey[present - 1]
    sums[:] = 0
    differences[:] = 0
    total, tone_sum, levels_seen, largest = 0, 0, 0, 0
    squares, joint_logs, single_logs = 0.0, 0.0, 0.0
    for i in range(present):
        row = 0
        for j in range(i):
            count = counts[i, j]
            if count > 0:
                row += count
                largest = max(largest, count)
                squares += 2.0 * count * count
                joint_logs += 2.0 * logarithms[np.uint32(count)]
                sums[grey[i] + grey[j]] += 2 * count
                differences[grey[i] - grey[j]] += 2 * count
        count = counts[i, i]
        row += count
        largest = max(largest, count)
        squares += float(count) * count
        joint_logs += logarithms[np.uint32(count)]
        sums[2 * grey[i]] += count
        differences[0] += count
        for j in range(i + 1, present):
            row += counts[i, j]
        total += row
        tone_sum += row * grey[i]
        single_logs += logarithms[row]
        if row > 0:
            levels_seen += 1
    mean = tone_sum / total
    second, third, fourth, sum_logs = 0.0, 0.0, 0.0, 0.0
    for tone in range(2, 2 * highest + 1):
        count = sums[tone]
        if count > 0:
            distance = tone - 2 * mean
            weighted = count * distance * distance
            second += weighted
            third += weighted * distance
            fourth += weighted * distance * distance
            sum_logs += logarithms[count]
    steps, contrast, difference_logs = 0, 0.0, 0.0
    moment, moment_normalised, inverse, inverse_normalised, inverse_variance = 0.0, 0.0, 0.0, 0.0, 0.0
    for step in range(highest):
        count = differences[step]
        if count > 0:
            square = float(step) * step
            steps += count * step
            contrast += count * square
            difference_logs += logarithms[count]
            moment += count / (1 + square)
            moment_normalised += count / (1 + square / (highest * highest))
            inverse += count / (1.0 + step)
            inverse_normalised += count / (1 + step / highest)
            if step > 0:
                inverse_variance += count / square
    second /= total
    contrast /= total
    step_mean = steps / total
    step_variance = 0.0
    for step in range(highest):
        step_variance += differences[step] * (step - step_mean) ** 2
    logarithm = np.log2(total)
    joint = logarithm - joint_logs / total
    single = logarithm - single_logs / total
    out[0] += mean * mean + (second - contrast) / 4
    out[1] += mean
    out[2] += fourth / total
    out[3] += third / total
    out[4] += second
    out[5] += contrast
    out[6] += (second - contrast) / (second + contrast) if levels_seen > 1 else 1.0
    out[7] += step_mean
    out[8] += logarithm - difference_logs / total
    out[9] += step_variance / total
    out[10] += squares / total / total
    out[11] += joint
    if levels_seen > 1:
        out[12] += (joint - 2 * single) / single
        out[13] += np.sqrt(max(1 - np.exp(-2 * (2 * single - joint)), 0.0))
    out[14] += moment / total
    out[16] += moment_normalised / total
    out[17] += inverse / total
    out[18] += inverse_normalised / total
    out[19] += inverse_variance / total
    out[20] += largest / total
    out[21] += 2 * mean
    out[22] += logarithm - sum_logs / total
    out[23] += (second + contrast) / 4


@compiled
def cooccurrence_compiled(
    counts: NDArray[np.int32],
    grey: NDArray[np.int64],
    logarithms: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """`cooccurrence`, written to `out`, shape (24,)."""
    highest = grey[grey.size - 1]
    sums = np.empty(2 * highest + 1, np.int64)
    differences = np.empty(highest, np.int64)
    out[:] = 0.0
    for direction in range(4):
        _add_features(counts[direction], grey, logarithms, sums, differences, out)
    out /= 4
