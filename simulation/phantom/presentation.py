"""From detector signals to For-Presentation images: equalisation, enhancement, display curve, recombination."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from simulation.filters import Image, smooth
from simulation.phantom.acquisition import Exposure, scatter
from simulation.phantom.anatomy import Outline
from simulation.phantom.tissue import breast_box
from simulation.vendor import VendorProfile

BITS_STORED = 12
MAXIMUM = 2**BITS_STORED - 1
RECOMBINED_OFFSET = 1800.0
_SKIN_MM = 1.2


def low_energy_image(
    exposure: Exposure, form: Outline, profile: VendorProfile, spacing_mm: float
) -> NDArray[np.uint16]:
    """For-Presentation low-energy image: thickness equalisation, unsharp masking, sigmoid display curve.

    The width of the curve is a constant of the system (`VendorProfile.display_width`), its centre lies between
    the darkest and the bright tenth of the breast. Background is 0, breast is at least 1.
    """
    box = breast_box(form.mask)
    mask = form.mask[box]
    fat = np.float32(0.95 * profile.adipose_low) * form.thickness_cm[box]
    equal = (-np.log(exposure.low[box]) - fat) * mask
    # outside the breast the local mean of the breast stands in, so that the skin line is not overshot
    low_pass = _masked_smooth(equal, mask, profile.enhancement_sigma_mm / spacing_mm)
    enhanced = equal + np.float32(profile.enhancement_gain) * (equal - low_pass)
    # two percentiles that a lesion of a few square millimetres does not move
    low, high = np.percentile(enhanced[::2, ::2][mask[::2, ::2]], (2, 90))
    centre = low + 0.63 * (high - low)
    assert profile.display_width is not None
    curve = np.clip((enhanced - np.float32(centre)) / np.float32(profile.display_width), -30, 30)
    shown = np.float32(MAXIMUM) / (1 + np.exp(-curve))
    image = np.zeros(form.mask.shape, np.uint16)
    image[box] = np.clip(np.rint(shown), 1, MAXIMUM).astype(np.uint16) * mask
    return image


def recombined_image(
    exposure: Exposure, form: Outline, profile: VendorProfile, spacing_mm: float
) -> NDArray[np.uint16]:
    """Recombined image: scatter correction, weighted log subtraction with noise reduction, offset and gain.

    A part of the gland signal and a low-frequency residual of thickness and scatter remain, as in clinical images.
    """
    box = breast_box(form.mask)
    mask, thickness = form.mask[box], form.thickness_cm[box]
    weight = profile.recombination_weight * 0.91
    reduce = 0.16 / spacing_mm
    # the signal holds the scatter once: its own scatter is larger than that of the primary by that share
    share = 0.9 / (1 + profile.scatter_to_primary)
    logs = []
    for signal, sigma in ((exposure.low[box], max(1.1 * reduce, 0.38)), (exposure.high[box], max(reduce, 0.35))):
        primary = signal - np.float32(share) * scatter(signal, thickness, profile, spacing_mm)
        logs.append(np.log(np.maximum(cv2.GaussianBlur(primary, (0, 0), sigma), np.float32(1e-5))))
    residual = np.float32(weight) * logs[0] - logs[1]
    remaining = profile.adipose_high - weight * profile.adipose_low
    residual -= np.float32(0.99 * remaining) * thickness
    middle = float(np.median(residual[::2, ::2][mask[::2, ::2]]))
    # blurred with the open beam the outermost skin would shine: it fades into the mean of the tissue below it
    distance = form.distance_mm[box]
    below = float(residual[(distance > _SKIN_MM) & (distance < 3 * _SKIN_MM)].mean())
    fade = np.clip(distance / np.float32(_SKIN_MM) - np.float32(0.4), 0, 1)
    residual = np.float32(below) + fade * (residual - np.float32(below))
    assert profile.recombined_gain is not None
    shown = np.float32(RECOMBINED_OFFSET) + np.float32(profile.recombined_gain) * (residual - np.float32(middle))
    image = np.zeros(form.mask.shape, np.uint16)
    image[box] = np.clip(np.rint(shown), 1, MAXIMUM).astype(np.uint16) * mask
    return image


def _masked_smooth(image: Image, mask: NDArray[Any], sigma_px: float) -> Image:
    weight = smooth(mask.astype(np.float32), sigma_px)
    return np.asarray(smooth(image, sigma_px) / np.maximum(weight, 1e-3), dtype=np.float32)
