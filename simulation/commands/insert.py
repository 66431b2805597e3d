"""``python -m simulation insert``: one synthetic cluster in one view."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from simulation.case import simulate
from simulation.commands.choices import add_choices, measured_of, settings_of
from simulation.files import read_host, read_mask, write_case


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser("insert", help="insert a synthetic cluster into a lesion-free view")
    parser.add_argument("--low-energy", type=Path, required=True)
    parser.add_argument("--recombined", type=Path, required=True)
    parser.add_argument("--exclusion", type=Path, help="mask image; bright pixels are kept clear of")
    parser.add_argument("--variant", type=int, default=0)
    parser.add_argument("--laterality", choices=("L", "R"), help="for files that do not state it")
    parser.add_argument("--view", choices=("CC", "MLO"), help="for files that do not state it")
    add_choices(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Simulate and write one case."""
    pair, source = read_host(
        options.low_energy, options.recombined, laterality=options.laterality, view_position=options.view
    )
    exclusion = None if options.exclusion is None else read_mask(options.exclusion)
    case = simulate(
        pair,
        malignancy=options.type,
        seed=options.seed,
        variant=options.variant,
        settings=settings_of(options),
        exclusion=exclusion,
        lesion_free=options.lesion_free,
        source=source.to_json(),
        **measured_of(options).arguments(),
    )
    written = write_case(case, options.out, source=source)
    print(json.dumps({name: path.name for name, path in written.items()}, indent=1))
    return 0
