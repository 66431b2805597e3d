"""``python -m simulation phantom``: phantom patients as DICOM with a manifest."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from simulation.phantom import DEFAULT_MIX, write_phantom_set
from simulation.phantom.lesion_plan import LesionType, Malignancy
from simulation.phantom.patient import Site

_LESIONS: dict[str, tuple[LesionType, Malignancy]] = {
    "malignant-cluster": ("cluster", "malignant"),
    "benign-cluster": ("cluster", "benign"),
    "malignant-mass": ("mass", "malignant"),
    "benign-mass": ("mass", "benign"),
}


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "phantom",
        help="write phantom patients as DICOM with a manifest",
        description="Without --patients one patient: a pair for each view, lesion-free or with --lesion in one breast. "
        "With --patients a set of every lesion class.",
    )
    parser.add_argument("--size", choices=("small", "full", "test"), default="small")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--site", choices=("A", "B"), help="left out: A for one patient, both for a set")
    parser.add_argument("--lesion", choices=sorted(_LESIONS), help="every patient has this lesion")
    parser.add_argument("--patients", type=int, help="of each site")
    parser.add_argument("--out", type=Path, required=True)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the phantoms."""
    several = options.patients is not None
    chosen: tuple[Site, ...] = (options.site,) if options.site else (("A", "B") if several else ("A",))
    plan = DEFAULT_MIX if several else ((),)
    if options.lesion:
        plan = ((_LESIONS[options.lesion],),)
    manifest = write_phantom_set(
        options.out,
        sites=dict.fromkeys(chosen, options.patients if several else 1),
        size=options.size,
        seed=options.seed,
        plan=plan,
        progress=_show,
    )
    print(manifest.name)
    return 0


def _show(done: int, planned: int) -> None:
    terminal = sys.stderr.isatty()
    end = "\n" if done == planned or not terminal else ""
    print(f"{chr(13) if terminal else ''}view {done} of {planned}", end=end, file=sys.stderr, flush=True)
