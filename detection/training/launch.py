"""A training on several devices, started from a process that only watches: torchrun, one process a device.

The processes run ``python -m detection train`` and print their events; a byte on their standard input asks them to
stop, its end (also by the death of the process that watches) ends them. Nothing here touches a GPU.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from detection.configuration import MaskRCNNConfiguration
from detection.detector import Progress, ShouldStop
from detection.errors import DetectionError, Interrupted, ProcessLost
from detection.evaluation.protocol import Protocol
from detection.sample_set import SampleSet
from detection.training.failures import FAILED, FOLLOWED, STOP, failure_in

_POLL_SECONDS = 0.5
_GRACE_SECONDS = 30.0
_ROOT = Path(__file__).resolve().parents[2]


def train_on(
    device: str,
    processes: int,
    training: SampleSet,
    validation: SampleSet,
    configuration: MaskRCNNConfiguration,
    *,
    family: str,
    directory: Path,
    cache: Path | None,
    protocol: Protocol | None,
    progress: Progress,
    should_stop: ShouldStop,
) -> None:
    """Train in `directory` with one process for each device that `device` names, passing on what the first tells.

    Raises
    ------
    DetectionError
        What ended a process; `ProcessLost` where it could not say, `Interrupted` when `should_stop` said so.
    """
    with tempfile.TemporaryDirectory(prefix="cemlab-training-") as name:
        folder = Path(name)
        training.write(folder / "training.json")
        validation.write(folder / "validation.json")
        (folder / "configuration.json").write_text(configuration.to_json())
        (folder / "protocol.json").write_text(json.dumps((protocol or Protocol()).to_json()))
        command = [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)),
            *("-m", "detection", "train", "--family", family, "--device", device),
            *("--training", str(folder / "training.json"), "--validation", str(folder / "validation.json")),
            *("--configuration", str(folder / "configuration.json"), "--protocol", str(folder / "protocol.json")),
            *("--out", str(directory.resolve())),
            *(("--cache", str(cache.resolve())) if cache else ()),
        ]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, FOLLOWED: "1", "PYTHONPATH": _python_path()},
        )
        try:
            failures = _follow(process, processes, progress, should_stop)
        finally:
            _end(process)
    if failures:
        raise _decisive(failures)
    if process.returncode:
        raise ProcessLost(
            f"A process of the training ended without a word (torchrun: status {process.returncode}); "
            "as a rule the computer ran out of memory, or somebody ended it.",
            "The log has its last words. Start again: the training goes on from its last complete checkpoint.",
        )


def _follow(
    process: subprocess.Popen[bytes], processes: int, progress: Progress, should_stop: ShouldStop
) -> list[DetectionError]:
    """Pass on events until the output ends; the failures that were told."""
    assert process.stdout is not None and process.stdin is not None
    lines: queue.Queue[bytes | None] = queue.Queue()
    threading.Thread(target=_read, args=(process.stdout, lines), name="training-output", daemon=True).start()
    failures: list[DetectionError] = []
    asked = False
    while True:
        if not asked and should_stop():
            asked = True
            with suppress(BrokenPipeError):
                process.stdin.write(STOP * processes)
                process.stdin.flush()
        try:
            line = lines.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            return failures
        event = _event(line)
        if event.get("event") == FAILED:
            failures.append(failure_in(event))
        elif event:
            progress(event)


def _read(output: IO[bytes], lines: queue.Queue[bytes | None]) -> None:
    with output:
        for line in output:
            lines.put(line)
    lines.put(None)


def _event(line: bytes) -> Mapping[str, Any]:
    """The event in a line of output; nothing where it is something else."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and "event" in found else {}


def _decisive(failures: list[DetectionError]) -> DetectionError:
    """The first failure of its own: a process that is ended because of another one reports that it was interrupted."""
    own = [failure for failure in failures if not isinstance(failure, Interrupted)]
    return (own or failures)[0]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave no process behind: those that still run see the end of their input."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _python_path() -> str:
    given = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join([str(_ROOT), given] if given else [str(_ROOT)])
