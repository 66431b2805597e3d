"""Maximal correlation coefficient ("MCC") of co-occurrence matrices.

pyradiomics takes the root of the second largest eigenvalue of Q(i, j) = sum_k p(i, k) p(j, k) / (p_x(i) p_x(k)). For a
symmetric p, Q is similar to A A with A = D^-1/2 p D^-1/2 and D = diag(p_x). The largest eigenvalue of A is 1 with the
eigenvector sqrt(p_x); without it, the coefficient is the largest absolute eigenvalue of A.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulation.texture.compilation import compiled


def maximal_correlation(counts: NDArray[np.int64]) -> float:
    """Mean coefficient of symmetric count matrices of shape (directions, present, present); 1 for a single level."""
    if counts.shape[1] < 2:
        return 1.0
    marginal = counts.sum(axis=2).astype(np.float64)
    root = np.sqrt(marginal)
    both = root[:, :, None] * root[:, None, :]
    total = marginal.sum(axis=1)[:, None, None]
    matrix = np.divide(counts, both, out=np.zeros(counts.shape), where=both > 0) - both / total
    return float(np.abs(np.linalg.eigvalsh(matrix)).max(axis=1).mean())


@compiled
def _largest_root(diagonal: NDArray[np.float64], beside: NDArray[np.float64], size: int, above: float) -> float:
    """Largest eigenvalue of a symmetric tridiagonal matrix by Newton's method from a value above it."""
    value = above
    for _ in range(200):
        # ratios of the leading principal minors and their logarithmic derivatives
        ratio = diagonal[0] - value
        slope = -1.0
        if ratio >= 0:
            break
        step = slope / ratio
        inside = True
        for k in range(1, size):
            coupling = beside[k - 1] * beside[k - 1] / ratio
            slope = -1.0 + coupling * slope / ratio
            ratio = diagonal[k] - value - coupling
            if ratio >= 0:
                inside = False
                break
            step += slope / ratio
        if not inside:
            break
        change = 1.0 / step
        value -= change
        if change <= 1e-15 * abs(value):
            break
    return value


@compiled
def _largest_absolute(matrix: NDArray[np.float64]) -> float:
    """Largest absolute eigenvalue of a symmetric matrix: Lanczos steps on its square, kept orthogonal."""
    size = matrix.shape[0]
    vectors = np.zeros((size, size))
    diagonal = np.zeros(size)
    beside = np.zeros(size)
    half = np.empty(size)
    full = np.empty(size)
    # a smooth slope, along which most textures correlate, and a part without symmetry so that no other is missed
    norm = 0.0
    for i in range(size):
        vectors[0, i] = (i - 0.5 * (size - 1)) / size + 0.3 * np.sin(1.0 + 1.7 * i * i)
        norm += vectors[0, i] ** 2
    norm = np.sqrt(norm)
    for i in range(size):
        vectors[0, i] /= norm
    found, steady = 0.0, 0
    for k in range(size):
        vector = vectors[k]
        half[:] = 0.0
        for j in range(size):
            factor = vector[j]
            row = matrix[j]
            for i in range(size):
                half[i] += factor * row[i]
        full[:] = 0.0
        for j in range(size):
            factor = half[j]
            row = matrix[j]
            for i in range(size):
                full[i] += factor * row[i]
        along = 0.0
        for i in range(size):
            along += full[i] * vector[i]
        diagonal[k] = along
        for _ in range(2):
            for q in range(k + 1):
                other = vectors[q]
                along = 0.0
                for i in range(size):
                    along += full[i] * other[i]
                for i in range(size):
                    full[i] -= along * other[i]
        norm = 0.0
        for i in range(size):
            norm += full[i] * full[i]
        norm = np.sqrt(norm)
        before = found
        above = diagonal[0] + 1e-15 if k == 0 else found + beside[k - 1] + max(diagonal[k] - found, 0.0) + 1e-15
        found = _largest_root(diagonal, beside, k + 1, above)
        steady = steady + 1 if abs(found - before) <= 1e-11 * found else 0
        if norm <= 1e-14 or steady == 2:
            break
        beside[k] = norm
        if k + 1 < size:
            for i in range(size):
                vectors[k + 1, i] = full[i] / norm
    return np.sqrt(max(found, 0.0))


@compiled
def maximal_correlation_compiled(counts: NDArray[np.int32]) -> float:
    """`maximal_correlation`."""
    directions, present = counts.shape[0], counts.shape[1]
    if present < 2:
        return 1.0
    matrix = np.empty((present, present))
    root = np.empty(present)
    inverse = np.empty(present)
    mean = 0.0
    for direction in range(directions):
        table = counts[direction]
        total = 0
        for i in range(present):
            row = 0
            for j in range(present):
                row += table[i, j]
            total += row
            root[i] = np.sqrt(row)
            inverse[i] = 1.0 / root[i] if row > 0 else 0.0
        for i in range(present):
            scaled = root[i] / total
            for j in range(present):
                matrix[i, j] = table[i, j] * inverse[i] * inverse[j] - scaled * root[j]
        mean += _largest_absolute(matrix) / directions
    return mean
