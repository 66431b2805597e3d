"""Named settings: the defaults, what the paper says, and the controls."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from simulation.settings import SimulationSettings


@dataclass(frozen=True)
class SimulationPreset:
    """Settings under a name.

    Attributes
    ----------
    name, title, description : str
    changes : dict
        Settings that differ from the defaults.
    """

    name: str
    title: str
    description: str
    changes: dict[str, Any]

    def settings(self) -> SimulationSettings:
        """The complete settings."""
        return dataclasses.replace(SimulationSettings(), **self.changes)


_PRESETS = (
    SimulationPreset(
        "default",
        "CEMLab default",
        "Place drawn among the best cells, noise kept: no feature that a detector could use as a shortcut.",
        {},
    ),
    SimulationPreset(
        "van-camp-2024",
        "Van Camp 2024 literal",
        "As the paper says: always the best cell, and the recombined image multiplied and then smoothed inside the "
        "outline. The smoothing marks every synthetic lesion: for reproduction, not for training.",
        {"site_selection": "best", "blend": "literal", "size_prior": "s000"},
    ),
    SimulationPreset(
        "insert-off",
        "Insert-off control",
        "Hosts, places and outlines as in the default, with nothing inserted: what a detector learns from these does "
        "not come from the clusters.",
        {"insertion": "off"},
    ),
)


def presets() -> dict[str, SimulationPreset]:
    """Presets by name, the default first."""
    return {preset.name: preset for preset in _PRESETS}
