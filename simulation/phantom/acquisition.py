"""Dual-energy exposure of a phantom: attenuation, scatter, detector blur and quantum noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from simulation.filters import Image, smooth
from simulation.phantom.anatomy import Tissue
from simulation.randomness import generator
from simulation.vendor import VendorProfile

MARGIN = 20


@dataclass(frozen=True, eq=False)
class Exposure:
    """Detector signals relative to the open beam, float32, shape (rows, columns)."""

    low: Image
    high: Image


def expose(
    tissue: Tissue,
    thickness_cm: Image,
    calcification_low: Image,
    profile: VendorProfile,
    spacing_mm: float,
    *,
    seed: int,
) -> Exposure:
    """Expose at low and high energy.

    Log attenuation is adipose x thickness + gland difference x gland + iodine + calcifications; scatter is a low-pass
    share of the primary; the MTF blurs the signal (pixels are averages over their area, so without the aperture),
    quantum noise is shaped by its 0.6th power. Equal seeds give the same noise with and without calcifications.
    """
    soft_low = profile.adipose_low * thickness_cm + profile.gland_low * tissue.gland_cm
    soft_high = profile.adipose_high * thickness_cm + profile.gland_high * tissue.gland_cm
    low = soft_low + profile.iodine_low * tissue.iodine + calcification_low
    ratio = profile.hydroxyapatite_high / profile.hydroxyapatite_low
    high = soft_high + profile.iodine_high * tissue.iodine + ratio * calcification_low
    shape = (low.shape[0] + 2 * MARGIN, low.shape[1] + 2 * MARGIN)
    blur, shaping = profile.blur(shape, spacing_mm), profile.response(shape, spacing_mm) ** np.float32(0.6)
    quanta_low = _open_beam_quanta(soft_low, thickness_cm, profile, spacing_mm)
    quanta_high = _open_beam_quanta(soft_high, thickness_cm, profile, spacing_mm)
    return Exposure(
        _detect(low, thickness_cm, blur, shaping, profile, quanta_low, spacing_mm, seed, "low"),
        _detect(high, thickness_cm, blur, shaping, profile, quanta_high, spacing_mm, seed, "high"),
    )


def _open_beam_quanta(soft: Image, thickness_cm: Image, profile: VendorProfile, spacing_mm: float) -> float:
    """Quanta per pixel of the open beam that automatic exposure control sets.

    It holds the quanta behind the median of the fully compressed breast at `VendorProfile.quanta`, whatever the
    thickness; contrast agent and calcifications do not change it.
    """
    body, depth = soft[::4, ::4], thickness_cm[::4, ::4]
    behind = float(np.exp(-np.median(body[depth >= 0.9 * depth.max()]))) * (1 + profile.scatter_to_primary)
    return profile.quanta * (spacing_mm / 0.1) ** 2 / behind


def _detect(
    log_attenuation: Image,
    thickness_cm: Image,
    blur: Image,
    shaping: Image,
    profile: VendorProfile,
    quanta_open: float,
    spacing_mm: float,
    seed: int,
    energy: str,
) -> Image:
    # repeated borders: the Fourier transform would otherwise bring the open beam in at the chest wall
    primary = np.pad(np.exp(-log_attenuation, dtype=np.float32), MARGIN, mode="edge")
    # tissue scatters in proportion to its thickness: thin margins and the open beam beside the breast add little
    body = np.pad(thickness_cm / np.float32(thickness_cm.max()), MARGIN, mode="edge")
    sigma = 10 / spacing_mm
    scattered = smooth(primary * body, sigma) / np.maximum(smooth(body, sigma), 1e-3) * (body > 0)
    signal = primary + np.float32(profile.scatter_to_primary) * scattered
    rng = generator(seed, "quanta", energy)
    noise = rng.standard_normal(signal.shape, dtype=np.float32) * np.sqrt(signal / np.float32(quanta_open))
    spectrum = fft.rfft2(signal, workers=1) * blur
    spectrum += fft.rfft2(noise, workers=1) * shaping
    detected = fft.irfft2(spectrum, s=signal.shape, workers=1)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    return np.asarray(np.maximum(detected, 1e-5), dtype=np.float32)
