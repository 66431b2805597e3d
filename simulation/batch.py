"""Many cases from many hosts, in several processes, resumable (docs/formats/hosts.md).

A case is made in a folder of its own under a temporary name and renamed when complete, so that whatever stops a batch
leaves complete cases only. Run again, the batch verifies what is there and makes the rest. Which cases there are and
what they look like depends on hosts, class, seed and settings, not on the number of processes or the order of hosts.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2

from simulation.batch_case import CASES, REFUSED, SCRATCH, BatchTask, Outcome, make_cases
from simulation.calcification import Malignancy
from simulation.errors import BatchMismatch, InvalidSettings
from simulation.host_list import HostBreast
from simulation.measured import Measured
from simulation.provenance import ALGORITHM_VERSION, json_sha256
from simulation.settings import SimulationSettings

SCHEMA = "cemlab.batch/1"
# Variants of one breast that a process makes in one go: analysing a host costs as much as several variants.
_CHUNK = 16
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

Progress = Callable[["BatchResult", int], None]


@dataclass(frozen=True)
class BatchPlan:
    """Which cases to make.

    Attributes
    ----------
    hosts : tuple of HostBreast
    malignancy : {"benign", "malignant"}
    seed : int
    lesion_free : bool
        Whether the caller asserts that hosts without masks have no lesion.
    count : int or None
        Cases in all, dealt round over the hosts.
    per_host : int or None
        Cases of each breast; exactly one of the two is given.
    settings : SimulationSettings
    measured : Measured
        What replaces the priors.
    """

    hosts: tuple[HostBreast, ...]
    malignancy: Malignancy
    seed: int
    lesion_free: bool = False
    count: int | None = None
    per_host: int | None = None
    settings: SimulationSettings = field(default_factory=SimulationSettings)
    measured: Measured = field(default_factory=Measured)

    def __post_init__(self) -> None:
        if not self.hosts:
            raise InvalidSettings("a batch needs at least one host")
        if (self.count is None) == (self.per_host is None):
            raise InvalidSettings("give either the number of cases in all or of each host")
        if (self.count or self.per_host or 0) < 1:
            raise InvalidSettings("the number of cases must be at least 1")
        if self.seed < 0:
            raise InvalidSettings("the seed must not be negative")

    def configuration(self) -> dict[str, Any]:
        """All that shapes a case besides its host, JSON-ready. Two batches that differ here do not share a folder."""
        return {
            "schema": SCHEMA,
            "algorithm": ALGORITHM_VERSION,
            "malignancy": self.malignancy,
            "seed": self.seed,
            "lesion_free": self.lesion_free,
            "settings": self.settings.to_json(),
            "measured": self.measured.to_json(),
        }

    def variants(self) -> dict[str, int]:
        """Number of variants by host key; hosts are dealt in an order that the seed draws."""
        if self.per_host is not None:
            return {host.key: self.per_host for host in self.hosts}
        drawn = sorted(
            (host.key for host in self.hosts),
            key=lambda key: hashlib.sha256(f"{self.seed}/{key}".encode()).digest(),
        )
        rounds, rest = divmod(self.count or 0, len(drawn))
        return {key: rounds + (place < rest) for place, key in enumerate(drawn)}


@dataclass
class BatchResult:
    """Counts of a batch so far.

    Attributes
    ----------
    planned, made, kept, refused : int
        Cases: planned, made now, complete from before, refused with a reason (now or before).
    failed : list of str
        Errors that are no refusals; their cases are tried again by the next run.
    """

    planned: int
    made: int = 0
    kept: int = 0
    refused: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Cases that need no more work."""
        return self.made + self.kept + self.refused


