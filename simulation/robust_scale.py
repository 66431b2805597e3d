"""Scaling within one image, so that exposure and processing of the image do not matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def robust_z(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(value - median) / (1.4826 MAD) of each column, clipped to +-3; 0 where a column does not vary.

    Parameters
    ----------
    values : ndarray of float64, shape (cells, features)

    Returns
    -------
    ndarray of float64, shape (cells, features)
    """
    centre = np.median(values, axis=0)
    spread = 1.4826 * np.median(np.abs(values - centre), axis=0)
    safe = np.where(spread > 0, spread, 1.0)
    return np.asarray(np.where(spread > 0, np.clip((values - centre) / safe, -3, 3), 0.0))
