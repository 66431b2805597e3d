"""From detector signals to For-Presentation images: equalisation, enhancement, display curve, recombination."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulation.filters import Image, smooth
from simulation.phantom.acquisition import Exposure
from simulation.phantom.anatomy import Outline
from simulation.vendor import VendorProfile

BITS_STORED = 12
MAXIMUM = 2**BITS_STORED - 1
RECOMBINED_OFFSET = 1800.0
RECOMBINED_GAIN = 11000.0


def low_energy_image(
    exposure: Exposure, form: Outline, profile: VendorProfile, spacing_mm: float
) -> NDArray[np.uint16]:
    """For-Presentation low-energy image: thickness equalisation, unsharp masking, sigmoid display curve.

    The width of the curve is a constant of the system (`VendorProfile.display_width`), its centre the median of the
    breast. Background is 0, breast is at least 1.
    """
    log_image = -np.log(exposure.low)
    fat = smooth(profile.adipose_low * form.thickness_cm, 1.5 / spacing_mm)
    equal = np.where(form.mask, log_image - 0.93 * fat, 0).astype(np.float32)
    # outside the breast the local mean of the breast stands in, so that the skin line is not overshot
    low_pass = _masked_smooth(equal, form.mask, profile.enhancement_sigma_mm / spacing_mm)
    enhanced = equal + profile.enhancement_gain * (equal - low_pass)
    centre = float(np.median(enhanced[form.mask]))
    assert profile.display_width is not None
    shown = MAXIMUM / (1 + np.exp(-np.clip((enhanced - centre) / profile.display_width, -30, 30)))
    return np.where(form.mask, np.clip(np.rint(shown), 1, MAXIMUM), 0).astype(np.uint16)


def recombined_image(
    exposure: Exposure, form: Outline, profile: VendorProfile, spacing_mm: float
) -> NDArray[np.uint16]:
    """Recombined image: weighted log subtraction with noise reduction, offset and gain.

    A tenth of the gland signal and a low-frequency thickness residual remain, as in clinical images.
    """
    weight = profile.recombination_weight * 0.93
    reduce = 0.12 / spacing_mm
    low = np.log(smooth(exposure.low, max(1.6 * reduce, 0.45)))
    high = np.log(smooth(exposure.high, max(reduce, 0.35)))
    residual = weight * low - high
    thickness = profile.adipose_high - weight * profile.adipose_low
    residual = residual - 0.95 * thickness * smooth(form.thickness_cm, 1.5 / spacing_mm)
    middle = float(np.median(residual[form.mask]))
    shown = RECOMBINED_OFFSET + RECOMBINED_GAIN * (residual - middle)
    return np.where(form.mask, np.clip(np.rint(shown), 1, MAXIMUM), 0).astype(np.uint16)


def _masked_smooth(image: Image, mask: NDArray[Any], sigma_px: float) -> Image:
    weight = smooth(mask.astype(np.float32), sigma_px)
    return np.asarray(smooth(image * mask, sigma_px) / np.maximum(weight, 1e-3), dtype=np.float32)
