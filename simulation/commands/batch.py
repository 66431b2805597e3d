"""``python -m simulation batch``: many cases from many hosts."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from simulation.batch import BatchPlan, BatchResult, run_batch
from simulation.commands.choices import add_choices, measured_of, settings_of
from simulation.host_list import read_hosts

_WIDTH = 30
_QUIET_SECONDS = 10.0
"""Between two lines when standard error is no terminal."""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "batch",
        help="insert clusters into many hosts; run again to finish what is missing",
        description="Run again with the same choices, an interrupted batch makes what is missing or damaged.",
    )
    parser.add_argument("--hosts", type=Path, required=True, help="CSV file of hosts, phantom set or DICOM folder")
    number = parser.add_mutually_exclusive_group(required=True)
    number.add_argument("--count", type=int, help="cases in all, dealt round over the host breasts")
    number.add_argument("--per-host", type=int, help="cases of each host breast")
    parser.add_argument("--processes", type=int, default=1)
    add_choices(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the batch; 0 when every planned case was made or refused with a reason, and at least one was made."""
    plan = BatchPlan(
        read_hosts(options.hosts),
        options.type,
        options.seed,
        lesion_free=options.lesion_free,
        count=options.count,
        per_host=options.per_host,
        settings=settings_of(options),
        measured=measured_of(options),
    )
    bar = _Bar()
    result = run_batch(plan, options.out, processes=options.processes, progress=bar.show)
    bar.close()
    for text in result.failed:
        print(f"failed: {text}", file=sys.stderr)
    summary = {name: getattr(result, name) for name in ("planned", "made", "kept", "refused")}
    print(json.dumps({**summary, "failed": len(result.failed), "manifest": str(options.out / "manifest.json")}))
    return 0 if not result.failed and result.made + result.kept > 0 else 1


class _Bar:
    """Progress, rate and time left on standard error."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._started = self._shown = time.monotonic()
        self._fresh = 0

    def show(self, result: BatchResult, finished: int) -> None:
        self._fresh += finished
        now = time.monotonic()
        if not self._terminal and now - self._shown < _QUIET_SECONDS:
            return
        self._shown = now
        seconds = max(now - self._started, 1e-3)
        left = (result.planned - result.done) * seconds / max(self._fresh, 1)
        filled = _WIDTH * result.done // max(result.planned, 1)
        line = (
            f"[{'#' * filled}{'-' * (_WIDTH - filled)}] {result.done}/{result.planned} cases, "
            f"{60 * self._fresh / seconds:.0f}/min, {_duration(left)} left, {result.refused} refused"
        )
        print(
            f"\r{line:<100}" if self._terminal else line,
            end="" if self._terminal else "\n",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        if self._terminal:
            print(file=sys.stderr)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
