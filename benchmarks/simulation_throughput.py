"""End to end: read two DICOM files, simulate, write pair, mask and record, at both full sizes, on one core.

Process CPU time for each case, because other work may share the machine; wall time only for the ratio of two processes
to one. The peer, in the same run, is what a plain script does with public libraries: pyradiomics on the cropped cells
of the same grid and scikit-image's Frangi filter on the whole image (measured on some cells and scaled to all).

Prints one line of JSON; exits with 1 when a target is missed.

Run: ``python -m benchmarks.simulation_throughput [--cases N]``
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import date
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage.filters import frangi

from imaging.dicom_writing import ImageIdentity, write_pair
from imaging.pair import CEMPair
from simulation.analysed_host import AnalysedHost, analyse_host
from simulation.case import simulate
from simulation.files import read_host, write_case
from simulation.host_source import HostSource
from simulation.phantom import phantom_patient
from simulation.texture import cell_features

SITES = {"A": "2294x1914", "B": "2850x2394"}
CASES_PER_MINUTE = {"A": 100.0, "B": 60.0}
VARIANTS_PER_MINUTE = 500.0
TWO_PROCESSES = 1.8
MEMORY_GB = 1.5
_PEER_CELLS = 12
_SECONDS_TOGETHER = 20.0

Host = tuple[Path, Path]


def main() -> int:
    """Run the measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=12, help="cases of each size and kind")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    report: dict[str, Any] = {"benchmark": "simulation_throughput", "cores": 1, "cases": options.cases, "sizes": {}}
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        hosts = {site: _hosts(site, Path(folder) / site) for site in SITES}
        for site, size in SITES.items():
            report["sizes"][size] = _one_size(hosts[site], options.cases, Path(folder))
            found = report["sizes"][size]
            missed += [f"{size} cases"] * (found["cases_per_minute"] < CASES_PER_MINUTE[site])
            missed += [f"{size} variants"] * (found["variants_per_minute"] < VARIANTS_PER_MINUTE)
        report["two_processes"] = _two_processes(hosts["B"], Path(folder))
    best = max(report["two_processes"]["wall_ratio"], report["two_processes"]["cpu_ratio"])
    missed += ["two processes"] * (best < TWO_PROCESSES)
    missed += ["memory"] * (report["two_processes"]["memory_gb"] > MEMORY_GB)
    report["missed"] = missed
    print(json.dumps(report))
    return 1 if missed else 0


def _hosts(site: Any, folder: Path) -> list[Host]:
    """CC of one breast and MLO of another as DICOM files."""
    found = []
    for seed, view in ((31, ("L", "CC")), (32, ("R", "MLO"))):
        pair = phantom_patient(seed=seed, site=site, size="full", views=(view,))[0].pair  # type: ignore[arg-type]
        identity = ImageIdentity(f"H{seed}", f"H{seed}^X", date(2020, 1, 1), seed=str(seed))
        made = write_pair(pair, folder / str(seed), identity=identity)
        found.append((made.low_energy, made.recombined))
    return found


def _one_size(hosts: list[Host], cases: int, folder: Path) -> dict[str, Any]:
    out = folder / "cases"
    _timed(lambda: _whole_case(hosts[0], 999, out), out)  # compiled code is loaded, the files are in memory
    seconds, stages = [], []
    for number in range(cases):
        spent, stage = _timed(lambda number=number: _whole_case(hosts[number % len(hosts)], number, out), out)
        seconds.append(spent)
        stages.append(stage)
    kept = [_analysed(host) for host in hosts]
    further = []
    for number in range(cases):
        analysed, source = kept[number % len(kept)]
        further.append(_timed(lambda a=analysed, s=source, n=number: _variant(a, s, n, out), out)[0])
    naive = _peer(kept[0][0])
    return {
        "cases_per_minute": round(60 / float(np.mean(seconds)), 1),
        "seconds_per_case": {"mean": round(float(np.mean(seconds)), 3), "largest": round(max(seconds), 3)},
        "stages": {name: round(float(np.mean([stage[name] for stage in stages])), 3) for name in stages[0]},
        "variants_per_minute": round(60 / float(np.mean(further)), 1),
        "seconds_per_variant": {"mean": round(float(np.mean(further)), 3), "largest": round(max(further), 3)},
        "cells": len(kept[0][0].host.cells),
        "peer_seconds": naive,
        "faster_than_peer": round(naive["together"] / float(np.mean(seconds)), 1),
    }


