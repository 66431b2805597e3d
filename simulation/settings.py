"""Settings of a simulation: every choice that S000 leaves open, with its default."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from simulation.errors import InvalidSettings
from simulation.vendor import PROFILES

SCHEMA = "cemlab.simulation-settings/1"

SiteSelection = Literal["sample", "best"]
Calibration = Literal["auto", "lut", "noise", "match", "anatomy"]
Blend = Literal["gain", "literal"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "site_selection": ("sample", "best"),
    "calibration": ("auto", "lut", "noise", "match", "anatomy"),
    "blend": ("gain", "literal"),
    "size_prior": ("s000", "comedo", "equal"),
    "insertion": ("on", "off"),
    "unlabelled_hosts": ("refuse", "screen"),
}
_RANGES: dict[str, tuple[float, float]] = {
    "cell_mm": (4.0, 40.0),
    "overlap": (0.0, 0.75),
    "maximum_cells": (12, 100_000),
    "bin_count": (8, 256),
    "best_fraction": (0.001, 1.0),
    "best_minimum": (1, 1000),
    "temperature": (0.01, 100.0),
    "cells_tried": (1, 200),
    "attempts_per_cell": (1, 20),
    "skin_margin_mm": (0.0, 30.0),
    "edge_margin_mm": (0.0, 30.0),
    "nipple_margin_mm": (0.0, 30.0),
    "mask_enlargement": (1.0, 2.0),
    "mask_dilation_mm": (0.0, 10.0),
    "smoothing_px": (0.5, 50.0),
    "enhancement_heterogeneity": (0.0, 1.0),
    "rim_probability": (0.0, 1.0),
    "packing_low": (0.05, 1.0),
    "packing_high": (0.05, 1.0),
    "target_contrast_to_noise": (0.0, 50.0),
    "assumed_long_side_mm": (100.0, 400.0),
    "two_view_tolerance_mm": (1.0, 50.0),
    "oblique_angle_deg": (30.0, 60.0),
    "maximum_saturated_fraction": (0.0, 1.0),
    "maximum_shift_px": (0.5, 100.0),
    "maximum_picture_shift_mm": (0.1, 50.0),
}


@dataclass(frozen=True)
class SimulationSettings:
    """Choices of one simulation; frozen, versioned, JSON round trip.

    Attributes
    ----------
    cell_mm, overlap : float
        Side of a grid cell and the share by which neighbours overlap. A cell is never smaller than 32 pixels.
    maximum_cells : int
        Features are computed for at most this many evenly spread cells.
    bin_count : int
        Bins of the grey values of a cell, for the texture features.
    site_selection : {"sample", "best"}
        "sample": softmax draw among the best cells, compared within parts of the breast; "best": always the top cell of
        the view (S000), which makes places predictable.
    best_fraction, temperature : float
        Share of cells that "sample" draws from, and its softmax temperature.
    best_minimum : int
        Least number of cells that "sample" draws from, however few the share is.
    cells_tried, attempts_per_cell : int
        Before the simulation gives up.
    skin_margin_mm, edge_margin_mm, nipple_margin_mm : float
        Distances a cell keeps.
    size_prior : {"s000", "comedo", "equal"}
        Whether malignant calcifications are smaller than, larger than or like benign ones.
    packing_low, packing_high : float
        Range of the effective attenuation as a share of solid hydroxyapatite.
    calibration : {"auto", "lut", "noise", "match", "anatomy"}
        How log attenuation becomes grey values: by the known display curve; by the contrast of the site's real
        calcifications; by a width estimated from the noise; or, on coarse pixels, from the spread of the anatomy.
        "auto" takes the first that is possible, in the order lut, match, noise, anatomy.
    target_contrast_to_noise : float
        Median contrast-to-noise ratio of the site's real calcifications, for "match"; 0 when it was not measured.
    noise_consistency : bool
        Add the quantum noise that the weakened beam would show.
    mask_enlargement, mask_dilation_mm : float
        Of the lesion outline.
    blend : {"gain", "literal"}
        "gain" adds a smoothed gain and keeps the noise; "literal" multiplies and then smooths the image as S000 is
        worded, which removes the noise in the mask and so marks every synthetic lesion. Older files say "s000".
    enhancement_heterogeneity : float
        Standard deviation of the gain inside the lesion as a share of its mean.
    rim_probability : float
        Of a malignant lesion whose border enhances more than its centre.
    rc_calc_residual : bool
        Leave the slightly dark trace of calcifications in the recombined image; needs a known recombination gain.
    smoothing_px : float
        Gaussian of the recombined edit (S000: 5 pixels).
    assumed_long_side_mm : float
        Long side of the image field where a file states no pixel size.
    two_view_tolerance_mm : float
        Largest difference in nipple distance between the two views.
    oblique_angle_deg : float
        Of the beam of MLO to that of CC; the same for both views of a breast.
    maximum_saturated_fraction : float
        Of the breast, above which the host is refused.
    maximum_shift_px : float
        Of the recombined against the low-energy image, above which the pair is refused.
    maximum_picture_shift_mm : float
        The same for 8-bit pictures, which are often cut out one by one; a smaller shift is noted in the record.
    allow_implant : bool
        Take a breast with an implant and use the tissue in front of it, instead of refusing it.
    unlabelled_hosts : {"refuse", "screen"}
        What happens to a host that nobody calls lesion-free and that has no exclusion mask: it is refused, or only
        screened for bright spots, which the record then says.
    insertion : {"on", "off"}
        "off": a control without a lesion. Place, plan, outline and the way of writing are those of "on"; attenuation
        is 0 and the relative contrast 1.
    vendor_profile : str
        Key of `simulation.vendor.PROFILES`; "auto" follows the pair.
    """

    cell_mm: float = 12.8
    overlap: float = 0.5
    maximum_cells: int = 2000
    bin_count: int = 32
    site_selection: SiteSelection = "sample"
    best_fraction: float = 0.25
    best_minimum: int = 12
    temperature: float = 1.0
    cells_tried: int = 20
    attempts_per_cell: int = 3
    skin_margin_mm: float = 8.0
    edge_margin_mm: float = 5.0
    nipple_margin_mm: float = 8.0
    size_prior: Literal["s000", "comedo", "equal"] = "s000"
    packing_low: float = 0.45
    packing_high: float = 0.80
    calibration: Calibration = "auto"
    target_contrast_to_noise: float = 0.0
    noise_consistency: bool = True
    mask_enlargement: float = 1.15
    mask_dilation_mm: float = 1.0
    blend: Blend = "gain"
    smoothing_px: float = 5.0
    enhancement_heterogeneity: float = 0.25
    rim_probability: float = 0.2
    rc_calc_residual: bool = False
    assumed_long_side_mm: float = 240.0
    two_view_tolerance_mm: float = 10.0
    oblique_angle_deg: float = 45.0
    maximum_saturated_fraction: float = 0.25
    maximum_shift_px: float = 2.0
    maximum_picture_shift_mm: float = 5.0
    allow_implant: bool = False
    unlabelled_hosts: Literal["refuse", "screen"] = "refuse"
    insertion: Literal["on", "off"] = "on"
    vendor_profile: str = "auto"

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise InvalidSettings(f"{name} is {value!r}; choose one of {', '.join(choices)}")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise InvalidSettings(f"{name} is {value!r}; it must be a number from {low:g} to {high:g}")
        for name in ("maximum_cells", "bin_count", "best_minimum", "cells_tried", "attempts_per_cell"):
            if not isinstance(getattr(self, name), int):
                raise InvalidSettings(f"{name} must be a whole number")
        for name in ("noise_consistency", "rc_calc_residual", "allow_implant"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidSettings(f"{name} must be true or false")
        if self.vendor_profile != "auto" and self.vendor_profile not in PROFILES:
            raise InvalidSettings(f"vendor_profile is {self.vendor_profile!r}; choose auto, {', '.join(PROFILES)}")
        if self.packing_low > self.packing_high:
            raise InvalidSettings("packing_low must not be above packing_high")

    def to_json(self) -> dict[str, Any]:
        """Plain values with the schema name."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, body: dict[str, Any] | str) -> SimulationSettings:
        """Read what `to_json` wrote; left-out settings take their default.

        Raises
        ------
        InvalidSettings
            If the schema is another one, a name is unknown or a value is out of range.
        """
        values = json.loads(body) if isinstance(body, str) else dict(body)
        schema = values.pop("schema", SCHEMA)
        if schema != SCHEMA:
            raise InvalidSettings(f"settings have schema {schema!r}; expected {SCHEMA}")
        if values.get("blend") == "s000":
            values["blend"] = "literal"
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise InvalidSettings(f"unknown settings: {', '.join(unknown)}")
        return cls(**values)


def describe() -> list[dict[str, Any]]:
    """Every setting for forms: name, kind (choice, boolean, integer, number, text), choices, limits and default.

    Returns
    -------
    list of dict
        Keys ``name``, ``kind``, ``choices`` (list of str), ``minimum``, ``maximum`` (None without limits), ``default``.
    """
    entries = []
    for field in fields(SimulationSettings):
        default = field.default
        choices = list(_CHOICES.get(field.name, ()))
        if field.name == "vendor_profile":
            choices = ["auto", *PROFILES]
        low, high = _RANGES.get(field.name, (None, None))
        if choices:
            kind = "choice"
        elif isinstance(default, bool):
            kind = "boolean"
        elif low is None:
            kind = "text"
        else:
            kind = "integer" if isinstance(default, int) else "number"
        entries.append(
            {
                "name": field.name,
                "kind": kind,
                "choices": choices,
                "minimum": low,
                "maximum": high,
                "default": default,
            }
        )
    return entries
