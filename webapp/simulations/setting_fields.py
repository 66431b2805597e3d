"""How pages name and group the settings of a simulation. What is not listed here stands under "More"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MORE = "More"
GROUPS = ("Place", "Cluster", "Low-energy image", "Recombined image", "Outline")


@dataclass(frozen=True)
class SettingWords:
    """Label, group, one line of explanation and unit of a setting."""

    label: str
    group: str
    help: str
    unit: str = ""


WORDS: dict[str, SettingWords] = {
    "site_selection": SettingWords(
        "Choice of the place",
        "Place",
        "“sample” draws among the best cells of each part of the breast; “best” always takes the top cell.",
    ),
    "best_fraction": SettingWords(
        "Share of best cells", "Place", "Share of the ranked cells that “sample” draws from."
    ),
    "best_minimum": SettingWords("Least number of best cells", MORE, "“sample” never draws from fewer."),
    "temperature": SettingWords("Temperature of the draw", "Place", "Higher spreads the draw over weaker cells."),
    "skin_margin_mm": SettingWords("Distance from the skin", "Place", "A cluster keeps at least this.", "mm"),
    "nipple_margin_mm": SettingWords("Distance from the nipple", "Place", "A cluster keeps at least this.", "mm"),
    "edge_margin_mm": SettingWords("Distance from the edges", "Place", "From the borders of the image.", "mm"),
    "size_prior": SettingWords(
        "Size of calcifications",
        "Cluster",
        "Malignant ones smaller than benign ones (s000), larger (comedo), or alike (equal).",
    ),
    "packing_low": SettingWords(
        "Density of calcifications, least", "Cluster", "Attenuation as a share of solid hydroxyapatite."
    ),
    "packing_high": SettingWords(
        "Density of calcifications, most", "Cluster", "Attenuation as a share of solid hydroxyapatite."
    ),
    "two_view_tolerance_mm": SettingWords(
        "Tolerance between views", "Cluster", "Largest difference in nipple distance between CC and MLO.", "mm"
    ),
    "oblique_angle_deg": SettingWords(
        "Angle of MLO", "Cluster", "Of its beam to that of CC; the same for both views of a breast.", "degrees"
    ),
    "insertion": SettingWords(
        "Insertion", "Low-energy image", "“off” keeps place and outline and inserts nothing: the control."
    ),
    "calibration": SettingWords(
        "Grey values", "Low-energy image", "How attenuation becomes grey values; “auto” takes the best known way."
    ),
    "target_contrast_to_noise": SettingWords(
        "Contrast of real calcifications",
        "Low-energy image",
        "Median contrast-to-noise ratio measured at the site, for “match”; 0 when it was not measured.",
    ),
    "noise_consistency": SettingWords(
        "Noise of the weakened beam", "Low-energy image", "Adds the quantum noise that fewer photons would show."
    ),
    "vendor_profile": SettingWords("Vendor profile", "Low-energy image", "“auto” follows the host."),
    "blend": SettingWords(
        "Edit of the recombined image",
        "Recombined image",
        "“gain” keeps the noise; the paper's smoothing removes it and so marks every synthetic lesion.",
    ),
    "enhancement_heterogeneity": SettingWords(
        "Unevenness of the enhancement", "Recombined image", "Spread of the gain inside the lesion, share of its mean."
    ),
    "rim_probability": SettingWords(
        "Rim enhancement", "Recombined image", "Share of malignant lesions whose border enhances more than the centre."
    ),
    "rc_calc_residual": SettingWords(
        "Trace of calcifications",
        "Recombined image",
        "Leaves their slightly dark trace; needs a known recombination gain.",
    ),
    "smoothing_px": SettingWords("Smoothing of the edit", "Recombined image", "Gaussian, at 0.1 mm pixels.", "px"),
    "mask_enlargement": SettingWords("Enlargement of the outline", "Outline", "Factor on the hull of the cluster."),
    "mask_dilation_mm": SettingWords("Dilation of the outline", "Outline", "Added around the enlarged hull.", "mm"),
    "cell_mm": SettingWords("Side of a cell", MORE, "Cells are ranked by texture; at least 32 pixels.", "mm"),
    "overlap": SettingWords("Overlap of cells", MORE, "Share by which neighbours overlap."),
    "maximum_cells": SettingWords("Most cells", MORE, "Features are computed for at most this many."),
    "bin_count": SettingWords("Grey levels of the texture", MORE, "Bins of the radiomics features."),
    "cells_tried": SettingWords("Cells tried", MORE, "Before a host is given up."),
    "attempts_per_cell": SettingWords("Attempts in a cell", MORE, "Before the next cell is tried."),
    "assumed_long_side_mm": SettingWords(
        "Assumed image length", MORE, "Where a file states no pixel size, its long side is taken as this.", "mm"
    ),
    "maximum_saturated_fraction": SettingWords(
        "Most saturated breast",
        MORE,
        "Share of the breast at the ends of the grey scale above which a host is refused.",
    ),
}


def words_of(name: str) -> SettingWords:
    """The words of a setting; its name in plain words where it is not listed."""
    known = WORDS.get(name)
    if known is not None:
        return known
    label = name.removesuffix("_mm").removesuffix("_px").replace("_", " ").capitalize()
    unit = "mm" if name.endswith("_mm") else "px" if name.endswith("_px") else ""
    return SettingWords(label, MORE, "", unit)


def limits_in_words(entry: dict[str, Any]) -> str:
    """``4 to 40.`` for a setting with limits, else nothing."""
    if entry["minimum"] is None or entry["kind"] not in ("integer", "number"):
        return ""
    return f"{entry['minimum']:g} to {entry['maximum']:g}."


def shown(value: Any) -> str:
    """A value as it stands in its field or a table."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if value is None:
        return "not set"
    return str(value)


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, str]]:
    """Settings that two simulations do not share: label, unit, was, now."""
    names = list(dict.fromkeys([*before, *after]))
    rows = []
    for name in names:
        if name == "schema" or before.get(name) == after.get(name):
            continue
        words = words_of(name)
        rows.append(
            {
                "label": words.label,
                "unit": words.unit,
                "was": shown(before.get(name)),
                "now": shown(after.get(name)),
            }
        )
    return rows
