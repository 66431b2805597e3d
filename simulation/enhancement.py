"""Mass-like enhancement in the recombined image: measuring it, sampling it, applying it (S000, section 2.2)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from simulation.calcification import Malignancy
from simulation.errors import InvalidSettings

SCHEMA = "cemlab.contrast-distribution/1"
CONTRAST_RANGE = (0.95, 1.40)


@dataclass(frozen=True)
class ContrastDistribution:
    """Distribution of the relative contrast of one class.

    Attributes
    ----------
    malignancy : {"benign", "malignant"}
    values : tuple of float
        Measured ratios lesion / ring; empty for the prior.
    bandwidth : float
        Of the Gaussian kernel around each value.
    """

    malignancy: Malignancy
    values: tuple[float, ...] = ()
    bandwidth: float = 0.0

    @classmethod
    def prior(cls, malignancy: Malignancy) -> ContrastDistribution:
        """Mixture used until a site has measured its own cases.

        Malignant clusters enhance with probability 0.89, benign ones with 0.13 (n = 94); the sizes of the
        enhancement are an engineering prior.
        """
        return cls(malignancy)

    @classmethod
    def fit(cls, values: Sequence[float], malignancy: Malignancy) -> ContrastDistribution:
        """Kernel density of measured contrasts, Silverman's bandwidth.

        Parameters
        ----------
        values : sequence of float
            From `measure_contrast`; at least three.
        malignancy : {"benign", "malignant"}

        Raises
        ------
        InvalidSettings
            If there are fewer than three values or one is not a positive number.
        """
        numbers = [float(value) for value in values]
        if len(numbers) < 3:
            raise InvalidSettings(f"{len(numbers)} measured contrasts; at least 3 are needed, or use the prior")
        if not all(np.isfinite(number) and number > 0 for number in numbers):
            raise InvalidSettings("measured contrasts must be positive numbers")
        spread = float(np.std(numbers, ddof=1))
        quartiles = np.percentile(numbers, [25, 75])
        robust = float(quartiles[1] - quartiles[0]) / 1.34
        width = min(spread, robust) if robust > 0 else spread
        return cls(malignancy, tuple(numbers), 0.9 * width * len(numbers) ** -0.2)

    @property
    def is_prior(self) -> bool:
        """Whether no measured values stand behind it."""
        return not self.values

    def sample(self, rng: np.random.Generator) -> float:
        """Draw one relative contrast; the prior is cut to [0.95, 1.40]."""
        if self.values:
            value = float(rng.choice(self.values)) + self.bandwidth * float(rng.standard_normal())
            return max(value, 0.01)
        enhanced = rng.random() < (0.89 if self.malignancy == "malignant" else 0.13)
        if enhanced:
            median = 0.055 if self.malignancy == "malignant" else 0.025
            value = 1 + median * float(np.exp(0.6 * rng.standard_normal()))
        else:
            value = 1 + (0.010 if self.malignancy == "malignant" else 0.008) * float(rng.standard_normal())
        return float(np.clip(value, *CONTRAST_RANGE))

    def to_json(self) -> dict[str, Any]:
        """Plain values with the schema name."""
        return {
            "schema": SCHEMA,
            "malignancy": self.malignancy,
            "values": list(self.values),
            "bandwidth": self.bandwidth,
        }

    @classmethod
    def from_json(cls, body: dict[str, Any] | str) -> ContrastDistribution:
        """Read what `to_json` wrote.

        Raises
        ------
        InvalidSettings
            If the schema or the class is another one.
        """
        values = json.loads(body) if isinstance(body, str) else body
        if values.get("schema") != SCHEMA or values.get("malignancy") not in ("benign", "malignant"):
            raise InvalidSettings(f"contrast distribution: expected schema {SCHEMA} for benign or malignant")
        return cls(values["malignancy"], tuple(float(v) for v in values["values"]), float(values["bandwidth"]))


@dataclass(frozen=True, eq=False)
class Enhancement:
    """Result of `enhance`.

    Attributes
    ----------
    image : ndarray, shape (rows, columns)
    realised : float
        Median ratio in the mask after the edit over that before it.
    contrast_before, contrast_after : float
        Lesion over ring, as `measure_contrast` gives it.
    ring_level : float
        Median of the ring before the edit.
    """

    image: NDArray[Any]
    realised: float
    contrast_before: float
    contrast_after: float
    ring_level: float


def ring(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Background ring: twice-dilated minus once-dilated mask (S000).

    The dilation disc has 0.3 of the radius of the circle of equal area, at least two pixels.
    """
    area = int(mask.sum())
    if area == 0:
        raise ValueError("the mask is empty")
    radius = max(2.0, 0.3 * float(np.sqrt(area / np.pi)))
    distance = ndimage.distance_transform_edt(~mask)
    return np.asarray((distance > radius) & (distance <= 2 * radius), dtype=bool)


