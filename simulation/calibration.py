"""From log attenuation to grey values: the width of a host's display curve, known or estimated."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from simulation.calcification import draw_calcification, reach_px, render
from simulation.cluster_plan import draw_plan, particle_morphology
from simulation.contrast_to_noise import contrasts_to_noise, window_half
from simulation.display_curve import to_grey, to_logit
from simulation.filters import frequency_grid
from simulation.randomness import generator
from simulation.template import log_template, relative_noise
from simulation.vendor import VendorProfile

CalibrationKind = Literal["lut", "noise", "match", "anatomy"]

# Plausible widths of a display curve; outside, the noise estimate was misled (compression, resampling).
WIDTH_RANGE = (0.08, 0.60)
# What "match" may take: stored values that were windowed have wider or narrower curves.
MATCH_RANGE = (0.02, 3.0)
COARSE_MM = 0.2
# Half the distance of the 16th and 84th percentile of the processed log image inside the breast (phantom median).
ANATOMICAL_SPREAD = 0.19
# Beyond this distance from the skin a breast has its full thickness.
INNER_MM = 25.0
_TILE = 33
_TILES = 240
_LEAST_TILES = 20
_PERCENTILE = 10
# How often the tile is high-passed: once leaves fine texture in, which looks like noise.
_HIGH_PASS = 2
_REFERENCE_COUNT = 64
_REFERENCE_PACKING = 0.625


@dataclass(frozen=True)
class Calibration:
    """How log attenuation becomes grey values: a sigmoid display curve of known or estimated width.

    Attributes
    ----------
    kind : {"lut", "noise", "match", "anatomy"}
    width : float
        Log units of the processed image for one unit of the logit of the grey value.
    measured, expected : float or None
        "noise": local noise of the host in logit units, and quantum noise in log units. "match": median
        contrast-to-noise ratio reached, and that of the real calcifications. "anatomy": spread of the breast in logit
        units, and the spread that breasts have in log units. None for "lut".
    reason : str
        Why this kind was taken.
    """

    kind: CalibrationKind
    width: float
    measured: float | None = None
    expected: float | None = None
    reason: str = ""


def calibrate(
    image: NDArray[Any],
    breast: NDArray[np.bool_],
    maximum: int,
    profile: VendorProfile,
    spacing_mm: float,
    *,
    kind: Literal["auto", "lut", "noise", "match", "anatomy"],
    target: float | None = None,
) -> Calibration:
    """Find the width of the display curve.

    "lut" takes it from the profile. "match" inserts a fixed sample of calcifications in trial and takes the width at
    which their median contrast-to-noise ratio is that of the site's real calcifications. "noise" compares the local
    noise of the host with the quantum noise that the system should show: standard deviation of the high-passed logit
    image in tiles of 33 pixels in the fully compressed part of the breast, corrected for the tile's own dose; the 10th
    percentile is taken because texture only adds to it. "anatomy" compares the spread of grey values inside the breast
    with the usual spread of breast anatomy; it is the way for coarse pixels, where noise is lost, and the fallback when
    the noise was changed by compression. "auto" takes the first of the four that is possible.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        Low-energy stored values.
    breast : ndarray of bool, same shape
    maximum : int
        Largest stored value.
    profile : VendorProfile
    spacing_mm : float
    kind : {"auto", "lut", "noise", "match", "anatomy"}
    target : float, optional
        Median contrast-to-noise ratio of real calcifications of the site
        (`simulation.contrast_to_noise.typical_contrast_to_noise`); needed by "match".

    Raises
    ------
    ValueError
        If "lut" is asked for a profile without a display curve or for 8-bit values, "match" without a target, or the
        breast is too small to measure.
    """
    known = profile.display_width is not None and maximum > 255
    if kind == "lut" or (kind == "auto" and known):
        if profile.display_width is None:
            raise ValueError(
                f"the profile {profile.key} knows no display curve; use calibration auto, noise, match or anatomy"
            )
        if not known:
            raise ValueError("8-bit values were windowed: the display curve of the system no longer holds for them")
        return Calibration("lut", profile.display_width, reason="display curve of the vendor profile")
    if kind == "match" and target is None:
        raise ValueError(
            "calibration match needs target_contrast_to_noise, measured on real calcifications of the site"
        )
    depth, step = _depth(breast, spacing_mm)
    if target is not None and kind in ("auto", "match"):
        return _match(image, depth, step, maximum, profile, spacing_mm, target)
    reason = "asked for"
    if kind != "anatomy" and spacing_mm > COARSE_MM:
        reason = f"pixels above {COARSE_MM} mm hold no measurable quantum noise"
    elif kind != "anatomy":
        tiles = to_logit(_tiles(image, depth, step, spacing_mm, maximum), maximum)
        if len(tiles) < _LEAST_TILES:
            reason = "too little of the breast is deep enough and within the value range to measure its noise"
        else:
            found = _noise_width(tiles, profile, spacing_mm)
            if WIDTH_RANGE[0] <= found.width <= WIDTH_RANGE[1]:
                return found
            reason = f"the noise of the host gives an implausible width of {found.width:.3f}"
    inner = depth >= min(8.0, 0.5 * float(depth.max()))
    logit = to_logit(image[::step, ::step][inner], maximum)
    if logit.size < 50:
        raise ValueError("the breast is too small to measure its grey values")
    low, high = np.percentile(logit, [16, 84])
    spread = max(float(high - low) / 2, 1e-3)
    width = float(np.clip(ANATOMICAL_SPREAD / spread, *WIDTH_RANGE))
    return Calibration("anatomy", width, spread, ANATOMICAL_SPREAD, reason)


def expected_noise(profile: VendorProfile, spacing_mm: float) -> float:
    """Standard deviation of the high-passed processed log image that quantum noise alone gives."""
    power, weight = _noise_power(profile, spacing_mm)
    return relative_noise(profile, spacing_mm) * float(np.sqrt((power * weight).sum() / weight.sum()))


def _noise_power(profile: VendorProfile, spacing_mm: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Power of high-passed unit noise on an `rfft2` grid, and how many frequencies each entry stands for."""
    shape = (64, 64)
    response = profile.response(shape, spacing_mm) ** 0.6
    frequency = frequency_grid(shape, spacing_mm)
    low_pass = np.exp(-2 * (np.pi * profile.enhancement_sigma_mm * frequency) ** 2)
    response = response * (1 + profile.enhancement_gain * (1 - low_pass))
    rows, columns = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :]
    smoothing = np.cos(np.pi * rows) ** 2 * np.cos(np.pi * columns) ** 2
    power = (response * (1 - smoothing) ** _HIGH_PASS) ** 2
    # columns other than the first and last stand for two frequencies
    weight = np.full(power.shape, 2.0)
    weight[:, 0] = weight[:, -1] = 1.0
    return power, weight


