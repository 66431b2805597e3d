"""Random fields of the breast background and the drawing of curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft, special
from scipy.spatial import cKDTree

from simulation.filters import Image

# Order of the steering: the angular kernel is cos**(2 * _ORDER).
_ORDER = 3
Curve = tuple[NDArray[Any], NDArray[Any]]


class FieldGrid:
    """Gaussian random fields of one grid, by filtering white noise in the Fourier domain.

    Parameters
    ----------
    shape : tuple of int
        (rows, columns).
    spacing_mm : float
        Distance of the grid points.
    """

    def __init__(self, shape: tuple[int, int], spacing_mm: float) -> None:
        self.shape = shape
        self.spacing_mm = spacing_mm
        self._padded = (fft.next_fast_len(shape[0], real=True), fft.next_fast_len(shape[1], real=True))
        fy = fft.fftfreq(self._padded[0], spacing_mm).astype(np.float32)[:, None]
        fx = fft.rfftfreq(self._padded[1], spacing_mm).astype(np.float32)[None, :]
        self._squared = fy * fy + fx * fx
        radius = np.sqrt(np.maximum(self._squared, np.float32(1e-12)))
        # unit vector of each frequency as a complex number: its powers are the angular harmonics
        self._direction = ((fx + 1j * fy) / radius).astype(np.complex64)

    def power_law(
        self,
        rng: np.random.Generator,
        *,
        exponent: float,
        corner_lp_mm: float,
        angle: float | None = None,
        concentration: float = 3.0,
    ) -> Image:
        """Field with power spectrum 1/f**exponent, mean 0 and standard deviation 1, shape (rows, columns).

        Parameters
        ----------
        rng : numpy.random.Generator
        exponent : float
            Spectral slope; mammograms have 3.17 (Chen, Med Phys 2012).
        corner_lp_mm : float
            Frequency below which the spectrum is flat.
        angle : float, optional
            Direction in radians along which structures run; None gives an isotropic field.
        concentration : float
            How strictly structures follow `angle`.
        """
        spectrum = self._noise(rng)
        spectrum *= np.maximum(self._squared, np.float32(corner_lp_mm**2)) ** np.float32(-exponent / 4)
        if angle is not None:
            turned = (self._direction * np.complex64(np.exp(-1j * (angle - np.pi / 2)))) ** 2
            spectrum *= np.exp(np.float32(concentration) * (turned.real - 1))
        return _standard(self._back(spectrum))

    def steered(
        self, rng: np.random.Generator, *, wavelength_mm: float, direction: NDArray[Any], octaves: float = 0.6
    ) -> Image:
        """Band-pass field whose structures run along `direction` at each point.

        Parameters
        ----------
        rng : numpy.random.Generator
        wavelength_mm : float
            Centre of the band.
        direction : ndarray of complex64, shape (rows, columns)
            Unit vectors (x + iy).
        octaves : float
            Standard deviation of the band in octaves.

        Notes
        -----
        The angular kernel cos**6 is steerable (Freeman & Adelson, PAMI 1991): four harmonics of one noise field, mixed
        at each point, give the field of any direction.
        """
        spectrum = self._noise(rng)
        band = np.log2(np.maximum(self._squared, np.float32(1e-12)) * np.float32(wavelength_mm**2)) / 2
        spectrum *= np.exp(-0.5 * (band / np.float32(octaves)) ** 2)
        across = direction * np.complex64(1j)  # the wave vector stands across the structure
        doubled, turning = across * across, np.ones(self.shape, np.complex64)
        squared, harmonic = self._direction * self._direction, np.ones_like(self._direction)
        result = np.zeros(self.shape, np.float32)
        for order in range(_ORDER + 1):
            weight = special.comb(2 * _ORDER, _ORDER + order) / 4**_ORDER * (1 if order == 0 else 2)
            if order:
                turning = turning * doubled
                harmonic = harmonic * squared
                result += np.float32(weight) * turning.imag * self._back(spectrum * harmonic.imag)
            result += np.float32(weight) * turning.real * self._back(spectrum * harmonic.real)
        return _standard(result)

    def _noise(self, rng: np.random.Generator) -> NDArray[np.complex64]:
        noise = fft.rfft2(rng.standard_normal(self._padded, dtype=np.float32), workers=1)
        noise[0, 0] = 0
        return np.asarray(noise)

    def _back(self, spectrum: NDArray[Any]) -> Image:
        field = fft.irfft2(spectrum, s=self._padded, workers=1, overwrite_x=True)
        return np.asarray(field[: self.shape[0], : self.shape[1]], dtype=np.float32)


def cell_walls(
    rng: np.random.Generator,
    shape: tuple[int, int],
    spacing_mm: float,
    *,
    cell_mm: float,
    wall_mm: float,
    warp: tuple[Image, Image],
) -> Image:
    """Walls between fat lobules: borders of random cells, 0 inside a cell to about 1 on a strong wall.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (rows, columns).
    spacing_mm : float
    cell_mm, wall_mm : float
        Mean distance of cell centres, and thickness of a wall.
    warp : tuple of ndarray, each shape (rows, columns)
        Displacement along x and y in mm, which bends the walls.
    """
    height, width = shape[0] * spacing_mm, shape[1] * spacing_mm
    margin = 2 * cell_mm
    count = int((height + 2 * margin) * (width + 2 * margin) / cell_mm**2)
    # lobules are longer towards the nipple than across
    stretch = np.array([1.35, 1.0])
    centres = rng.uniform(-margin, [width + margin, height + margin], (count, 2)) / stretch
    strength = rng.uniform(0.0, 1.0, count)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    places = np.stack([(x + 0.5) * spacing_mm + warp[0], (y + 0.5) * spacing_mm + warp[1]], -1).reshape(-1, 2) / stretch
    distance, nearest = cKDTree(centres).query(places, k=2)
    wall = np.exp(-(((distance[:, 1] - distance[:, 0]) / wall_mm) ** 2)) * strength[nearest].mean(1)
    return np.asarray(wall.reshape(shape), dtype=np.float32)


def draw_curves(shape: tuple[int, int], curves: Sequence[Curve], *, width_px: float) -> Image:
    """Tubes along curves, with height about 1 on their axis.

    Parameters
    ----------
    shape : tuple of int
        (rows, columns).
    curves : sequence of (ndarray, ndarray)
        (x, y) samples in continuous pixels and their weights.
    width_px : float
        Full width of the tube.
    """
    sigma = max(width_px / 2.35, 0.4)
    places, weights = [], []
    for points, strength in curves:
        length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        count = max(int(length[-1] * 2), 2)
        at = np.linspace(0, length[-1], count)
        x, y = np.interp(at, length, points[:, 0]) - 0.5, np.interp(at, length, points[:, 1]) - 0.5
        weight = np.interp(at, length, strength) * length[-1] / count
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
            places.append(r[inside] * shape[1] + c[inside])
            weights.append((weight * part)[inside])
    if not places:
        return np.zeros(shape, np.float32)
    flat = np.bincount(np.concatenate(places), np.concatenate(weights), minlength=shape[0] * shape[1])
    canvas = flat.reshape(shape).astype(np.float32)
    blurred = cv2.GaussianBlur(canvas, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
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


def resize(coarse: NDArray[Any], shape: tuple[int, int], step: int) -> Image:
    """Linear enlargement by a whole factor, cut to `shape` (block centres stay where they were)."""
    plain = np.asarray(coarse, dtype=np.float32)
    if step == 1:
        return plain[: shape[0], : shape[1]]
    larger = cv2.resize(plain, None, fx=step, fy=step, interpolation=cv2.INTER_LINEAR)
    return np.asarray(larger[: shape[0], : shape[1]], dtype=np.float32)


def _standard(field: Image) -> Image:
    """Mean 0 and standard deviation 1."""
    field = field - field.mean()
    return np.asarray(field / field.std(), dtype=np.float32)