def _timed(work: Callable[[], Any], made: Path | None = None) -> tuple[float, Any]:
    """Process CPU time and result; what was written is removed afterwards, outside of the time."""
    start = time.process_time()
    result = work()
    seconds = time.process_time() - start
    if made is not None:
        shutil.rmtree(made)
    return seconds, result


def _whole_case(host: Host, seed: int, folder: Path) -> dict[str, float]:
    """Files to files; the time of each stage."""
    start = time.process_time()
    pair, source = read_host(*host)
    reading = time.process_time() - start
    stages = _simulate_and_write(pair, source, seed, 0, folder, None)
    return {"reading": reading, **stages}


def _variant(analysed: AnalysedHost, source: HostSource, variant: int, folder: Path) -> dict[str, float]:
    return _simulate_and_write(analysed.pair, source, 1, variant + 1, folder, analysed)


def _simulate_and_write(
    pair: CEMPair, source: HostSource, seed: int, variant: int, folder: Path, analysed: AnalysedHost | None
) -> dict[str, float]:
    case = simulate(
        pair,
        malignancy="malignant" if (seed + variant) % 2 else "benign",
        seed=seed,
        variant=variant,
        lesion_free=True,
        analysed=analysed,
        source=source.to_json(),
    )
    start = time.process_time()
    write_case(case, folder, source=source)
    writing = time.process_time() - start
    return {**case.seconds, "writing": writing}


def _analysed(host: Host) -> tuple[AnalysedHost, HostSource]:
    pair, source = read_host(*host)
    return analyse_host(pair, lesion_free=True), source


def _peer(analysed: AnalysedHost) -> dict[str, float]:
    """The usual libraries on the same cells and the same image."""
    host = analysed.host
    chosen = host.cells[:: max(1, len(host.cells) // _PEER_CELLS)][:_PEER_CELLS]
    image = host.low_energy
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        features, _ = _timed(
            lambda: cell_features(image, [cell.box for cell in chosen], bin_count=32, engine="pyradiomics")
        )
        vessels, _ = _timed(lambda: frangi(image.astype(np.float64), sigmas=(1, 2, 3), black_ridges=False))
    together = features / len(chosen) * len(host.cells) + vessels
    return {
        "cell": round(features / len(chosen), 4),
        "cells": round(features / len(chosen) * len(host.cells), 2),
        "frangi": round(vessels, 2),
        "together": round(together, 2),
    }


def _two_processes(hosts: list[Host], folder: Path) -> dict[str, Any]:
    """Cases in a fixed time by one and by two processes, started together after each made its first case."""
    alone, both = _together(1, hosts, folder), _together(2, hosts, folder)
    rate = [sum(entry["cases"] for entry in group) / _SECONDS_TOGETHER for group in (alone, both)]
    spent = [sum(e["cpu"] for e in group) / max(sum(e["cases"] for e in group), 1) for group in (alone, both)]
    return {
        "load_before": round(os.getloadavg()[0], 2),
        "wall_ratio": round(rate[1] / rate[0], 2),
        "cpu_seconds_per_case": [round(value, 3) for value in spent],
        "cpu_ratio": round(2 * spent[0] / spent[1], 2),
        "memory_gb": round(max(entry["memory_gb"] for entry in both), 2),
    }


def _together(processes: int, hosts: list[Host], folder: Path) -> list[dict[str, float]]:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(processes), context.SimpleQueue()
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    started = [
        context.Process(target=_work, args=(hosts[number % len(hosts)], number, folder, barrier, answers))
        for number in range(processes)
    ]
    for process in started:
        process.start()
    found = [answers.get() for _ in started]
    for process in started:
        process.join()
    return found


def _work(host: Host, number: int, folder: Path, barrier: Any, answers: SimpleQueue[dict[str, float]]) -> None:
    cv2.setNumThreads(1)
    out = folder / f"cases-{number}"
    _timed(lambda: _whole_case(host, 998, out), out)
    barrier.wait()
    made, begin, cpu = 0, time.monotonic(), time.process_time()
    while time.monotonic() - begin < _SECONDS_TOGETHER:
        _timed(lambda made=made: _whole_case(host, 1000 * number + made, out), out)
        made += 1
    answers.put({"cases": made, "cpu": time.process_time() - cpu, "memory_gb": _peak_memory_gb()})


def _peak_memory_gb() -> float:
    """Of this program alone; getrusage would count what the process that started it held."""
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) / 2**20


if __name__ == "__main__":
    sys.exit(main())
