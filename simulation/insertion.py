"""Inserting calcifications into a For-Presentation low-energy image as if they had been ray-traced.

Log attenuation is drawn on the pixel grid, passes the detector's MTF in the linear domain, loses contrast to scatter,
takes the vendor's enhancement and is mapped through the display curve (S000, section 2.2; Vancoillie, JMI 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from simulation.calcification import Calcification, CalcificationLayer, reach_px, render
from simulation.filters import frequency_grid, smooth, transfer
from simulation.vendor import VendorProfile

# Plausible widths of a display curve; outside, the noise estimate was misled (compression, resampling).
WIDTH_RANGE = (0.08, 0.60)
COARSE_MM = 0.2
# Half the distance of the 16th and 84th percentile of the processed log image inside the breast (phantom median).
ANATOMICAL_SPREAD = 0.26
_TILE = 33


@dataclass(frozen=True)
class Calibration:
    """How log attenuation becomes grey values: a sigmoid display curve of known or estimated width.

    Attributes
    ----------
    kind : {"lut", "noise", "anatomy"}
    width : float
        Log units of the processed image for one unit of the logit of the grey value.
    measured, expected : float or None
        "noise": local noise of the host in logit units, and quantum noise in log units. "anatomy": spread of the
        breast in logit units, and the spread that breasts have in log units. None for "lut".
    reason : str
        Why this kind was taken.
    """

    kind: Literal["lut", "noise", "anatomy"]
    width: float
    measured: float | None = None
    expected: float | None = None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Insertion:
    """Result of `insert_calcifications`.

    Attributes
    ----------
    image : ndarray, shape (rows, columns)
        Same type as the host; equal to it outside `region`.
    region : tuple of int
        (row0, row1, column0, column1), half open.
    support : ndarray of bool, shape (rows, columns)
    layer : CalcificationLayer
        Of the region.
    tau_max, contrast_to_noise : tuple of float
        Of each calcification: largest log attenuation of the primary beam; peak grey difference over local noise.
    clipped_fraction : float
        Of the support, at the ends of the value range.
    mean_shift : float
        Mean grey difference within the region outside the calcifications' surround.
    """

    image: NDArray[Any]
    region: tuple[int, int, int, int]
    support: NDArray[np.bool_]
    layer: CalcificationLayer
    tau_max: tuple[float, ...]
    contrast_to_noise: tuple[float, ...]
    clipped_fraction: float
    mean_shift: float


def calibrate(
    image: NDArray[Any],
    breast: NDArray[np.bool_],
    maximum: int,
    profile: VendorProfile,
    spacing_mm: float,
    *,
    kind: Literal["auto", "lut", "noise", "anatomy"],
) -> Calibration:
    """Find the width of the display curve.

    "lut" takes it from the profile. "noise" compares the local noise of the host (10th percentile of the standard
    deviation of the high-passed logit image in 33-pixel tiles) with the quantum noise that the system should show.
    "anatomy" compares the spread of grey values inside the breast with the usual spread of breast anatomy; it is the
    way for coarse pixels, where noise is lost, and the fallback when the noise was changed by compression. "auto"
    takes the first of the three that is possible.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        Low-energy stored values.
    breast : ndarray of bool, same shape
    maximum : int
        Largest stored value.
    profile : VendorProfile
    spacing_mm : float
    kind : {"auto", "lut", "noise", "anatomy"}

    Raises
    ------
    ValueError
        If "lut" is asked for a profile without a display curve, or the breast is too small to measure.
    """
    if kind == "lut" or (kind == "auto" and profile.display_width is not None):
        if profile.display_width is None:
            raise ValueError(
                f"the profile {profile.key} knows no display curve; use calibration auto, noise or anatomy"
            )
        return Calibration("lut", profile.display_width, reason="display curve of the vendor profile")
    logit = _logit(image.astype(np.float32), maximum)
    if kind != "anatomy" and spacing_mm > COARSE_MM:
        reason = f"pixels above {COARSE_MM} mm hold no measurable quantum noise"
    elif kind != "anatomy":
        measured, expected = _measured_noise(logit, breast), expected_noise(profile, spacing_mm)
        width = expected / max(measured, 1e-6)
        if WIDTH_RANGE[0] <= width <= WIDTH_RANGE[1]:
            return Calibration("noise", width, measured, expected, "noise of the host against quantum noise")
        reason = f"the noise of the host gives an implausible width of {width:.3f}"
    else:
        reason = "asked for"
    inner = ndimage.binary_erosion(breast, iterations=max(1, round(8 / spacing_mm / 4)), structure=np.ones((9, 9)))
    if not inner.any():
        raise ValueError("the breast is too small to measure its grey values")
    low, high = np.percentile(logit[inner], [16, 84])
    spread = max(float(high - low) / 2, 1e-3)
    width = float(np.clip(ANATOMICAL_SPREAD / spread, *WIDTH_RANGE))
    return Calibration("anatomy", width, spread, ANATOMICAL_SPREAD, reason)


def _measured_noise(logit: NDArray[np.float32], breast: NDArray[np.bool_]) -> float:
    high_pass = logit - _binomial(logit)
    tile = min(_TILE, max(9, min(logit.shape) // 12))
    mean = ndimage.uniform_filter(high_pass, tile)
    square = ndimage.uniform_filter(high_pass * high_pass, tile)
    inside = ndimage.uniform_filter(breast.astype(np.float32), tile) > 0.999
    if not inside.any():
        raise ValueError("the breast is too small to measure its noise")
    return float(np.percentile(np.sqrt(np.clip(square - mean * mean, 0, None))[inside], 10))


def relative_noise(profile: VendorProfile, spacing_mm: float) -> float:
    """Relative quantum noise of one pixel behind 50 mm, before the detector shapes it."""
    return float(1 / np.sqrt(profile.quanta * (spacing_mm / 0.1) ** 2))


def expected_noise(profile: VendorProfile, spacing_mm: float) -> float:
    """Standard deviation of the high-passed processed log image that quantum noise alone gives."""
    shape = (64, 64)
    response = profile.response(shape, spacing_mm) ** 0.6
    frequency = frequency_grid(shape, spacing_mm)
    low_pass = np.exp(-2 * (np.pi * profile.enhancement_sigma_mm * frequency) ** 2)
    response = response * (1 + profile.enhancement_gain * (1 - low_pass))
    rows, columns = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :]
    binomial = np.cos(np.pi * rows) ** 2 * np.cos(np.pi * columns) ** 2
    power = (response * (1 - binomial)) ** 2
    # columns other than the first and last stand for two frequencies
    weight = np.full(power.shape[1], 2.0)
    weight[0] = weight[-1] = 1.0
    gain = float(np.sqrt((power * weight).sum() / (shape[0] * shape[1])))
    return relative_noise(profile, spacing_mm) * gain


def log_template(
    layer: CalcificationLayer,
    profile: VendorProfile,
    spacing_mm: float,
    *,
    rng: np.random.Generator | None,
) -> NDArray[np.float32]:
    """Change of the processed log image that the calcifications make.

    Parameters
    ----------
    layer : CalcificationLayer
        Drawn on the region, with at least three sigma of the enhancement around.
    profile : VendorProfile
    spacing_mm : float
    rng : numpy.random.Generator, optional
        Draws the additional quantum noise of the weakened beam; without it there is none.
    """
    shape = (layer.tau.shape[0], layer.tau.shape[1])
    response = profile.response(shape, spacing_mm)
    # blur after the exponential: the detector blurs intensity, not attenuation
    primary = np.clip(1 + transfer(np.expm1(-layer.tau), response), 1e-4, None)
    scatter = profile.scatter_to_primary
    raw = -np.log((primary + scatter) / (1 + scatter))
    if rng is not None:
        # relative noise grows by exp(tau / 2) where the beam is weakened
        extra = relative_noise(profile, spacing_mm) * np.sqrt(np.expm1(layer.tau))
        raw = raw + transfer(rng.standard_normal(shape) * extra, response**0.6)
    raw = raw.astype(np.float32)
    low_pass = smooth(raw, profile.enhancement_sigma_mm / spacing_mm)
    return np.asarray(raw + profile.enhancement_gain * (raw - low_pass), dtype=np.float32)


def insert_calcifications(
    image: NDArray[Any],
    calcifications: Sequence[Calcification],
    *,
    maximum: int,
    profile: VendorProfile,
    spacing_mm: float,
    packing: float,
    calibration: Calibration,
    rng: np.random.Generator,
    noise_consistency: bool = True,
) -> Insertion:
    """Insert calcifications into a low-energy image.

    Parameters
    ----------
    image : ndarray of uint8 or uint16, shape (rows, columns)
        Stored values, brighter = denser.
    calcifications : sequence of Calcification
        Completely inside the image.
    maximum : int
        Largest stored value.
    profile : VendorProfile
    spacing_mm : float
    packing : float
        Attenuation as a share of solid hydroxyapatite.
    calibration : Calibration
    rng : numpy.random.Generator
        Noise and dithered rounding.
    noise_consistency : bool
        Whether the weakened beam's additional noise is added.
    """
    region = _region(calcifications, image.shape, spacing_mm, profile)
    row0, row1, column0, column1 = region
    attenuation = packing * profile.hydroxyapatite_low
    layer = render(
        calcifications,
        (row1 - row0, column1 - column0),
        spacing_mm=spacing_mm,
        attenuation_per_mm=attenuation,
        origin=(row0, column0),
    )
    template = log_template(layer, profile, spacing_mm, rng=rng if noise_consistency else None)
    host = image[row0:row1, column0:column1].astype(np.float32)
    shown = maximum / (1 + np.exp(-(_logit(host, maximum) + template / calibration.width)))
    change = np.where(host > 0, shown - np.clip(host, 0.5, maximum - 0.5), 0)
    wanted = host + change
    rounded = np.floor(wanted + rng.random(wanted.shape))  # unbiased: grey codes stay evenly used
    # the far tail of the template is no change at all
    rounded = np.where(np.abs(change) < 0.02, host, rounded)
    clipped = (rounded < 1) | (rounded > maximum - 1)
    rounded = np.where(host > 0, np.clip(rounded, 1, maximum), 0)
    result = image.copy()
    result[row0:row1, column0:column1] = rounded.astype(image.dtype)
    support = np.zeros(image.shape, bool)
    support[row0:row1, column0:column1] = layer.support
    noise = local_noise(host)
    surround = ndimage.binary_dilation(layer.support, iterations=max(2, round(1 / spacing_mm)))
    far = (rounded - host)[~surround]
    taus, ratios = [], []
    for particle in calcifications:
        patch = _patch(particle, region, spacing_mm)
        taus.append(float(layer.tau[patch].max()))
        ratios.append(float(change[patch].max() / noise))
    return Insertion(
        result,
        region,
        support,
        layer,
        tuple(taus),
        tuple(ratios),
        float(clipped[layer.support].mean()),
        float(far.mean()) if far.size else 0.0,
    )


def local_noise(patch: NDArray[Any]) -> float:
    """Robust standard deviation of the fine structure of a patch, at least half a grey value."""
    plain = patch.astype(np.float32)
    fine = plain - _binomial(_binomial(plain))
    return max(0.5, 1.4826 * float(np.median(np.abs(fine - np.median(fine)))))


def _region(
    calcifications: Sequence[Calcification],
    shape: tuple[int, ...],
    spacing_mm: float,
    profile: VendorProfile,
) -> tuple[int, int, int, int]:
    """Box around all particles with three sigma of the vendor's enhancement, cut at the image."""
    pad = int(np.ceil(3 * profile.enhancement_sigma_mm / spacing_mm)) + 4
    reach = [reach_px(particle, spacing_mm) + 2 + pad for particle in calcifications]
    tops = [p.y - r for p, r in zip(calcifications, reach, strict=True)]
    bottoms = [p.y + r for p, r in zip(calcifications, reach, strict=True)]
    lefts = [p.x - r for p, r in zip(calcifications, reach, strict=True)]
    rights = [p.x + r for p, r in zip(calcifications, reach, strict=True)]
    return (
        max(0, int(min(tops))),
        min(shape[0], int(max(bottoms)) + 1),
        max(0, int(min(lefts))),
        min(shape[1], int(max(rights)) + 1),
    )


def _patch(particle: Calcification, region: tuple[int, int, int, int], spacing_mm: float) -> tuple[slice, slice]:
    half = int(np.ceil(reach_px(particle, spacing_mm)))
    row, column = int(particle.y) - region[0], int(particle.x) - region[2]
    return slice(max(row - half, 0), row + half + 1), slice(max(column - half, 0), column + half + 1)


def _logit(values: NDArray[Any], maximum: int) -> NDArray[np.float32]:
    """Inverse of the sigmoid; values at the ends are taken half a grey value inside."""
    inside = np.clip(values, 0.5, maximum - 0.5)
    return np.asarray(np.log(inside / (maximum - inside)), dtype=np.float32)


def _binomial(image: NDArray[Any]) -> NDArray[np.float32]:
    kernel = np.array([0.25, 0.5, 0.25], np.float32)
    return np.asarray(ndimage.convolve1d(ndimage.convolve1d(image, kernel, axis=0), kernel, axis=1), dtype=np.float32)
