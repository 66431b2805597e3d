"""One-number features by which a network could tell edited images without looking at the lesion."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from simulation.enhancement import box_around, ring, ring_reach

SHORTCUTS = ("noise level", "missing grey codes", "odd grey values", "border gradient", "depth", "height")
SEAM_PX = 2.0
"""Gaussian that separates fine structure, where a seam would show, from the edge of a lesion."""
_SECOND_DIFFERENCE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float64)


def shortcut_features(
    image: NDArray[Any], mask: NDArray[np.bool_], breast: NDArray[np.bool_] | None = None
) -> dict[str, float]:
    """Shortcut features of one lesion on one image.

    - noise level: logarithm of the noise (Immerkaer's second difference) inside the outline over that in its ring;
    - missing grey codes: share of unused codes between the 5th and 95th percentile above what a smooth histogram of
      so many pixels leaves unused, inside minus ring;
    - odd grey values: share inside;
    - border gradient: mean gradient of the fine structure on the outline over that in the ring; the soft edge that
      every enhancing lesion has is no seam and does not count;
    - depth, height: centre of the outline as a share of the box of the breast, depth from the chest wall.

    Parameters
    ----------
    image : ndarray of whole numbers, shape (rows, columns)
    mask : ndarray of bool, same shape
    breast : ndarray of bool, same shape, optional
        Without it depth and height are NaN.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    if not mask.any():
        raise ValueError("the mask is empty")
    box = box_around(mask, ring_reach(mask) + 2)
    plain, inside = image[box].astype(np.float64), mask[box]
    tissue = plain > 0
    around = ring(inside) & tissue
    inside = inside & tissue
    residual = ndimage.convolve(plain, _SECOND_DIFFERENCE)
    gradient = np.hypot(*np.gradient(plain - ndimage.gaussian_filter(plain, SEAM_PX)))
    border = inside & ~ndimage.binary_erosion(inside)
    depth, height = _place(mask, breast)
    return dict(
        zip(
            SHORTCUTS,
            (
                _log_ratio(_deviation(residual, inside), _deviation(residual, around)),
                _missing(image[box][inside]) - _missing(image[box][around]),
                float((image[box][inside] % 2).mean()) if inside.any() else float("nan"),
                _log_ratio(_mean(gradient, border), _mean(gradient, around)),
                depth,
                height,
            ),
            strict=True,
        )
    )


def _deviation(values: NDArray[np.float64], where: NDArray[np.bool_]) -> float:
    return float(values[where].std()) if where.sum() > 1 else float("nan")


def _mean(values: NDArray[np.float64], where: NDArray[np.bool_]) -> float:
    return float(values[where].mean()) if where.any() else float("nan")


def _log_ratio(one: float, other: float) -> float:
    return float(np.log(max(one, 1e-3) / max(other, 1e-3)))


def _missing(values: NDArray[Any]) -> float:
    if values.size < 20:
        return float("nan")
    low, high = np.percentile(values, [5, 95]).astype(int)
    counts = np.bincount(values[(values >= low) & (values <= high)].astype(int) - low, minlength=high - low + 1)
    expected = np.exp(-ndimage.uniform_filter1d(counts.astype(np.float64), 9, mode="nearest"))
    return float((counts == 0).mean() - expected.mean())


def _place(mask: NDArray[np.bool_], breast: NDArray[np.bool_] | None) -> tuple[float, float]:
    if breast is None or not breast.any():
        return float("nan"), float("nan")
    rows, columns = np.flatnonzero(breast.any(1)), np.flatnonzero(breast.any(0))
    y, x = ndimage.center_of_mass(mask)
    height = (y - rows[0]) / max(rows[-1] - rows[0], 1)
    depth = (x - columns[0]) / max(columns[-1] - columns[0], 1)
    # the chest wall is where more of the breast lies
    if breast[:, columns[-1]].sum() > breast[:, columns[0]].sum():
        depth = 1 - depth
    return float(depth), float(height)
