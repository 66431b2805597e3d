"""Candidate places inside the chosen cell: local intensity, local contrast and vesselness (S000, section 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

PAD_PX = 12
# Standard deviation of the noise on the score, which lets variants of one host differ.
SCORE_NOISE = 0.3
FIRST_PERCENTILE, LAST_PERCENTILE = 80.0, 60.0
_DIRECTION_SIGMA = 2.0

Hessian = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidate places, best first.

    Attributes
    ----------
    x, y : ndarray of float64, shape (n,)
        Pixel centres in continuous pixels.
    score : ndarray of float64, shape (n,)
    direction : ndarray of float64, shape (n,)
        Direction of the local structure in radians.
    percentile : float
        Score percentile above which local maxima were taken.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    score: NDArray[np.float64]
    direction: NDArray[np.float64]
    percentile: float

    def __len__(self) -> int:
        return len(self.x)


def find_candidates(
    image: NDArray[Any],
    region: tuple[slice, slice],
    permitted: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    wanted: int,
) -> Candidates:
    """Local maxima of a score made of intensity, contrast and Frangi vesselness.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        Low-energy stored values.
    region : tuple of slice
        Rows and columns to search; filters see twelve more pixels on each side.
    permitted : ndarray of bool, shape (rows, columns)
    rng : numpy.random.Generator
        Ties are broken by a noise of 0.3 standard deviations, so that a second variant differs.
    wanted : int
        The percentile falls from 80 in steps of 5 to 60 until three times this many are found.
    """
    rows, columns = image.shape
    top, left = max(region[0].start - PAD_PX, 0), max(region[1].start - PAD_PX, 0)
    bottom, right = min(region[0].stop + PAD_PX, rows), min(region[1].stop + PAD_PX, columns)
    crop = np.asarray(image[top:bottom, left:right], dtype=np.float32)
    inner = np.zeros(crop.shape, bool)
    inner[region[0].start - top : region[0].stop - top, region[1].start - left : region[1].stop - left] = True
    inner &= permitted[top:bottom, left:right]
    if not inner.any():
        none = np.zeros(0)
        return Candidates(none, none, none, none, LAST_PERCENTILE)
    smooth = _separable(crop, _kernel(1.0, 0), _kernel(1.0, 0))
    noise = 1.4826 * float(np.median(np.abs(crop - smooth))) + 1e-6
    contrast = smooth - cv2.blur(crop, (15, 15), borderType=cv2.BORDER_REFLECT)
    # gamma from the noise of the crop: half of the largest structure would depend on the crop
    vessels, (hrr, hrc, hcc) = vesselness(crop, sigmas=(1.0, 2.0, 3.0), beta=0.5, gamma=15 * noise)
    score = _z(smooth, inner) + _z(contrast, inner) + _z(vessels, inner)
    score += np.float32(SCORE_NOISE) * rng.standard_normal(crop.shape, dtype=np.float32)
    peaks = inner & (score == cv2.dilate(score, np.ones((5, 5), np.uint8)))
    scores = score[inner]
    percentile = FIRST_PERCENTILE
    while True:
        r, c = np.nonzero(peaks & (score >= np.percentile(scores, percentile)))
        if len(r) >= 3 * wanted or percentile <= LAST_PERCENTILE:
            break
        percentile -= 5
    order = np.argsort(-score[r, c], kind="stable")
    r, c = r[order], c[order]
    # a bright ridge runs along the eigenvector of the algebraically larger curvature
    along = 0.5 * np.arctan2(2.0 * hrc[r, c], hcc[r, c] - hrr[r, c])
    return Candidates(c + left + 0.5, r + top + 0.5, score[r, c].astype(float), along.astype(float), percentile)


def vesselness(
    image: NDArray[np.float32], *, sigmas: Sequence[float], beta: float, gamma: float
) -> tuple[NDArray[np.float32], Hessian]:
    """Frangi's measure of bright ridges and spots, largest over the scales.

    As `skimage.filters.frangi` with ``black_ridges=False`` and the same parameters, from separable kernels of the
    second derivative of a Gaussian instead of first derivatives applied twice.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
    sigmas : sequence of float
        Scales in pixels.
    beta : float
        Tolerance of roundness.
    gamma : float
        Curvature at which a structure counts.

    Returns
    -------
    vesselness : ndarray of float32, 0 to 1
    hessian : tuple of ndarray
        Second derivatives (row row, row column, column column) at 2 pixels, or at the last scale if that is not asked.
    """
    best = np.zeros(image.shape, np.float32)
    kept: Hessian | None = None
    for sigma in sigmas:
        found = _hessian(image, sigma)
        if kept is None or sigma == _DIRECTION_SIGMA:
            kept = found
        hrr, hrc, hcc = found
        half_trace = np.float32(0.5) * (hrr + hcc)
        split = np.sqrt(np.float32(0.25) * (hrr - hcc) ** 2 + hrc * hrc)
        # eigenvalues half_trace -+ split; across a bright ridge the one of larger magnitude is negative
        smaller, larger = np.abs(half_trace + split), split - half_trace
        bright = half_trace < 0
        ratio = smaller / np.maximum(larger, np.float32(1e-10))
        strength = smaller * smaller + larger * larger
        value = np.exp(ratio * ratio * np.float32(-0.5 / beta**2)) * -np.expm1(strength * np.float32(-0.5 / gamma**2))
        np.maximum(best, np.where(bright, value, 0), out=best)
    if kept is None:
        raise ValueError("at least one scale is needed")
    return best, kept


def _hessian(image: NDArray[np.float32], sigma: float) -> Hessian:
    plain, first, second = (_kernel(sigma, order) for order in (0, 1, 2))
    return (
        _separable(image, second, plain),
        _separable(image, first, first),
        _separable(image, plain, second),
    )


@cache
def _kernel(sigma: float, order: int) -> NDArray[np.float32]:
    """Correlation kernel of a derivative of a Gaussian, as scipy's `gaussian_filter1d` applies it."""
    radius = int(4 * sigma + 0.5)
    impulse = np.zeros(2 * radius + 1)
    impulse[radius] = 1.0
    kernel = ndimage.gaussian_filter1d(impulse, sigma, order=order, mode="constant")[::-1]
    return np.ascontiguousarray(kernel, dtype=np.float32)


def _separable(
    image: NDArray[np.float32], down: NDArray[np.float32], across: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.asarray(cv2.sepFilter2D(image, cv2.CV_32F, across, down, borderType=cv2.BORDER_REFLECT))


def _z(values: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    chosen = values[inside]
    spread = float(chosen.std())
    return (values - chosen.mean()) / np.float32(spread if spread > 0 else 1.0)
