"""What calcifications change in the processed log image: detector blur, scatter, quantum noise, vendor enhancement.

Vancoillie (JMI 2020) multiplies such a template into unprocessed projections; the vendor's enhancement comes on top
because S000 inserts into For-Presentation images.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from simulation.calcification import CalcificationLayer
from simulation.display_curve import to_logit
from simulation.filters import enlarge, smooth, transfer
from simulation.vendor import VendorProfile

# How far the detector's blur is followed beyond a calcification.
BLUR_REACH_MM = 1.6
SCATTER_SIGMA_MM = 10.0


def relative_noise(profile: VendorProfile, spacing_mm: float) -> float:
    """Relative quantum noise of one pixel behind the breast, before the detector shapes it."""
    return float(1 / np.sqrt(profile.quanta * (spacing_mm / 0.1) ** 2))


def log_template(
    layer: CalcificationLayer,
    profile: VendorProfile,
    spacing_mm: float,
    *,
    rng: np.random.Generator | None,
    scatter_to_primary: NDArray[np.float32] | None = None,
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
    scatter_to_primary : ndarray of float32, shape of the layer, optional
        See `local_scatter`; the constant of the profile when None.

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
    dilution = np.full(shape, 1 + profile.scatter_to_primary, np.float32)
    if scatter_to_primary is not None:
        dilution[: tau.shape[0], : tau.shape[1]] = 1 + scatter_to_primary[box]
    # blur after the exponential: the detector blurs intensity, not attenuation
    signal = 1 + transfer(loss, profile.blur(shape, spacing_mm)) / dilution
    raw = -np.log(np.maximum(signal, 1e-4))
    if rng is not None:
        # quanta of the weakened beam: relative variance grows from 1/q to 1/(q x signal)
        weakened = 1 + loss / dilution
        extra = np.float32(relative_noise(profile, spacing_mm)) * np.sqrt(np.maximum(1 / weakened - 1, 0))
        white = rng.standard_normal(shape, dtype=np.float32)
        raw = raw + transfer(white * extra, profile.response(shape, spacing_mm) ** np.float32(0.6))
    template[box] = raw[: tau.shape[0], : tau.shape[1]]
    low_pass = smooth(template, profile.enhancement_sigma_mm / spacing_mm)
    gain = np.float32(profile.enhancement_gain)
    return np.asarray(template + gain * (template - low_pass), dtype=np.float32)


def local_scatter(
    image: NDArray[Any],
    region: tuple[int, int, int, int],
    profile: VendorProfile,
    spacing_mm: float,
    *,
    maximum: int,
    width: float,
) -> NDArray[np.float32]:
    """Scatter-to-primary ratio on a region.

    Scatter is smooth over a centimetre while the primary beam follows the tissue: behind dense tissue the ratio is
    higher than on average, behind fat lower. The tissue is read off the image through its display curve.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        Stored values; 0 is air.
    region : tuple of int
        (row0, row1, column0, column1), half open.
    profile : VendorProfile
    spacing_mm : float
    maximum : int
        Largest stored value.
    width : float
        Of the display curve, in log units.
    """
    row0, row1, column0, column1 = region
    step, reach = max(1, round(0.5 / spacing_mm)), round(2.5 * SCATTER_SIGMA_MM / spacing_mm)
    top, left = max(row0 - reach, 0) // step * step, max(column0 - reach, 0) // step * step
    coarse = image[top : row1 + reach : step, left : column1 + reach : step]
    body = (coarse > 0).astype(np.float32)
    fine_scale = 0.8 / (step * spacing_mm)
    weight = np.maximum(ndimage.gaussian_filter(body, fine_scale), np.float32(1e-3))
    tissue = ndimage.gaussian_filter(to_logit(coarse, maximum) * body, fine_scale) / weight * np.float32(width)
    primary = np.exp(-np.clip(tissue - np.median(tissue), -1.5, 1.5)) * body
    wide = SCATTER_SIGMA_MM / (step * spacing_mm)
    scattered = smooth(primary, wide) / np.maximum(smooth(body, wide), np.float32(1e-3))
    ratio = np.where(body > 0, scattered / np.maximum(primary, np.float32(1e-3)), 1).astype(np.float32)
    ratio = np.clip(ratio, 0.4, 2.5) * np.float32(profile.scatter_to_primary)
    rows, columns = row1 - row0, column1 - column0
    shape = (row0 - top + rows, column0 - left + columns)
    return enlarge(ratio, shape, step)[row0 - top :, column0 - left :]


def _box(tau: NDArray[np.float32], pad: int) -> tuple[slice, slice] | None:
    """Rows and columns that hold attenuation, with `pad` pixels around."""
    rows, columns = np.flatnonzero(tau.any(1)), np.flatnonzero(tau.any(0))
    if rows.size == 0:
        return None
    return (
        slice(max(int(rows[0]) - pad, 0), int(rows[-1]) + pad + 1),
        slice(max(int(columns[0]) - pad, 0), int(columns[-1]) + pad + 1),
    )
