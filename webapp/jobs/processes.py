"""Processes that die with their parent, so that no work goes on behind the back of the lease."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from django.conf import settings

PARENT_VARIABLE = "CEMLAB_PARENT_PROCESS"
_PR_SET_PDEATHSIG = 1
_WATCH_SECONDS = 1.0


def start(arguments: Sequence[str], *, output: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    """Start `manage.py <arguments>` in a process group of its own; it calls `die_with_parent` first thing."""
    return subprocess.Popen(
        [sys.executable, str(Path(settings.ROOT) / "manage.py"), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        process_group=0,
        env={**os.environ, PARENT_VARIABLE: str(os.getpid())},
    )


def die_with_parent() -> None:
    """End this process by SIGKILL when the process that started it is gone; nothing when started by hand.

    Linux does it itself (prctl); elsewhere a thread watches the parent's number.
    """
    parent = os.environ.pop(PARENT_VARIABLE, "")
    if not parent:
        return
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    else:
        threading.Thread(target=_watch, args=(int(parent),), name="parent-watch", daemon=True).start()
    if os.getppid() != int(parent):  # it died before the call took effect
        os.kill(os.getpid(), signal.SIGKILL)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def terminate(process: subprocess.Popen[bytes]) -> None:
    """Ask the process (not its children) to write a checkpoint and stop."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End the process and everything it started, by force; also what a dead process left behind."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def death_in_words(code: int) -> str:
    """What the exit status of a process that recorded nothing means."""
    if code == -signal.SIGKILL:
        return "The process was killed (signal 9): as a rule the computer ran out of memory, or somebody ended it."
    if code < 0:
        return f"The process was ended by signal {-code} ({signal.Signals(-code).name})."
    return f"The process ended with status {code} and left no result."
