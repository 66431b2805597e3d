"""``python -m simulation phantom``: phantom patients as DICOM with a manifest."""

from __future__ import annotations

import argparse
from pathlib import Path

from simulation.phantom import write_phantom_set
from simulation.phantom.patient import Site


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser("phantom", help="write phantom patients as DICOM with a manifest")
    parser.add_argument("--size", choices=("small", "full", "test"), default="small")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--site", choices=("A", "B"), help="both when left out")
    parser.add_argument("--patients", type=int, default=6, help="of each site")
    parser.add_argument("--out", type=Path, required=True)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the phantom set."""
    chosen: tuple[Site, ...] = (options.site,) if options.site else ("A", "B")
    sites = dict.fromkeys(chosen, options.patients)
    manifest = write_phantom_set(options.out, sites=sites, size=options.size, seed=options.seed)
    print(manifest.name)
    return 0
