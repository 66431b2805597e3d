"""Dual-energy exposure of a phantom: attenuation, scatter, detector blur and quantum noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from simulation.filters import Image, smooth
from simulation.phantom.tissue import Tissue, breast_box
from simulation.randomness import generator
from simulation.vendor import VendorProfile

MARGIN = 20
SCATTER_MM = 10.0


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
    share of the primary; the MTF acts on the signal, quantum noise is shaped by its 0.6th power. The noise follows from
    the seed and the outline, its strength from automatic exposure control: it is the same with and without
    calcifications. Only the rectangle around the breast is computed; beside it the signal is that of the open beam.
    """
    box = breast_box(thickness_cm > 0)
    adipose, gland, iodine = thickness_cm[box], tissue.gland_cm[box], tissue.iodine[box]
    calcified = calcification_low[box]
    soft_low = profile.adipose_low * adipose + profile.gland_low * gland
    soft_high = profile.adipose_high * adipose + profile.gland_high * gland
    low = soft_low + profile.iodine_low * iodine + calcified
    ratio = profile.hydroxyapatite_high / profile.hydroxyapatite_low
    high = soft_high + profile.iodine_high * iodine + np.float32(ratio) * calcified
    rows, columns = (fft.next_fast_len(side + 2 * MARGIN, real=True) for side in low.shape)
    # pixels are averages over their area already, so the signal is blurred without the aperture
    blur = profile.blur((rows, columns), spacing_mm)
    noise_response = profile.response((rows, columns), spacing_mm) ** np.float32(0.6)
    signals = []
    for energy, attenuation, soft in (("low", low, soft_low), ("high", high, soft_high)):
        primary = np.exp(-attenuation, dtype=np.float32)
        signal = primary + scatter(primary, adipose, profile, spacing_mm)
        rng = generator(seed, "quanta", energy)
        # repeated borders: the Fourier transform would otherwise bring the open beam in at the chest wall
        after = (rows - MARGIN - signal.shape[0], columns - MARGIN - signal.shape[1])
        padded = np.pad(signal, ((MARGIN, after[0]), (MARGIN, after[1])), mode="edge")
        noise = rng.standard_normal(padded.shape, dtype=np.float32)
        noise *= np.sqrt(padded / np.float32(_open_beam_quanta(soft, adipose, profile, spacing_mm)))
        spectrum = fft.rfft2(padded, workers=1, overwrite_x=True) * blur
        spectrum += fft.rfft2(noise, workers=1, overwrite_x=True) * noise_response
        detected = fft.irfft2(spectrum, s=(rows, columns), workers=1, overwrite_x=True)
        full = np.ones(thickness_cm.shape, np.float32)
        full[box] = np.maximum(detected[MARGIN : -after[0], MARGIN : -after[1]], 1e-5)
        signals.append(full)
    return Exposure(*signals)


def _open_beam_quanta(soft: Image, thickness_cm: Image, profile: VendorProfile, spacing_mm: float) -> float:
    """Quanta per pixel of the open beam that automatic exposure control sets.

    It holds the quanta behind the median of the fully compressed breast at `VendorProfile.quanta`, whatever the
    thickness; contrast agent and calcifications do not change it.
    """
    body, depth = soft[::4, ::4], thickness_cm[::4, ::4]
    behind = float(np.exp(-np.median(body[depth >= 0.9 * depth.max()]))) * (1 + profile.scatter_to_primary)
    return profile.quanta * (spacing_mm / 0.1) ** 2 / behind


def scatter(primary: Image, thickness_cm: Image, profile: VendorProfile, spacing_mm: float) -> Image:
    """Scattered signal of a primary signal, shape (rows, columns).

    Tissue scatters in proportion to its thickness: thin margins and the open beam beside the breast add little.
    """
    body = thickness_cm / np.float32(thickness_cm.max())
    sigma = SCATTER_MM / spacing_mm
    spread = smooth(primary * body, sigma) / np.maximum(smooth(body, sigma), 1e-3)
    return np.asarray(np.float32(profile.scatter_to_primary) * spread * (body > 0), dtype=np.float32)
