"""Writing changed pixels without a trace in the grey codes.

A windowed or stretched image leaves grey codes out, and rounding errors of a whole region can be told from those of its
surroundings. Both would mark an edited region.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from simulation.filters import enlarge

# Changes below this many grey values are none.
SMALLEST_CHANGE = 0.02


def used_codes(image: NDArray[Any], maximum: int) -> NDArray[np.int64]:
    """Grey values that may be used: all but those that a windowed image leaves out, and air.

    A code is left out when no pixel has it although its neighbours are common; in the thin tails of the histogram a
    missing code means nothing.

    Parameters
    ----------
    image : ndarray of uint8 or uint16, shape (rows, columns)
    maximum : int
        Largest stored value.
    """
    counts = cv2.calcHist([image], [0], None, [maximum + 1], [0, maximum + 1]).ravel()
    counts[0] = 0  # air
    around = ndimage.uniform_filter1d(counts.astype(np.float64), 17, mode="nearest")
    left_out = (counts == 0) & (around > 20)
    left_out[int(np.flatnonzero(counts).max(initial=0)) :] = False  # brighter than anything there: not left out
    left_out[0] = True
    return np.flatnonzero(~left_out)


def slow_dither(shape: tuple[int, int], sigma_px: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Uniform thresholds from 0 to 1 that vary over `sigma_px` pixels.

    Dither drawn for each pixel would add up to a quarter of a squared grey value to the noise, which marks the region
    on 8-bit images; none at all would leave contour lines.
    """
    step = max(1, int(sigma_px // 2))
    coarse = rng.standard_normal((-(-shape[0] // step), -(-shape[1] // step)), dtype=np.float32)
    field = enlarge(ndimage.gaussian_filter(coarse, sigma_px / step, mode="wrap", truncate=3.0), shape, step)
    return np.asarray(special.ndtr(field / field.std()), dtype=np.float32)


def round_to_codes(
    host: NDArray[np.float32], change: NDArray[Any], codes: NDArray[np.int64], threshold: NDArray[Any]
) -> NDArray[np.float32]:
    """The wanted image in allowed grey codes, unbiased; air and pixels that hardly change stay.

    Parameters
    ----------
    host, change : ndarray of float32, shape (rows, columns)
    codes : ndarray of int
        From `used_codes`.
    threshold : ndarray, same shape
        From `slow_dither`.
    """
    # where each grey value stands between the codes, looked up and interpolated
    places = np.interp(np.arange(int(codes[-1]) + 2), codes, np.arange(codes.size)).astype(np.float32)
    wanted = np.clip(host + change, 0, int(codes[-1])).astype(np.float32, copy=False)
    below = wanted.astype(np.int32)
    position = places[below] + (wanted - below) * (places[below + 1] - places[below])
    rounded = codes[np.minimum((position + threshold).astype(np.int32), codes.size - 1)]
    changed = (np.abs(change) >= SMALLEST_CHANGE) & (host > 0)
    return np.asarray(np.where(changed, rounded, host), dtype=np.float32)