def run_batch(plan: BatchPlan, directory: Path, *, processes: int = 1, progress: Progress | None = None) -> BatchResult:
    """Make the cases of a plan that are not there yet, and write the manifest.

    Parameters
    ----------
    plan : BatchPlan
    directory : Path
        Made when absent.
    processes : int
        Started afresh, each on one thread.
    progress : callable, optional
        Called with the result so far and the number of cases just finished.

    Returns
    -------
    BatchResult

    Raises
    ------
    BatchMismatch
        If the folder holds another batch, or another process works on it.
    """
    if processes < 1:
        raise InvalidSettings("at least one process is needed")
    configuration = plan.configuration()
    digest = json_sha256(configuration)
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory):
        _claim(directory, configuration)
        for left in directory.glob(f"{SCRATCH}*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        tasks = _tasks(plan, directory, digest)
        result = BatchResult(sum(len(task.variants) for task in tasks))
        try:
            for outcome in _outcomes(tasks, processes):
                _count(result, outcome)
                if progress is not None:
                    progress(result, len(outcome.made) + len(outcome.kept) + len(outcome.refused))
        except BrokenProcessPool:
            result.failed.append("a process was ended from outside, for example for lack of memory; run again")
        finally:
            _write_json(directory / "manifest.json", _manifest(plan, directory, configuration))
    return result


def _tasks(plan: BatchPlan, directory: Path, digest: str) -> list[BatchTask]:
    wanted = plan.variants()
    tasks = []
    for host in plan.hosts:
        for first in range(0, wanted[host.key], _CHUNK):
            variants = tuple(range(first, min(first + _CHUNK, wanted[host.key])))
            tasks.append(
                BatchTask(
                    host,
                    variants,
                    plan.malignancy,
                    plan.seed,
                    plan.lesion_free,
                    plan.settings,
                    plan.measured,
                    directory,
                    digest,
                )
            )
    return tasks


def _outcomes(tasks: Sequence[BatchTask], processes: int) -> Iterator[Outcome]:
    if processes == 1 or len(tasks) == 1:
        for task in tasks:
            yield make_cases(task)
        return
    with _one_thread_each():
        pool = ProcessPoolExecutor(
            min(processes, len(tasks)),
            multiprocessing.get_context("spawn"),
            initializer=cv2.setNumThreads,
            initargs=(1,),
        )
        try:
            running: list[Future[Outcome]] = [pool.submit(make_cases, task) for task in tasks]
            for future in as_completed(running):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Libraries read these when a started process loads them: processes share the cores, threads would fight."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _count(result: BatchResult, outcome: Outcome) -> None:
    result.made += len(outcome.made)
    result.kept += len(outcome.kept)
    result.refused += len(outcome.refused)
    result.failed += outcome.failed


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One batch in a folder at a time; the system frees the lock of a process that ends in any way."""
    with (directory / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BatchMismatch("another process works on this folder; wait for it or choose another folder") from error
        yield


def _claim(directory: Path, configuration: dict[str, Any]) -> None:
    path = directory / "batch.json"
    if path.is_file():
        before = json.loads(path.read_text())
        different = sorted(name for name in configuration if before.get(name) != configuration[name])
        if different:
            raise BatchMismatch(
                f"the folder holds a batch with another {', '.join(different)}; "
                "choose another folder, or make the same choices"
            )
    else:
        _write_json(path, configuration)


def _manifest(plan: BatchPlan, directory: Path, configuration: dict[str, Any]) -> dict[str, Any]:
    cases, refused = [], []
    for path in (directory / CASES).glob("*/case.json"):
        cases.append({name: value for name, value in json.loads(path.read_text()).items() if name != "seconds"})
    for path in (directory / REFUSED).glob("*.json"):
        refused.append(json.loads(path.read_text()))
    wanted = plan.variants()
    return {
        **configuration,
        "configuration_sha256": json_sha256(configuration),
        "hosts": len(plan.hosts),
        "planned": sum(wanted.values()),
        "cases": sorted(cases, key=lambda case: str(case["case"])),
        "refused": sorted(refused, key=lambda case: str(case["case"])),
    }


def _write_json(path: Path, body: dict[str, Any]) -> None:
    scratch = path.with_name(f"{SCRATCH}{path.name}")
    scratch.write_text(json.dumps(body, indent=1))
    scratch.replace(path)
