"""Options that `insert` and `batch` share: what to insert, and from which measured distributions."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from simulation.enhancement import ContrastDistribution
from simulation.errors import InvalidSettings
from simulation.settings import SimulationSettings


def add_choices(parser: argparse.ArgumentParser) -> None:
    """Add class, seed, settings, measured distributions and output folder to a parser."""
    parser.add_argument("--type", choices=("benign", "malignant"), required=True)
    parser.add_argument("--lesion-free", action="store_true", help="assert that the hosts have no lesion")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--settings", type=Path, help="JSON of simulation settings")
    parser.add_argument("--contrast", type=Path, help="measured relative contrasts, from fit-contrast")
    parser.add_argument("--out", type=Path, required=True)


def settings_of(options: argparse.Namespace) -> SimulationSettings:
    """Settings of the command line; the defaults without a file."""
    return SimulationSettings() if options.settings is None else SimulationSettings.from_json(_read(options.settings))


def contrast_of(options: argparse.Namespace) -> ContrastDistribution | None:
    """Measured contrasts of the chosen class; None without a file."""
    if options.contrast is None:
        return None
    return ContrastDistribution.from_json(_of_class(_read(options.contrast), options.type))


def _of_class(body: dict[str, Any], malignancy: str) -> dict[str, Any]:
    """Part of one class in a file that holds both, or the whole file."""
    part = body.get(malignancy, body)
    return part if isinstance(part, dict) else body


def _read(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_text())
    except OSError as error:
        raise InvalidSettings(f"{path.name} is not there or may not be read") from error
    except ValueError as error:
        raise InvalidSettings(f"{path.name} is not JSON") from error
    if not isinstance(body, dict):
        raise InvalidSettings(f"{path.name} must hold one JSON object")
    return body
