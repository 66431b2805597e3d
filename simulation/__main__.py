"""Command line: ``python -m simulation insert`` and ``python -m simulation phantom``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imaging.errors import ImagingError
from imaging.reading import read_pixels
from simulation.case import simulate
from simulation.errors import SimulationError
from simulation.files import read_host, write_case
from simulation.phantom import write_phantom_set
from simulation.phantom.patient import Site
from simulation.settings import SimulationSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (0 done, 1 refused with a reason, 2 wrong usage)."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (SimulationError, ImagingError, FileExistsError, ValueError) as error:
        code = getattr(error, "code", type(error).__name__)
        print(f"{code}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    insert = commands.add_parser("insert", help="insert a synthetic cluster into a lesion-free view")
    insert.add_argument("--low-energy", type=Path, required=True)
    insert.add_argument("--recombined", type=Path, required=True)
    insert.add_argument("--type", choices=("benign", "malignant"), required=True)
    insert.add_argument("--lesion-free", action="store_true", help="assert that the view has no lesion")
    insert.add_argument("--exclusion", type=Path, help="mask image; bright pixels are kept clear of")
    insert.add_argument("--seed", type=int, required=True)
    insert.add_argument("--variant", type=int, default=0)
    insert.add_argument("--settings", type=Path, help="JSON of simulation settings")
    insert.add_argument("--laterality", choices=("L", "R"), help="for files that do not state it")
    insert.add_argument("--view", choices=("CC", "MLO"), help="for files that do not state it")
    insert.add_argument("--out", type=Path, required=True)
    insert.set_defaults(run=_insert)
    phantom = commands.add_parser("phantom", help="write phantom patients as DICOM with a manifest")
    phantom.add_argument("--size", choices=("small", "full", "test"), default="small")
    phantom.add_argument("--seed", type=int, required=True)
    phantom.add_argument("--site", choices=("A", "B"), help="both when left out")
    phantom.add_argument("--patients", type=int, default=6, help="of each site")
    phantom.add_argument("--out", type=Path, required=True)
    phantom.set_defaults(run=_phantom)
    return parser


def _insert(options: argparse.Namespace) -> int:
    settings = SimulationSettings()
    if options.settings is not None:
        settings = SimulationSettings.from_json(json.loads(options.settings.read_text()))
    pair = read_host(options.low_energy, options.recombined, laterality=options.laterality, view_position=options.view)
    exclusion = None
    if options.exclusion is not None:
        mask = read_pixels(options.exclusion).pixels
        exclusion = np.asarray(mask > mask.max() / 2, dtype=bool) if mask.any() else np.zeros(mask.shape, bool)
    case = simulate(
        pair,
        malignancy=options.type,
        seed=options.seed,
        variant=options.variant,
        settings=settings,
        exclusion=exclusion,
        lesion_free=options.lesion_free,
    )
    written = write_case(case, options.out, source=options.low_energy)
    print(json.dumps({name: path.name for name, path in written.items()}, indent=1))
    return 0


def _phantom(options: argparse.Namespace) -> int:
    chosen: tuple[Site, ...] = (options.site,) if options.site else ("A", "B")
    sites = dict.fromkeys(chosen, options.patients)
    manifest = write_phantom_set(options.out, sites=sites, size=options.size, seed=options.seed)
    print(manifest.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
