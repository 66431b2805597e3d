"""Random fields of the breast background."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from simulation.filters import Image, enlarge


def power_law_field(
    rng: np.random.Generator,
    shape: tuple[int, int],
    spacing_mm: float,
    *,
    exponent: float,
    corner_lp_mm: float,
    angle: float | None = None,
    concentration: float = 3.0,
    step: int = 1,
) -> Image:
    """Gaussian field with power spectrum 1/f**exponent, mean 0 and standard deviation 1.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (rows, columns).
    spacing_mm : float
        Pixel size.
    exponent : float
        Spectral slope; mammograms have 3.17 (Chen, Med Phys 2012).
    corner_lp_mm : float
        Frequency below which the spectrum is flat.
    angle : float, optional
        Direction in radians along which structures run; None gives an isotropic field.
    concentration : float
        How strictly structures follow `angle`.
    step : int
        Draw on a grid coarser by this factor and interpolate; steep spectra hold little power above.
    """
    coarse = (-(-shape[0] // step), -(-shape[1] // step))
    rows, columns = fft.next_fast_len(coarse[0], real=True), fft.next_fast_len(coarse[1], real=True)
    spectrum = fft.rfft2(rng.standard_normal((rows, columns), dtype=np.float32), workers=1)
    fy = fft.fftfreq(rows, spacing_mm * step).astype(np.float32)[:, None]
    fx = fft.rfftfreq(columns, spacing_mm * step).astype(np.float32)[None, :]
    squared = np.maximum(fy * fy + fx * fx, np.float32(corner_lp_mm**2))
    amplitude: NDArray[Any] = squared ** np.float32(-exponent / 4)
    if angle is not None:
        direction = np.arctan2(fy, fx) - np.float32(angle - np.pi / 2)
        amplitude = amplitude * np.exp(concentration * (np.cos(2 * direction) - 1))
    spectrum *= amplitude
    spectrum[0, 0] = 0
    field = fft.irfft2(spectrum, s=(rows, columns), workers=1)[: coarse[0], : coarse[1]]
    field = (field - field.mean()) / field.std()
    return enlarge(field, shape, step) if step > 1 else np.asarray(field, dtype=np.float32)


def draw_curves(
    shape: tuple[int, int],
    curves: list[tuple[NDArray[Any], NDArray[Any]]],
    *,
    width_px: float,
) -> Image:
    """Tubes along curves, with height about 1 on their axis.

    Parameters
    ----------
    shape : tuple of int
        (rows, columns).
    curves : list of (ndarray, ndarray)
        (x, y) samples in continuous pixels and their weights.
    width_px : float
        Full width of the tube.
    """
    sigma = max(width_px / 2.35, 0.4)
    canvas = np.zeros(shape, np.float32)
    for points, weights in curves:
        length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        count = max(int(length[-1] * 2), 2)
        at = np.linspace(0, length[-1], count)
        x, y = np.interp(at, length, points[:, 0]) - 0.5, np.interp(at, length, points[:, 1]) - 0.5
        weight = np.interp(at, length, weights) * length[-1] / count
        column, row = np.floor(x).astype(int), np.floor(y).astype(int)
        fx, fy = x - column, y - row
        for dr, dc, part in (
            (0, 0, (1 - fx) * (1 - fy)),
            (0, 1, fx * (1 - fy)),
            (1, 0, (1 - fx) * fy),
            (1, 1, fx * fy),
        ):
            r, c = row + dr, column + dc
            inside = (r >= 0) & (r < shape[0]) & (c >= 0) & (c < shape[1])
            np.add.at(canvas, (r[inside], c[inside]), (weight * part)[inside])
    blurred = ndimage.gaussian_filter(canvas, sigma, truncate=3.0)
    return np.asarray(blurred * np.float32(np.sqrt(2 * np.pi) * sigma), dtype=np.float32)


def wandering_curve(
    rng: np.random.Generator,
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    wander: float,
    points: int = 24,
) -> NDArray[np.float64]:
    """Smooth random curve from `start` to `end` (x, y); `wander` is its sideways excursion over its length."""
    along = np.linspace(0, 1, points)
    first, last = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    step = last - first
    normal = np.array([-step[1], step[0]])
    excursion = sum(rng.normal(0, wander / k) * np.sin(np.pi * k * along) for k in range(1, 5))
    return np.asarray(first + along[:, None] * step + np.asarray(excursion)[:, None] * normal)
