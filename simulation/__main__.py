"""Command line: ``python -m simulation COMMAND``; see ``--help`` of each command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from imaging.errors import ImagingError
from simulation.commands import batch, evaluate, fit_clusters, fit_contrast, insert, phantom
from simulation.errors import SimulationError

_COMMANDS = (insert, batch, phantom, fit_contrast, fit_clusters, evaluate)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (0 done, 1 refused with a reason, 2 wrong usage)."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (SimulationError, ImagingError, OSError, ValueError) as error:
        code = getattr(error, "code", type(error).__name__)
        print(f"{code}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in _COMMANDS:
        command.register(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
