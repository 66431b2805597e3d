"""Presets: named configurations kept as data, and how a configuration departs from one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

from detection.configuration import ConfigurationError, MaskRCNNConfiguration
from detection.fields import declared

PRESET_SCHEMA = "cemlab.detector-preset/1"


@dataclass(frozen=True)
class Preset:
    """A named configuration kept as data.

    Attributes
    ----------
    sources : dict of str to str
        Where a field's value comes from: the words of the paper, the released code, or a decision of this
        project.
    """

    name: str
    title: str
    description: str
    configuration: MaskRCNNConfiguration
    sources: dict[str, str]


@dataclass(frozen=True)
class Difference:
    """One field in which a configuration departs from a preset."""

    field: str
    label: str
    unit: str
    preset_value: Any
    value: Any


def presets() -> dict[str, Preset]:
    """All presets shipped with the package, by name, in the order forms should offer them."""
    found = []
    for entry in resources.files("detection").joinpath("presets").iterdir():
        if entry.name.endswith(".json"):
            body = json.loads(entry.read_text(encoding="utf-8"))
            if body.get("schema") != PRESET_SCHEMA:
                raise ConfigurationError({"": f"{entry.name}: expected schema {PRESET_SCHEMA}"})
            preset = Preset(
                name=body["name"],
                title=body["title"],
                description=body["description"],
                configuration=MaskRCNNConfiguration.from_values(body["values"]),
                sources=body["sources"],
            )
            found.append((body["order"], preset))
    return {preset.name: preset for _, preset in sorted(found, key=lambda pair: pair[0])}


def differences(preset: Preset, configuration: MaskRCNNConfiguration) -> list[Difference]:
    """Fields in which `configuration` departs from `preset`, in declaration order."""
    return [
        Difference(name, entry.label, entry.unit, getattr(preset.configuration, name), getattr(configuration, name))
        for name, entry in declared(MaskRCNNConfiguration).items()
        if getattr(preset.configuration, name) != getattr(configuration, name)
    ]


def as_table() -> str:
    """Every value of every preset with its source, as Markdown (docs/presets.md)."""
    found = presets()
    names = list(found)
    lines = [
        "# Presets of the Mask R-CNN detector",
        "",
        "Written by `python -m detection presets` from `detection/presets/*.json`. “Paper” and “released code” are "
        "those that the preset is named for; where both are silent, torchvision's default or a decision of this "
        "project stands, and is called so.",
        "",
        "## Values",
        "",
        f"| field | {' | '.join(names)} |",
        f"|{'---|' * (len(names) + 1)}",
    ]
    declarations = declared(MaskRCNNConfiguration)
    for field in declarations:
        values = (_told(getattr(found[name].configuration, field)) for name in names)
        lines.append(f"| `{field}` | {' | '.join(values)} |")
    for name, preset in found.items():
        lines += ["", f"## {name}", "", preset.description, "", "| field | value | source |", "|---|---|---|"]
        lines += [
            f"| {declaration.label} | {_told(getattr(preset.configuration, field))} | {preset.sources[field]} |"
            for field, declaration in declarations.items()
        ]
    return "\n".join(lines) + "\n"


def _told(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(f"{entry:g}" for entry in value) if isinstance(value, tuple) else str(value)
