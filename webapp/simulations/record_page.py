"""The record of a case as a page shows it: grouped rows in plain words, nothing left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from webapp.simulations import setting_fields

GROUPS = {
    "host": "Host",
    "site": "Place",
    "cluster": "Cluster",
    "calibration": "Grey values",
    "insertion": "Insertion",
    "mask": "Outline",
    "enhancement": "Enhancement",
    "placement": "Agreement between views",
    "partner": "Partner view",
    "settings": "Settings",
    "versions": "Versions",
}
"""Sections of a record in the order of the page; others follow, then what stands alone as "Case"."""
LEFT_TO_THE_FILE = {"polygons", "calcifications", "features", "schema"}
"""Lists too long for a row: shown elsewhere on the page or in the file."""
UNITS = (("_mm2", "mm²"), ("_mm", "mm"), ("_um", "µm"), ("_px", "px"))
LONGEST_LIST = 12


@dataclass(frozen=True)
class Row:
    """A value with its words."""

    label: str
    value: str
    mono: bool = False


@dataclass
class Section:
    """A group of rows."""

    title: str
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Check:
    """Something the simulation checked: what was found, and what is allowed."""

    label: str
    value: str
    limit: str
    passed: bool


def sections(record: dict[str, Any]) -> list[Section]:
    """Everything in the record but calcifications, checks, outlines and warnings, grouped."""
    alone = Section("Case")
    grouped = {name: Section(title) for name, title in GROUPS.items()}
    for name, value in record.items():
        if name in ("checks", "warnings") or name in LEFT_TO_THE_FILE:
            continue
        if isinstance(value, dict):
            section = grouped.setdefault(name, Section(_label(name)))
            section.rows += _rows(value, settings=name == "settings")
        else:
            alone.rows += _rows({name: value})
    return [section for section in (alone, *grouped.values()) if section.rows]


def checks(record: dict[str, Any]) -> list[Check]:
    """The checks of the record with value, limit and outcome."""
    return [
        Check(
            _label(str(one["name"])),
            _found(one["value"]),
            _limit(one["limit"]),
            bool(one["passed"]),
        )
        for one in record.get("checks", [])
    ]


def _found(value: Any) -> str:
    """Three digits or whole numbers, and never with an exponent: ``0.0000853``, ``1234``."""
    if not isinstance(value, float):
        return setting_fields.shown(value)
    return f"{value:.0f}" if abs(value) >= 100 else format(Decimal(f"{value:.3g}"), "f")


def _limit(limit: list[float | None]) -> str:
    """``at most 1600``, ``at least 5``, ``10 to 1600``."""
    low, high = (None if end is None else setting_fields.shown(_rounded(end)) for end in limit)
    if low is None:
        return f"at most {high}"
    if high is None:
        return f"at least {low}"
    return low if low == high else f"{low} to {high}"


def _rows(body: dict[str, Any], before: str = "", *, settings: bool = False) -> list[Row]:
    rows = []
    for name, value in body.items():
        if name in LEFT_TO_THE_FILE:
            continue
        label = setting_fields.words_of(name).label if settings else f"{before}{_label(name)}"
        if isinstance(value, dict):
            rows += _rows(value, f"{label}: ")
        elif isinstance(value, list):
            rows.append(Row(label, _list(value)))
        else:
            rows.append(Row(label, _value(name, value), mono="sha256" in name))
    return rows


def _list(values: list[Any]) -> str:
    if any(isinstance(value, dict | list) for value in values) or len(values) > LONGEST_LIST:
        return f"{len(values)} entries, in the file"
    return ", ".join(setting_fields.shown(_rounded(value)) for value in values) or "none"


def _value(name: str, value: Any) -> str:
    unit = next((words for ending, words in UNITS if name.endswith(ending)), "")
    text = setting_fields.shown(_rounded(value))
    return f"{text} {unit}" if unit and value is not None else text


def _rounded(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _label(name: str) -> str:
    for ending, _ in UNITS:
        name = name.removesuffix(ending)
    words = name.replace("_", " ").replace("-", " ").replace("sha256", "SHA-256").replace("mm2", "mm²")
    return words[:1].upper() + words[1:]


def outcome(record: dict[str, Any]) -> dict[str, Any]:
    """The numbers by which two simulations of one case are compared; None where the record has none."""
    cluster, enhancement = record.get("cluster", {}), record.get("enhancement", {})
    plan = cluster.get("plan", {})
    return {
        "Calcifications": cluster.get("count"),
        "Diameter, mm": _rounded(cluster.get("diameter_mm")),
        "Spacing, mm": _rounded(record.get("outcome", {}).get("spacing_mm")),
        "Median contrast to noise": _rounded(cluster.get("median_contrast_to_noise")),
        "Pattern": plan.get("pattern"),
        "Morphology": plan.get("morphology"),
        "Enhancement": _rounded(enhancement.get("realised")),
        "Outline, mm²": _rounded(record.get("mask", {}).get("area_mm2")),
        "Rank of the cell": record.get("site", {}).get("score_rank"),
        "Output": str(record.get("output_sha256", ""))[:16] or None,
    }


def compared(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """Outcome of two records side by side; `same` where nothing changed."""
    first, second = outcome(before), outcome(after)
    return [
        {
            "label": name,
            "was": setting_fields.shown(first[name]),
            "now": setting_fields.shown(second[name]),
            "same": first[name] == second[name],
        }
        for name in first
    ]
