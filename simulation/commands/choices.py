"""Options that `insert` and `batch` share: what to insert, and from which measured distributions."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from simulation.cluster_parameters import ClusterParameters
from simulation.enhancement import ContrastDistribution
from simulation.errors import InvalidSettings
from simulation.measured import Measured
from simulation.settings import SimulationSettings
from simulation.site_weights import SiteWeights

T = TypeVar("T")


def add_choices(parser: argparse.ArgumentParser) -> None:
    """Add class, seed, settings, measured distributions and output folder to a parser."""
    parser.add_argument("--type", choices=("benign", "malignant"), required=True)
    parser.add_argument("--lesion-free", action="store_true", help="assert that the hosts have no lesion")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--settings", type=Path, help="JSON of simulation settings")
    parser.add_argument("--contrast", type=Path, help="measured relative contrasts, from fit-contrast")
    parser.add_argument("--clusters", type=Path, help="measured cluster parameters, from fit-clusters")
    parser.add_argument("--site-weights", type=Path, help="ranking of cells learnt from real clusters")
    parser.add_argument("--out", type=Path, required=True)


def settings_of(options: argparse.Namespace) -> SimulationSettings:
    """Settings of the command line; the defaults without a file."""
    return SimulationSettings() if options.settings is None else SimulationSettings.from_json(_read(options.settings))


def measured_of(options: argparse.Namespace) -> Measured:
    """What was measured for the chosen class; priors where no file is given."""
    clusters = _measured(options.clusters, options.type, ClusterParameters.from_json)
    return Measured(
        # a class without enough clusters keeps the prior with the sizes of the settings
        clusters=None if clusters is None or clusters.source == "prior" else clusters,
        contrast=_measured(options.contrast, options.type, ContrastDistribution.from_json),
        site_weights=_measured(options.site_weights, options.type, SiteWeights.from_json),
    )


def _measured(path: Path | None, malignancy: str, read: Callable[[dict[str, Any]], T]) -> T | None:
    return None if path is None else read(_of_class(_read(path), malignancy))


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