def _depth(breast: NDArray[np.bool_], spacing_mm: float) -> tuple[NDArray[np.float64], int]:
    """Distance to the skin in mm on a grid of about 1 mm, and the step of that grid in pixels.

    Where the picture cuts the breast off there is no skin.
    """
    step = max(1, round(1.0 / spacing_mm))
    coarse = np.pad(breast[::step, ::step], max(2, round(INNER_MM / (step * spacing_mm))), mode="edge")
    depth = np.asarray(ndimage.distance_transform_edt(coarse), dtype=np.float64)
    pad = (coarse.shape[0] - -(-breast.shape[0] // step)) // 2
    return depth[pad:-pad, pad:-pad] * step * spacing_mm, step


def _tiles(
    image: NDArray[Any], depth: NDArray[np.float64], step: int, spacing_mm: float, maximum: int
) -> NDArray[np.float32]:
    """Evenly spread tiles of the fully compressed breast, wider by the reach of the high-pass; (tiles, side, side)."""
    side = min(_TILE, max(9, min(image.shape) // 12) | 1) + 2 * _HIGH_PASS
    inside = depth[depth > 0]
    limit = min(INNER_MM, float(np.percentile(inside, 75))) if inside.size else np.inf
    tiles = _cut(image, depth >= max(limit, 0.75 * side * spacing_mm), step, side, _TILES)
    # near the ends of the curve rounding, not quanta, makes the noise
    level = tiles.mean((1, 2)) / maximum
    return np.asarray(tiles[(level > 0.04) & (level < 0.96)], dtype=np.float32)


def _cut(image: NDArray[Any], where: NDArray[np.bool_], step: int, side: int, count: int) -> NDArray[np.float32]:
    """At most `count` evenly spread windows of odd side around grid points; (windows, side, side)."""
    half = side // 2
    rows, columns = (axis * step for axis in np.nonzero(where))
    fits = (rows >= half) & (columns >= half) & (rows + half < image.shape[0]) & (columns + half < image.shape[1])
    rows, columns = rows[fits], columns[fits]
    if len(rows) == 0:
        return np.zeros((0, side, side), np.float32)
    chosen = np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)
    places = zip(rows[chosen], columns[chosen], strict=True)
    return np.stack([image[r - half : r + half + 1, c - half : c + half + 1] for r, c in places]).astype(np.float32)


def _noise_width(logit: NDArray[np.float32], profile: VendorProfile, spacing_mm: float) -> Calibration:
    fine = logit - _binomial(logit)
    fine = (fine - _binomial(fine))[:, _HIGH_PASS:-_HIGH_PASS, _HIGH_PASS:-_HIGH_PASS]
    spread = fine.std(axis=(1, 2))
    level = logit.mean((1, 2))
    level = level - np.median(level)
    power, weight = _noise_power(profile, spacing_mm)
    # scatter of the standard deviation of one tile, from the correlation of its noise
    share = (power * weight).sum() ** 2 / ((power**2 * weight).sum() * weight.sum())
    scatter = float(1 / np.sqrt(2 * share * fine.shape[1] * fine.shape[2]))
    expected = expected_noise(profile, spacing_mm) * (1 - 1.28 * scatter)
    width = expected / max(float(np.percentile(spread, _PERCENTILE)), 1e-6)
    measured = 0.0
    for _ in range(6):
        # denser tissue lets fewer quanta through; automatic exposure control fixes those behind the median
        dose = np.exp(np.clip(width * level / 2, -1, 1))
        measured = max(float(np.percentile(spread / dose, _PERCENTILE)), 1e-6)
        width = float(np.clip(expected / measured, WIDTH_RANGE[0] / 4, WIDTH_RANGE[1] * 4))
    return Calibration("noise", width, measured, expected, "noise of the host against quantum noise")


def _binomial(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smoothing with (1, 2, 1)/4 along the last two axes."""
    kernel = np.array([0.25, 0.5, 0.25], np.float32)
    return np.asarray(ndimage.convolve1d(ndimage.convolve1d(images, kernel, axis=-1), kernel, axis=-2), np.float32)


def _match(
    image: NDArray[Any],
    depth: NDArray[np.float64],
    step: int,
    maximum: int,
    profile: VendorProfile,
    spacing_mm: float,
    target: float,
) -> Calibration:
    """Bisection on the width with a fixed sample of calcifications on places of the host."""
    side = 2 * window_half(spacing_mm) + 1
    templates = _reference_templates(profile, spacing_mm, side)
    inside = depth[depth > 0]
    windows = _cut(image, depth >= (np.median(inside) if inside.size else np.inf), step, side, _REFERENCE_COUNT)
    if len(windows) == 0:
        raise ValueError("the breast is too small to match the contrast of calcifications")
    windows = windows[np.arange(_REFERENCE_COUNT) % len(windows)]
    logit = to_logit(windows, maximum)

    def reached(width: float) -> float:
        shown = to_grey(logit + templates / np.float32(width), maximum)
        return float(np.median(contrasts_to_noise(np.rint(shown), spacing_mm)))

    low, high = np.log(MATCH_RANGE)
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if reached(float(np.exp(middle))) > target else (low, middle)
    width = float(np.exp((low + high) / 2))
    return Calibration("match", width, reached(width), target, "contrast of the real calcifications of the site")


@functools.lru_cache(maxsize=8)
def _reference_templates(profile: VendorProfile, spacing_mm: float, side: int) -> NDArray[np.float32]:
    """Templates of a fixed sample of calcifications, half of each class; (calcifications, side, side)."""
    rng = generator(0, "calibration", "match")
    half = side // 2
    made = []
    for index in range(_REFERENCE_COUNT):
        malignancy: Literal["benign", "malignant"] = "malignant" if index % 2 else "benign"
        plan = draw_plan(rng, malignancy)
        morphology = particle_morphology(rng, plan, malignancy)
        place = 0.5 + float(rng.uniform(-0.5, 0.5)), 0.5 + float(rng.uniform(-0.5, 0.5))
        particle = draw_calcification(
            rng, malignancy, x=place[0], y=place[1], morphology=morphology, comedo=plan.comedo
        )
        reach = int(np.ceil(reach_px(particle, spacing_mm))) + 2
        pad = max(reach, half) + round(profile.enhancement_sigma_mm / spacing_mm)
        layer = render(
            [particle],
            (2 * pad + 1, 2 * pad + 1),
            spacing_mm=spacing_mm,
            attenuation_per_mm=_REFERENCE_PACKING * profile.hydroxyapatite_low,
            origin=(-pad, -pad),
        )
        template = log_template(layer, profile, spacing_mm, rng=None)
        made.append(template[pad - half : pad + half + 1, pad - half : pad + half + 1])
    stack = np.stack(made)
    stack.setflags(write=False)
    return stack
