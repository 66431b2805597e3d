"""Candidate places inside the chosen cell: local intensity, local contrast and vesselness (S000, section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import hessian_matrix
from skimage.filters import frangi

PAD_PX = 12


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
    crop = np.asarray(image[top:bottom, left:right], dtype=np.float64)
    inner = np.zeros(crop.shape, bool)
    inner[region[0].start - top : region[0].stop - top, region[1].start - left : region[1].stop - left] = True
    inner &= permitted[top:bottom, left:right]
    smooth = ndimage.gaussian_filter(crop, 1.0)
    noise = 1.4826 * float(np.median(np.abs(crop - smooth))) + 1e-6
    contrast = (smooth - ndimage.uniform_filter(crop, 15)) / noise
    # gamma from the noise of the crop: the default takes the largest structure and so depends on the crop
    vessels = frangi(crop, sigmas=(1, 2, 3), beta=0.5, gamma=15 * noise, black_ridges=False)
    score = _z(smooth, inner) + _z(contrast, inner) + _z(vessels, inner)
    score = score + 0.3 * rng.standard_normal(crop.shape)
    peaks = inner & (score == ndimage.maximum_filter(score, 5))
    percentile = 80.0
    while True:
        limit = np.percentile(score[inner], percentile) if inner.any() else np.inf
        r, c = np.nonzero(peaks & (score >= limit))
        if len(r) >= 3 * wanted or percentile <= 60:
            break
        percentile -= 5
    order = np.argsort(-score[r, c], kind="stable")
    r, c = r[order], c[order]
    # a bright ridge runs along the eigenvector of the algebraically larger curvature
    hrr, hrc, hcc = hessian_matrix(crop, sigma=2.0, order="rc", use_gaussian_derivatives=False)
    along = 0.5 * np.arctan2(2 * hrc[r, c], hcc[r, c] - hrr[r, c])
    return Candidates(c + left + 0.5, r + top + 0.5, score[r, c], along, percentile)


def _z(values: NDArray[Any], inside: NDArray[np.bool_]) -> NDArray[Any]:
    if not inside.any():
        return np.zeros(values.shape)
    spread = float(values[inside].std())
    return (values - values[inside].mean()) / (spread if spread > 0 else 1.0)
