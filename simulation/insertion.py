"""Inserting calcifications into a For-Presentation low-energy image as if they had been ray-traced.

Log attenuation is drawn on the pixel grid, passes the detector's blur in the linear domain, loses contrast to scatter,
takes the vendor's enhancement and is mapped through the display curve (S000, section 2.2; Vancoillie, JMI 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from simulation.calcification import Calcification, CalcificationLayer, reach_px, render
from simulation.calibration import Calibration
from simulation.contrast_to_noise import local_noise
from simulation.display_curve import to_grey, to_logit
from simulation.grey_codes import SMALLEST_CHANGE, round_to_codes, slow_dither, used_codes
from simulation.template import local_scatter, log_template
from simulation.vendor import VendorProfile

MEDIAN_CONTRAST_TO_NOISE = (1.5, 12.0)
MINIMUM_VISIBLE = 5
VISIBLE_CONTRAST_TO_NOISE = 2.0
MAXIMUM_CLIPPED = 0.005
MAXIMUM_SHIFT = 0.5
# Least share of solid hydroxyapatite that is still a calcification; fainter ones are not made fainter.
MINIMUM_PACKING = 0.1
# Over which distance the dither of the rounding varies.
DITHER_MM = 0.5


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
    packing : float
        Attenuation as a share of solid hydroxyapatite.
    tau_max, thickness_max_um, contrast_to_noise : tuple of float
        Of each calcification: largest log attenuation of the primary beam; largest thickness on the pixel grid; peak
        grey difference over local noise.
    noise : float
        Noise and fine texture around the calcifications in grey values.
    clipped_fraction : float
        Of the support, at the ends of the value range.
    mean_shift : float
        Mean grey difference outside the calcifications that attenuation, blur and enhancement do not explain.
    halo_shift : float
        Mean grey difference outside the calcifications that they do explain: the darker halo of the vendor's
        enhancement, which a real calcification has as well.
    """

    image: NDArray[Any]
    region: tuple[int, int, int, int]
    support: NDArray[np.bool_]
    layer: CalcificationLayer
    packing: float
    tau_max: tuple[float, ...]
    thickness_max_um: tuple[float, ...]
    contrast_to_noise: tuple[float, ...]
    noise: float
    clipped_fraction: float
    mean_shift: float
    halo_shift: float

    @property
    def shortcoming(self) -> str | None:
        """What makes the cluster unfit, or None: saturating, too strong, too faint, or a shifted background."""
        median = float(np.median(self.contrast_to_noise))
        low, high = MEDIAN_CONTRAST_TO_NOISE
        visible = sum(ratio > VISIBLE_CONTRAST_TO_NOISE for ratio in self.contrast_to_noise)
        if self.clipped_fraction > MAXIMUM_CLIPPED:
            return "insertion saturates"
        if median > high:
            return "insertion too strong against the local noise"
        if median < low or visible < MINIMUM_VISIBLE:
            return "insertion too faint against the local noise"
        if abs(self.mean_shift) > MAXIMUM_SHIFT:
            return "insertion shifts the background"
        return None


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
    codes: NDArray[np.int64] | None = None,
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
        Attenuation as a share of solid hydroxyapatite. 0 does everything and changes nothing: the control that shows
        what the procedure itself leaves behind.
    calibration : Calibration
    rng : numpy.random.Generator
        Noise and dithered rounding.
    noise_consistency : bool
        Whether the weakened beam's additional noise is added.
    codes : ndarray of int64, optional
        `used_codes` of the image, where they are known already.
    """
    region = _region(calcifications, image.shape, spacing_mm, profile)
    row0, row1, column0, column1 = region
    layer = render(
        calcifications,
        (row1 - row0, column1 - column0),
        spacing_mm=spacing_mm,
        attenuation_per_mm=packing * profile.hydroxyapatite_low,
        origin=(row0, column0),
    )
    scatter = local_scatter(image, region, profile, spacing_mm, maximum=maximum, width=calibration.width)
    template = log_template(
        layer, profile, spacing_mm, rng=rng if noise_consistency else None, scatter_to_primary=scatter
    )
    host = image[row0:row1, column0:column1].astype(np.float32)
    shown = to_grey(to_logit(host, maximum) + template / np.float32(calibration.width), maximum)
    change = np.where(host > 0, shown - np.clip(host, 0.5, maximum - 0.5), 0)
    # the far tail of the template is no change at all
    change = np.where((np.abs(change) < SMALLEST_CHANGE) | (template == 0), 0, change)
    threshold = slow_dither((host.shape[0], host.shape[1]), DITHER_MM / spacing_mm, rng)
    allowed = used_codes(image, maximum) if codes is None else codes
    rounded = round_to_codes(host, change, allowed, threshold)
    changed = change != 0
    clipped = changed & ((rounded <= 1) | (rounded >= maximum - 1))
    rounded = np.where(changed, np.clip(rounded, 1, maximum - 1), rounded)
    result = image.copy()
    result[row0:row1, column0:column1] = rounded.astype(image.dtype)
    support = np.zeros(image.shape, bool)
    support[row0:row1, column0:column1] = layer.support
    surround = ndimage.maximum_filter(layer.support, 2 * max(2, round(1 / spacing_mm)) + 1)
    near, far = surround & ~layer.support & (host > 0), ~surround & (host > 0)
    noise = local_noise(host, spacing_mm, near if near.any() else layer.support)
    taus, thicknesses, ratios = [], [], []
    for particle in calcifications:
        patch = _patch(particle, region, spacing_mm)
        taus.append(float(layer.tau[patch].max()))
        thicknesses.append(float(layer.thickness_um[patch].max()))
        ratios.append(float(change[patch].max() / noise))
    return Insertion(
        result,
        region,
        support,
        layer,
        packing,
        tuple(taus),
        tuple(thicknesses),
        tuple(ratios),
        noise,
        float(clipped[layer.support].mean()),
        float((rounded - host - change)[far].mean()) if far.any() else 0.0,
        float(change[far].mean()) if far.any() else 0.0,
    )


def insert_within_limits(
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
    codes: NDArray[np.int64] | None = None,
    tries: int = 4,
) -> Insertion:
    """As `insert_calcifications`, with less packing where the calcifications saturate or are too strong.

    The caller looks at `Insertion.shortcoming`; `Insertion.packing` says what was used.
    """
    while True:
        insertion = insert_calcifications(
            image,
            calcifications,
            maximum=maximum,
            profile=profile,
            spacing_mm=spacing_mm,
            packing=packing,
            calibration=calibration,
            rng=rng,
            noise_consistency=noise_consistency,
            codes=codes,
        )
        tries -= 1
        median = float(np.median(insertion.contrast_to_noise))
        factor = 0.7 if insertion.clipped_fraction > MAXIMUM_CLIPPED else 1.0
        if median > MEDIAN_CONTRAST_TO_NOISE[1]:
            factor = min(factor, 0.85 * MEDIAN_CONTRAST_TO_NOISE[1] / median)
        if factor == 1.0 or tries <= 0 or packing <= MINIMUM_PACKING:
            return insertion
        packing = max(packing * factor, MINIMUM_PACKING)


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
