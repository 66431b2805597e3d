"""Every benchmark that needs no data of its own, one after the other, each in a process of its own.

Run: ``make bench`` or ``python benchmarks/run_all.py``; results are printed and kept under ``benchmarks/results/``.
Those `WITH_OWN_DATA` are run by hand; each says in its first lines how.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = (
    "preprocessing",
    "evaluation",
    "matching",
    "interval_coverage",
    "cases_page",
    "dashboard",
    "threshold",
    "threshold_page",
    "training_loop",
    "gradient_memory",
    "texture",
    "simulation_throughput",
    "insertion_oracle",
    "shortcuts",
    "places",
    "clusters",
    "recombined_edit",
    "phantoms",
)
WITH_OWN_DATA = ("real_pairs", "real_hosts", "realism")


def main() -> int:
    """Exit status 1 if a benchmark misses its own target or fails."""
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    failed = []
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        print(done.stdout, flush=True)
        (folder / f"{name}.json").write_text(done.stdout)
        if done.returncode:
            failed.append(name)
    if failed:
        print(f"missed or failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