def measure_contrast(recombined: NDArray[Any], mask: NDArray[np.bool_]) -> float:
    """Relative contrast of a lesion: median inside over median of the ring around it.

    Ring pixels with value 0 (air) do not count. The ratio depends on the offset of the recombined image, so that
    measured values belong to one vendor and site.

    Raises
    ------
    ValueError
        If the mask or the ring is empty, or the ring's level is 0.
    """
    around = ring(mask) & (recombined > 0)
    if not around.any():
        raise ValueError("no tissue around the lesion to compare with")
    return float(np.median(recombined[mask]) / np.median(recombined[around]))


def enhance(
    recombined: NDArray[Any],
    mask: NDArray[np.bool_],
    contrast: float,
    *,
    maximum: int,
    sigma_px: float,
    blend: Literal["gain", "s000"],
    rng: np.random.Generator,
) -> Enhancement:
    """Make the lesion enhance by a relative contrast.

    "gain" adds (contrast - 1) x ring level under a smoothed mask: anatomy and noise stay as they are. "s000" multiplies
    inside the mask and then smooths the image there, as the paper says; this removes the noise inside the mask.

    Parameters
    ----------
    recombined : ndarray of uint8 or uint16, shape (rows, columns)
    mask : ndarray of bool, same shape
    contrast : float
        Relative contrast, 1 leaves the image as it is under "gain".
    maximum : int
        Largest stored value.
    sigma_px : float
        Gaussian of the edge.
    blend : {"gain", "s000"}
    rng : numpy.random.Generator
        Dithered rounding.
    """
    before = measure_contrast(recombined, mask)
    level = float(np.median(recombined[ring(mask) & (recombined > 0)]))
    plain = recombined.astype(np.float32)
    soft = _soft_mask(mask, sigma_px)
    inside_before = float(np.median(plain[mask]))
    if blend == "s000":
        product = np.where(mask, plain * np.float32(contrast), plain)
        wanted = np.where(mask, _box_smooth(product, mask, sigma_px), plain)
    else:
        gain = np.float32((contrast - 1) * level)
        wanted = plain + gain * soft
        # the soft edge takes some of the contrast of small masks: measure and correct once
        reached = float(np.median(wanted[mask])) - inside_before
        aim = (contrast - 1) * inside_before
        if abs(reached) > 1e-6:
            wanted = plain + gain * np.float32(np.clip(aim / reached, 0.5, 3.0)) * soft
    changed = (np.abs(wanted - plain) >= 0.02) & (recombined > 0)
    rounded = np.clip(np.floor(wanted + rng.random(wanted.shape)), 1, maximum)
    image = np.where(changed, rounded, plain).astype(recombined.dtype)
    return Enhancement(
        image,
        float(np.median(image[mask]) / inside_before),
        before,
        measure_contrast(image, mask),
        level,
    )


def _soft_mask(mask: NDArray[np.bool_], sigma_px: float) -> NDArray[np.float32]:
    """Gaussian of the mask scaled to a maximum of 1."""
    soft = _box_smooth(mask.astype(np.float32), mask, sigma_px)
    return np.asarray(soft / soft.max(), dtype=np.float32)


def _box_smooth(image: NDArray[Any], mask: NDArray[np.bool_], sigma_px: float) -> NDArray[np.float32]:
    """Gaussian smoothing in the box of the mask and eight sigma around it; other pixels are not touched."""
    pad = int(np.ceil(8 * sigma_px))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = (
        slice(max(int(rows[0]) - pad, 0), int(rows[-1]) + pad + 1),
        slice(max(int(columns[0]) - pad, 0), int(columns[-1]) + pad + 1),
    )
    result = np.array(image, dtype=np.float32)
    result[box] = ndimage.gaussian_filter(result[box], sigma_px, mode="nearest")
    return result
