"""Enhancement of a lesion in the recombined image: measuring it and sampling it (S000, section 2.2).

Relative contrast is kept in three forms. The ratio lesion / ring is the paper's; it depends on the offset of the
recombined image and so belongs to one vendor and site. The contrast-to-noise ratio counts in standard deviations of
the ring. The iodine equivalent in mg/cm2 needs the gain of the recombination, which vendors do not publish: it is
given where the profile knows it and is None with the reason elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from simulation.calcification import Malignancy
from simulation.errors import InvalidSettings
from simulation.vendor import VendorProfile

SCHEMA = "cemlab.contrast-distribution/1"
CONTRAST_RANGE = (0.95, 1.40)

ContrastForm = Literal["ratio", "cnr", "iodine"]
FORMS: tuple[ContrastForm, ...] = get_args(ContrastForm)
Box = tuple[slice, slice]


@dataclass(frozen=True)
class Contrast:
    """Measured enhancement of one lesion.

    Attributes
    ----------
    ratio : float
        Median inside over median of the ring.
    cnr : float
        Difference of these medians over the robust standard deviation of the ring.
    iodine_mg_cm2 : float or None
        Iodine that would give the difference.
    iodine_reason : str
        Why there is no iodine equivalent; empty where there is one.
    lesion_level, ring_level, ring_sd : float
        Stored values.
    """

    ratio: float
    cnr: float
    iodine_mg_cm2: float | None
    iodine_reason: str
    lesion_level: float
    ring_level: float
    ring_sd: float

    def value(self, form: ContrastForm) -> float | None:
        """The contrast in one of its forms."""
        return {"ratio": self.ratio, "cnr": self.cnr, "iodine": self.iodine_mg_cm2}[form]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class ContrastDistribution:
    """Distribution of the relative contrast of one class.

    Attributes
    ----------
    malignancy : {"benign", "malignant"}
    values : tuple of float
        Measured contrasts; empty for the prior.
    bandwidth : float
        Of the Gaussian kernel around each value.
    form : {"ratio", "cnr", "iodine"}
        What the values are.
    """

    malignancy: Malignancy
    values: tuple[float, ...] = ()
    bandwidth: float = 0.0
    form: ContrastForm = "ratio"

    @classmethod
    def prior(cls, malignancy: Malignancy) -> ContrastDistribution:
        """Mixture of ratios used until a site has measured its own cases.

        Malignant clusters enhance with probability 0.89, benign ones with 0.13 (n = 94); the sizes of the
        enhancement are an engineering prior.
        """
        return cls(malignancy)

    @classmethod
    def fit(
        cls, values: Sequence[float], malignancy: Malignancy, *, form: ContrastForm = "ratio"
    ) -> ContrastDistribution:
        """Kernel density of measured contrasts, Silverman's bandwidth.

        Parameters
        ----------
        values : sequence of float
            From `measure_enhancement`; at least three.
        malignancy : {"benign", "malignant"}
        form : {"ratio", "cnr", "iodine"}

        Raises
        ------
        InvalidSettings
            If there are fewer than three values, one is not finite, or a ratio is not positive.
        """
        numbers = [float(value) for value in values]
        if form not in FORMS:
            raise InvalidSettings(f"form is {form!r}; choose {', '.join(FORMS)}")
        if len(numbers) < 3:
            raise InvalidSettings(f"{len(numbers)} measured contrasts; at least 3 are needed, or use the prior")
        if not np.isfinite(numbers).all() or (form == "ratio" and min(numbers) <= 0):
            raise InvalidSettings("measured contrasts must be finite numbers, and ratios positive")
        spread = float(np.std(numbers, ddof=1))
        quartiles = np.percentile(numbers, [25, 75])
        robust = float(quartiles[1] - quartiles[0]) / 1.34
        width = min(spread, robust) if robust > 0 else spread
        return cls(malignancy, tuple(numbers), 0.9 * width * len(numbers) ** -0.2, form)

    @property
    def is_prior(self) -> bool:
        """Whether no measured values stand behind it."""
        return not self.values

    def sample(self, rng: np.random.Generator) -> float:
        """Draw one contrast in the distribution's form; the prior is cut to [0.95, 1.40]."""
        if self.values:
            value = float(rng.choice(self.values)) + self.bandwidth * float(rng.standard_normal())
            return max(value, 0.01) if self.form == "ratio" else value
        enhanced = rng.random() < (0.89 if self.malignancy == "malignant" else 0.13)
        if enhanced:
            median = 0.055 if self.malignancy == "malignant" else 0.025
            value = 1 + median * float(np.exp(0.6 * rng.standard_normal()))
        else:
            value = 1 + (0.010 if self.malignancy == "malignant" else 0.008) * float(rng.standard_normal())
        return float(np.clip(value, *CONTRAST_RANGE))

    def to_json(self) -> dict[str, Any]:
        """Plain values with the schema name."""
        return {"schema": SCHEMA, **asdict(self), "values": list(self.values)}

    @classmethod
    def from_json(cls, body: dict[str, Any] | str) -> ContrastDistribution:
        """Read what `to_json` wrote; distributions written before there were forms are ratios.

        Raises
        ------
        InvalidSettings
            If the schema, the class or the form is another one, or the values are no finite numbers.
        """
        values = json.loads(body) if isinstance(body, str) else body
        if values.get("schema") != SCHEMA or values.get("malignancy") not in ("benign", "malignant"):
            raise InvalidSettings(f"contrast distribution: expected schema {SCHEMA} for benign or malignant")
        form = values.get("form", "ratio")
        if form not in FORMS:
            raise InvalidSettings(f"contrast distribution: form is {form!r}; expected {', '.join(FORMS)}")
        try:
            numbers, bandwidth = tuple(float(v) for v in values["values"]), float(values["bandwidth"])
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidSettings(f"contrast distribution: values and bandwidth must be numbers ({error})") from error
        if not np.isfinite([*numbers, bandwidth]).all() or bandwidth < 0:
            raise InvalidSettings(
                "contrast distribution: values and bandwidth must be finite, the bandwidth not below 0"
            )
        return cls(values["malignancy"], numbers, bandwidth, form)


