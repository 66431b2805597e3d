"""What calcifications change in the processed log image: detector blur, scatter, quantum noise, vendor enhancement.

Vancoillie (JMI 2020) multiplies such a template into unprocessed projections; the vendor's enhancement comes on top
because S000 inserts into For-Presentation images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from simulation.calcification import CalcificationLayer
from simulation.filters import smooth, transfer
from simulation.vendor import VendorProfile

# How far the detector's blur is followed beyond a calcification.
BLUR_REACH_MM = 1.6


def relative_noise(profile: VendorProfile, spacing_mm: float) -> float:
    """Relative quantum noise of one pixel behind the breast, before the detector shapes it."""
    return float(1 / np.sqrt(profile.quanta * (spacing_mm / 0.1) ** 2))


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

    Returns
    -------
    ndarray of float32, shape of the layer
        In log units; zero when the layer attenuates nothing.
    """
    template = np.zeros(layer.tau.shape, np.float32)
    box = _box(layer.tau, max(8, round(BLUR_REACH_MM / spacing_mm)))
    if box is None:
        return template
    tau = layer.tau[box]
    # the transform is periodic: what is added to reach a fast size is unattenuated beam
    shape = (fft.next_fast_len(tau.shape[0], real=True), fft.next_fast_len(tau.shape[1], real=True))
    loss = np.zeros(shape, np.float32)
    loss[: tau.shape[0], : tau.shape[1]] = np.expm1(-tau)
    scatter = profile.scatter_to_primary
    # blur after the exponential: the detector blurs intensity, not attenuation
    signal = 1 + transfer(loss, profile.blur(shape, spacing_mm)) / np.float32(1 + scatter)
    raw = -np.log(np.maximum(signal, 1e-4))
    if rng is not None:
        # quanta of the weakened beam: relative variance grows from 1/q to 1/(q x signal)
        weakened = 1 + loss / np.float32(1 + scatter)
        extra = np.float32(relative_noise(profile, spacing_mm)) * np.sqrt(np.maximum(1 / weakened - 1, 0))
        white = rng.standard_normal(shape, dtype=np.float32)
        raw = raw + transfer(white * extra, profile.response(shape, spacing_mm) ** np.float32(0.6))
    template[box] = raw[: tau.shape[0], : tau.shape[1]]
    low_pass = smooth(template, profile.enhancement_sigma_mm / spacing_mm)
    gain = np.float32(profile.enhancement_gain)
    return np.asarray(template + gain * (template - low_pass), dtype=np.float32)


def _box(tau: NDArray[np.float32], pad: int) -> tuple[slice, slice] | None:
    """Rows and columns that hold attenuation, with `pad` pixels around."""
    rows, columns = np.flatnonzero(tau.any(1)), np.flatnonzero(tau.any(0))
    if rows.size == 0:
        return None
    return (
        slice(max(int(rows[0]) - pad, 0), int(rows[-1]) + pad + 1),
        slice(max(int(columns[0]) - pad, 0), int(columns[-1]) + pad + 1),
    )
