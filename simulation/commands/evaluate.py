"""``python -m simulation evaluate``: realism measures of synthetic against real lesions."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from simulation.lesion_table import read_lesions
from simulation.realism.description import describe_rows
from simulation.realism.evaluation import evaluate
from simulation.realism.text import lines


def register(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser("evaluate", help="realism measures M1-M6 of synthetic against real lesions")
    parser.add_argument("--real", type=Path, required=True, help="folder with lesions.csv, or the CSV itself")
    parser.add_argument("--synthetic", type=Path, required=True, help="the same, or a folder of simulated cases")
    parser.add_argument("--resamples", type=int, default=500, help="of patients, for every interval")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file for the report")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Describe both sides, compare, print, write."""
    if options.out is not None and options.out.exists():
        raise FileExistsError(f"{options.out.name} is already there; nothing was written")
    real, real_refused = describe_rows(read_lesions(options.real))
    synthetic, synthetic_refused = describe_rows(read_lesions(options.synthetic))
    for name, refused in (("real", real_refused), ("synthetic", synthetic_refused)):
        for item in refused:
            print(f"left out ({name}): {item['lesion']}: {item['reason']}")
    report = evaluate(real, synthetic, resamples=options.resamples, seed=options.seed)
    for line in lines(report):
        print(line)
    if options.out is not None:
        body = report.to_json() | {"left_out": {"real": real_refused, "synthetic": synthetic_refused}}
        options.out.write_text(json.dumps(body, indent=1))
    return 0