def ring(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Background ring: twice-dilated minus once-dilated mask (S000).

    The dilation disc has 0.3 of the radius of the circle of equal area, at least two pixels.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    radius = _dilation(mask)
    box = box_around(mask, ring_reach(mask))
    distance = ndimage.distance_transform_edt(~mask[box])
    result = np.zeros(mask.shape, bool)
    result[box] = (distance > radius) & (distance <= 2 * radius)
    return result


def ring_reach(mask: NDArray[np.bool_]) -> int:
    """Pixels around the bounding box of the mask that hold its ring."""
    return int(np.ceil(2 * _dilation(mask))) + 1


def _dilation(mask: NDArray[np.bool_]) -> float:
    area = int(np.count_nonzero(mask))
    if area == 0:
        raise ValueError("the mask is empty")
    return max(2.0, 0.3 * float(np.sqrt(area / np.pi)))


def box_around(mask: NDArray[np.bool_], pad: int) -> Box:
    """Bounding box of a mask with `pad` pixels around, cut at the image."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (
        slice(max(int(rows[0]) - pad, 0), int(rows[-1]) + pad + 1),
        slice(max(int(columns[0]) - pad, 0), int(columns[-1]) + pad + 1),
    )


def measure_contrast(recombined: NDArray[Any], mask: NDArray[np.bool_]) -> float:
    """Relative contrast of a lesion: median inside over median of the ring around it.

    See `measure_enhancement`, of which this is the ratio.
    """
    return measure_enhancement(recombined, mask).ratio


def measure_enhancement(
    recombined: NDArray[Any], mask: NDArray[np.bool_], profile: VendorProfile | None = None
) -> Contrast:
    """Enhancement of a lesion against the ring around it, in three forms.

    Pixels with value 0 (air) do not count, in the ring or inside. Medians are interpolated within the tied grey value
    (grouped median), so that 8-bit images do not give contrast in steps; they differ from the plain median by at most
    half a grey value.

    Parameters
    ----------
    recombined : ndarray, shape (rows, columns)
        Stored values, brighter = more iodine.
    mask : ndarray of bool, same shape
        Lesion outline.
    profile : VendorProfile, optional
        Gives the iodine equivalent where it knows the gain of the recombination.

    Raises
    ------
    ValueError
        If mask and image differ in shape, the mask is empty, or mask or ring hold no tissue.
    """
    if recombined.shape != mask.shape:
        raise ValueError(f"the mask is {mask.shape} and the image {recombined.shape}; they must agree")
    box = box_around(mask, ring_reach(mask)) if mask.any() else (slice(None), slice(None))
    image, lesion = recombined[box], mask[box]
    inside, outside = image[lesion & (image > 0)], image[ring(lesion) & (image > 0)]
    if outside.size == 0:
        raise ValueError("no tissue around the lesion to compare with")
    if inside.size == 0:
        raise ValueError("the lesion outline holds no tissue")
    return contrast_of_values(inside, outside, profile)


def contrast_of_values(inside: NDArray[Any], outside: NDArray[Any], profile: VendorProfile | None = None) -> Contrast:
    """`measure_enhancement` of pixel values that were already picked."""
    level, background = grouped_median(inside), grouped_median(outside)
    deviation = 1.4826 * grouped_median(np.abs(outside.astype(np.float64) - background))
    # a ring of one grey value still has the rounding noise of that value
    deviation = max(deviation, float(np.sqrt(1 / 12)))
    gain = None if profile is None else profile.iodine_gain
    if gain is None:
        name = "an unnamed system" if profile is None else profile.key
        iodine, reason = None, f"the gain of the recombined image of {name} is not known"
    else:
        iodine, reason = (level - background) / gain, ""
    return Contrast(level / background, (level - background) / deviation, iodine, reason, level, background, deviation)


def grouped_median(values: NDArray[Any]) -> float:
    """Median, interpolated within the tied grey value when all values are whole numbers."""
    middle = float(np.median(values))
    if values.dtype.kind == "f" or middle != np.floor(middle):
        return middle
    below, tied = int((values < middle).sum()), int((values == middle).sum())
    return middle - 0.5 + (values.size / 2 - below) / max(tied, 1)
