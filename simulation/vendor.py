"""Imaging systems as data: beam, detector and processing constants of each vendor profile.

Beam constants: SpekPy 2.5.4 spectra with Elam attenuation tables behind 50 mm of 50/50 tissue. MTF of the
Senographe Essential: Ghetti, Med Phys 2008. The MTF of the Pristina has not been published where we could read
it; the Essential's stands in and the profile says so in `assumed`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from simulation.filters import Image, frequency_grid


@dataclass(frozen=True)
class VendorProfile:
    """Constants of one imaging system; attenuations are natural logarithms.

    Attributes
    ----------
    key : str
        Value of `CEMPair.vendor`.
    pixel_mm : float
        Detector pixel, used where a file states none.
    mtf : tuple of float
        Modulation transfer at 1, 2 and 4 lp/mm.
    adipose_low, adipose_high : float
        Attenuation of adipose tissue per cm, low-energy and high-energy beam.
    gland_low, gland_high : float
        Gland minus adipose per cm.
    iodine_low, iodine_high : float
        Per mg/cm2 of iodine.
    hydroxyapatite_low, hydroxyapatite_high : float
        Solid hydroxyapatite minus tissue, per mm.
    scatter_to_primary : float
        Behind the grid.
    enhancement_gain, enhancement_sigma_mm : float
        Unsharp masking of the vendor's processing.
    quanta : float
        Quanta per 0.1 mm x 0.1 mm behind the breast, as automatic exposure control holds them.
    display_width : float or None
        Width of the sigmoid display curve in log units of the processed image; None when the vendor's curve is
        not known and must be estimated from the noise.
    recombined_gain : float or None
        Stored values of the recombined image for one log unit; None where the vendor's is not known.
    assumed : tuple of str
        Names of the constants that are assumptions for this system.
    """

    key: str
    pixel_mm: float
    mtf: tuple[float, float, float]
    adipose_low: float
    adipose_high: float
    gland_low: float
    gland_high: float
    iodine_low: float
    iodine_high: float
    hydroxyapatite_low: float
    hydroxyapatite_high: float
    scatter_to_primary: float
    enhancement_gain: float
    enhancement_sigma_mm: float
    quanta: float
    display_width: float | None
    assumed: tuple[str, ...] = ()
    recombined_gain: float | None = None

    @property
    def recombination_weight(self) -> float:
        """Weight of the low-energy logarithm that cancels gland against fat."""
        return self.gland_high / self.gland_low

    @property
    def iodine_gain(self) -> float | None:
        """Stored values of the recombined image for 1 mg/cm2 of iodine, where the gain is known."""
        if self.recombined_gain is None:
            return None
        return self.recombined_gain * (self.iodine_high - self.recombination_weight * self.iodine_low)

    @property
    def recombined_residual(self) -> float:
        """Log signal of hydroxyapatite in the recombined image for one log unit of the low-energy image; negative."""
        return self.hydroxyapatite_high / self.hydroxyapatite_low - self.recombination_weight

    def response(self, shape: tuple[int, int], spacing_mm: float) -> Image:
        """Presampling modulation transfer, detector aperture included, on the `rfft2` grid of an image.

        exp(-(f/f0)**p) through the tabulated points; float32, 1 at zero frequency.
        """
        return _mtf(self.mtf, shape, spacing_mm)

    def blur(self, shape: tuple[int, int], spacing_mm: float) -> Image:
        """Response for an image whose pixels are averages over their area already.

        The tabulated MTF contains the detector's aperture; it is divided out, else it would act twice.
        """
        rows = np.sinc(fft.fftfreq(shape[0], spacing_mm) * self.pixel_mm)[:, None]
        columns = np.sinc(fft.rfftfreq(shape[1], spacing_mm) * self.pixel_mm)[None, :]
        aperture = np.maximum(rows * columns, 0.3)  # pixels finer than the detector's: no division by zero
        return np.asarray(np.minimum(self.response(shape, spacing_mm) / aperture, 1.0), dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        """Every constant, for the record of a case."""
        return asdict(self)


def _mtf(points: tuple[float, float, float], shape: tuple[int, int], spacing_mm: float) -> Image:
    power, offset = np.polyfit(np.log([1.0, 2.0, 4.0]), np.log(-np.log(np.array(points))), 1)
    frequency = frequency_grid(shape, spacing_mm)
    exponent: NDArray[Any] = np.exp(offset) * frequency**power
    return np.asarray(np.exp(-exponent), dtype=np.float32)


_ESSENTIAL = VendorProfile(
    key="ge-essential",
    pixel_mm=0.1,
    mtf=(0.85, 0.59, 0.24),
    adipose_low=0.50,
    adipose_high=0.25,
    gland_low=0.241,
    gland_high=0.054,
    iodine_low=0.0225,
    iodine_high=0.0216,
    hydroxyapatite_low=1.76,
    hydroxyapatite_high=0.32,
    scatter_to_primary=0.2,
    enhancement_gain=1.2,
    enhancement_sigma_mm=2.0,
    quanta=4500.0,
    display_width=None,
    assumed=("scatter_to_primary", "enhancement_gain", "enhancement_sigma_mm", "quanta"),
)
_PRISTINA = replace(
    _ESSENTIAL,
    key="ge-pristina",
    adipose_low=0.47,
    gland_low=0.204,
    iodine_low=0.0195,
    iodine_high=0.0217,
    hydroxyapatite_low=1.48,
    hydroxyapatite_high=0.32,
    quanta=6000.0,
    assumed=(*_ESSENTIAL.assumed, "mtf", "pixel_mm"),
)
_HOLOGIC = replace(
    _ESSENTIAL,
    key="hologic",
    pixel_mm=0.07,
    mtf=(0.95, 0.87, 0.65),
    gland_high=0.0624,
    iodine_low=0.0226,
    iodine_high=0.0211,
    hydroxyapatite_high=0.36,
    enhancement_gain=0.8,
    assumed=(*_ESSENTIAL.assumed, "mtf"),
)

PROFILES: dict[str, VendorProfile] = {
    profile.key: profile
    for profile in (
        _ESSENTIAL,
        _PRISTINA,
        _HOLOGIC,
        replace(_ESSENTIAL, key="phantom-a", display_width=0.165, recombined_gain=11000.0, assumed=()),
        replace(
            _PRISTINA, key="phantom-b", display_width=0.138, recombined_gain=11000.0, enhancement_gain=0.9, assumed=()
        ),
        replace(_ESSENTIAL, key="unknown", assumed=("every constant: the system was not recognised",)),
    )
}


def profile_of(vendor: str) -> VendorProfile:
    """Profile of a vendor key; the ``"unknown"`` profile for a key without one."""
    return PROFILES.get(vendor, PROFILES["unknown"])
