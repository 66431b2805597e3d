"""Making a lesion enhance in the recombined image (S000, section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from simulation.enhancement import (
    Box,
    Contrast,
    ContrastForm,
    box_around,
    contrast_of_values,
    measure_enhancement,
    ring,
    ring_reach,
)
from simulation.errors import InvalidSettings
from simulation.filters import frequency_grid, transfer
from simulation.grey_codes import round_to_codes, used_codes
from simulation.vendor import VendorProfile

Blend = Literal["gain", "literal"]
ROUNDS, CLOSE = 3, 0.002
"""Corrections after rounding, and the ratio within which none is needed."""


@dataclass(frozen=True)
class EditSettings:
    """How the recombined image is edited.

    Attributes
    ----------
    blend : {"gain", "literal"}
    sigma_px : float
        Gaussian of the edge; at most a third of the lesion's radius is used by "gain", because a wider one would reach
        the ring and leave nothing to measure.
    heterogeneity : float
        Standard deviation of the gain inside the lesion as a share of its mean.
    rim : bool
        Whether the border of the lesion enhances more than its centre.
    """

    blend: Blend = "gain"
    sigma_px: float = 5.0
    heterogeneity: float = 0.0
    rim: bool = False


@dataclass(frozen=True, eq=False)
class Enhancement:
    """Result of `enhance`.

    Attributes
    ----------
    image : ndarray, shape (rows, columns)
        Same type as the host.
    requested : float
        In the form in which it was asked for.
    requested_ratio : float
        The same as lesion over ring in this image.
    before, after : Contrast
        Measured with the ring, before and after the edit.
    added_level : float
        Grey values added at the median of the mask.
    brighter_before : bool
        Whether the host is brighter there already than was asked for. Contrast medium only adds: nothing is taken away.
    """

    image: NDArray[Any]
    requested: float
    requested_ratio: float
    before: Contrast
    after: Contrast
    added_level: float
    brighter_before: bool = False

    @property
    def realised(self) -> float:
        """Lesion over ring after the edit."""
        return self.after.ratio

    @property
    def reached(self) -> bool:
        """Whether the ratio is within 0.01, or 10 % of the enhancement, of the request, or the host exceeds it."""
        return self.brighter_before or abs(self.realised - self.requested_ratio) <= max(
            0.01, 0.1 * abs(self.requested_ratio - 1)
        )


def enhance(
    recombined: NDArray[Any],
    mask: NDArray[np.bool_],
    contrast: float | None,
    *,
    maximum: int,
    settings: EditSettings,
    rng: np.random.Generator,
    rounding: np.random.Generator,
    form: ContrastForm = "ratio",
    profile: VendorProfile | None = None,
    ghost: tuple[Box, NDArray[Any]] | None = None,
    codes: NDArray[np.int64] | None = None,
) -> Enhancement:
    """Give the lesion a relative contrast against its ring.

    "gain" adds a smooth map: anatomy and noise stay as they are, and the level is found so that the contrast, measured
    again as on real lesions, is the one asked for. The host's own difference between mask and ring counts towards it;
    where that is more than was asked for, nothing is added, for contrast medium does not darken.
    "literal" multiplies inside the mask and then smooths the image there, as the paper says; this removes the noise.

    Parameters
    ----------
    recombined : ndarray of uint8 or uint16, shape (rows, columns)
    mask : ndarray of bool, same shape
    contrast : float or None
        In the given form. None adds nothing and takes the same way otherwise: the control of an experiment.
    maximum : int
        Largest stored value.
    settings : EditSettings
    rng : numpy.random.Generator
        Draws the heterogeneity.
    rounding : numpy.random.Generator
        Draws the dither.
    form : {"ratio", "cnr", "iodine"}
    profile : VendorProfile, optional
        Needed for "iodine".
    ghost : ((rows, columns) slices, ndarray), optional
        Grey values to add there: the trace that calcifications leave in the recombined image.
    codes : ndarray of int64, optional
        `used_codes` of the image, where they are known already.

    Raises
    ------
    ValueError
        If mask or ring hold no tissue.
    InvalidSettings
        If iodine is asked for and the profile does not know the gain of the recombination.
    """
    before = measure_enhancement(recombined, mask, profile)
    aim = before.ratio if contrast is None else requested_ratio(contrast, form, before, profile)
    box = box_around(mask, max(int(np.ceil(8 * settings.sigma_px)), ring_reach(mask)))
    if ghost is not None:
        box = _union(box, ghost[0])
    host, inside = recombined[box].astype(np.float32), mask[box]
    trace = np.zeros(host.shape, np.float32) if ghost is None else _placed(ghost, box, host.shape)
    allowed = used_codes(recombined, maximum) if codes is None else codes
    threshold = _dither(inside, settings.sigma_px, rounding)
    image, brighter = recombined.copy(), False

    def show(change: NDArray[Any]) -> Contrast:
        image[box] = round_to_codes(host, change + trace, allowed, threshold).astype(recombined.dtype)
        return measure_enhancement(image, mask, profile)

    if settings.blend == "literal":
        product = np.where(inside, host * np.float32(1.0 if contrast is None else aim), host)
        smoothed = ndimage.gaussian_filter(product, settings.sigma_px, mode="nearest")
        change = np.where(inside, smoothed - host, 0)
        after = show(change)
    else:
        shape = _gain_map(inside, settings, rng)
        level = 0.0 if contrast is None else _level(host, inside, shape, aim)
        brighter = level < 0
        level = max(level, 0.0)
        after = show(np.float32(level) * shape)
        # few grey codes: what rounding took is put back
        for _ in range(ROUNDS if level > 0 else 0):
            miss = aim - after.ratio
            if abs(miss) <= CLOSE:
                break
            other = max(level + miss * after.ring_level, 0.0)
            shown = show(np.float32(other) * shape)
            if abs(aim - shown.ratio) >= abs(miss):
                break
            level, after = other, shown
        change = np.float32(level) * shape
        after = show(change)
    added = float(np.median(change[inside & (host > 0)]))
    return Enhancement(image, aim if contrast is None else contrast, aim, before, after, added, brighter)


def requested_ratio(value: float, form: ContrastForm, host: Contrast, profile: VendorProfile | None) -> float:
    """Turn a contrast of any form into lesion over ring, for the ring of this host."""
    if form == "ratio":
        return value
    if form == "cnr":
        return 1 + value * host.ring_sd / host.ring_level
    gain = None if profile is None else profile.iodine_gain
    if gain is None:
        raise InvalidSettings(f"contrast in mg/cm2 cannot be applied: {host.iodine_reason}; use ratio or cnr")
    return 1 + value * gain / host.ring_level


def calcification_trace(tau: NDArray[Any], profile: VendorProfile, spacing_mm: float) -> NDArray[np.float32]:
    """Grey values that calcifications leave in the recombined image: slightly dark, about 1/24 of their low-energy log.

    Parameters
    ----------
    tau : ndarray, shape (rows, columns)
        Log attenuation of the low-energy primary beam.
    profile : VendorProfile
        With a known `recombined_gain`.
    spacing_mm : float
    """
    if profile.recombined_gain is None:
        raise ValueError(f"the gain of the recombined image of {profile.key} is not known")
    blurred = transfer(tau, profile.response((tau.shape[0], tau.shape[1]), spacing_mm))
    scale = profile.recombined_gain * profile.recombined_residual / (1 + profile.scatter_to_primary)
    return np.asarray(np.float32(scale) * blurred, dtype=np.float32)


def edge_sigma(mask: NDArray[np.bool_], sigma_px: float) -> float:
    """Gaussian in pixels that "gain" uses at the edge of this lesion."""
    return float(np.clip(np.sqrt(mask.sum() / np.pi) / 3, 1.0, max(sigma_px, 1.0)))


def _placed(ghost: tuple[Box, NDArray[Any]], box: Box, shape: tuple[int, ...]) -> NDArray[np.float32]:
    (rows, columns), trace = ghost
    row, column = rows.start - box[0].start, columns.start - box[1].start
    result = np.zeros(shape, np.float32)
    result[row : row + trace.shape[0], column : column + trace.shape[1]] = trace
    return result


def _union(one: Box, other: Box) -> Box:
    rows, columns = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
    return rows, columns


def _gain_map(inside: NDArray[np.bool_], settings: EditSettings, rng: np.random.Generator) -> NDArray[np.float32]:
    """Gaussian of the mask with maximum 1, times a smooth heterogeneity of mean 1 in the mask."""
    sigma = edge_sigma(inside, settings.sigma_px)
    soft = ndimage.gaussian_filter(inside.astype(np.float32), sigma, mode="nearest")
    soft /= soft.max()
    weight = np.ones(soft.shape, np.float32)
    if settings.rim:
        depth = ndimage.distance_transform_edt(inside)
        rim = np.exp(-(((depth - 0.25 * depth.max()) / (0.25 * depth.max())) ** 2))
        weight += ndimage.gaussian_filter(rim.astype(np.float32), sigma) - np.float32(0.5)
    if settings.heterogeneity > 0:
        rows, columns = (fft.next_fast_len(size, real=True) for size in soft.shape)
        # power spectrum 1 / f^3, as the tissue has
        amplitude = np.maximum(frequency_grid((rows, columns), 1.0), 1 / max(rows, columns)) ** np.float32(-1.5)
        field = transfer(rng.standard_normal((rows, columns), dtype=np.float32), amplitude)
        field = field[: soft.shape[0], : soft.shape[1]]
        # detail finer than the edge would be read as noise
        field = ndimage.gaussian_filter(field, sigma, mode="nearest")
        field = (field - field[inside].mean()) / max(float(field[inside].std()), 1e-6)
        weight = weight * (1 + np.float32(settings.heterogeneity) * np.clip(field, -3, 3))
    return np.asarray(soft * np.clip(weight, 0, None), dtype=np.float32)


def _level(host: NDArray[np.float32], inside: NDArray[np.bool_], gain: NDArray[np.float32], aim: float) -> float:
    """Grey values by which the gain map must be multiplied so that lesion over ring is `aim`.

    The ratio grows steadily with the level, so a few secant steps find it.
    """
    tissue = host > 0
    lesion, background = inside & tissue, ring(inside) & tissue
    pixels, outer = (host[lesion], gain[lesion]), (host[background], gain[background])

    def miss(level: float) -> float:
        return contrast_of_values(pixels[0] + level * pixels[1], outer[0] + level * outer[1]).ratio - aim

    ring_level = float(np.median(outer[0]))
    low, high = 0.0, (aim - 1) * ring_level or 0.01 * ring_level
    at_low, at_high = miss(low), miss(high)
    for _ in range(12):
        if abs(at_high) < 1e-4 or at_high == at_low:
            break
        step = at_high * (high - low) / (at_high - at_low)
        limit = 2.0 * ring_level
        low, at_low, high = high, at_high, float(np.clip(high - step, -limit, limit))
        at_high = miss(high)
    return high


def _dither(inside: NDArray[np.bool_], sigma_px: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Rounding thresholds: a field that varies more slowly than the gain map, exactly uniform over the lesion.

    Thresholds drawn for each pixel would add a sixth of a squared grey value to the noise, which marks the lesion on
    8-bit images; none would leave contour lines.
    """
    noise = rng.standard_normal(inside.shape, dtype=np.float32)
    field = ndimage.gaussian_filter(noise, 2 * sigma_px, mode="wrap")
    ordered = np.sort(field[inside])
    return np.asarray((np.searchsorted(ordered, field) + 0.5) / (ordered.size + 1), dtype=np.float64)
