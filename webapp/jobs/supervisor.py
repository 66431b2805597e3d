"""Keeps a set of processes alive: one that dies is started again, all end together."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import DatabaseError, close_old_connections

from webapp.jobs import lease, processes

logger = logging.getLogger(__name__)

RESTART_WAIT_SECONDS = (0.2, 1.0, 5.0, 15.0)
"""Before the first, second, … start in a row of a process that lives less than `SETTLED_SECONDS`."""
SETTLED_SECONDS = 30.0
LOOK_SECONDS = 0.2


@dataclass
class Child:
    """A process to keep alive."""

    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    quick_deaths: int = 0
    start_at: float = 0.0


@dataclass
class Supervisor:
    """Starts `manage.py` commands and restarts those that die."""

    children: list[Child]
    stop: threading.Event = field(default_factory=threading.Event)
    grace_seconds: float = 60.0

    def run(self, *, every_look: Callable[[], None] = lambda: None) -> None:
        """Until `stop` is set; then everything ends, by force after the grace period."""
        try:
            while not self.stop.is_set():
                for child in self.children:
                    self._look_after(child)
                every_look()
                self.stop.wait(LOOK_SECONDS)
        finally:
            self._end_all()

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_at:
                child.process = processes.start(child.arguments)
                child.started = now
            return
        code = child.process.poll()
        if code is None:
            return
        processes.kill_group(child.process)
        dead, child.process = child.process.pid, None
        child.quick_deaths = child.quick_deaths + 1 if now - child.started < SETTLED_SECONDS else 0
        wait = RESTART_WAIT_SECONDS[min(child.quick_deaths, len(RESTART_WAIT_SECONDS) - 1)]
        child.start_at = now + wait
        logger.warning("%s ended (status %s); starting it again in %s s", child.name, code, wait)
        _free_leases(dead)

    def _end_all(self) -> None:
        alive = [child.process for child in self.children if child.process is not None]
        for process in alive:
            processes.terminate(process)
        deadline = time.monotonic() + self.grace_seconds
        for process in alive:
            try:
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("process %s did not end in time and is ended by force", process.pid)
            processes.kill_group(process)


def _free_leases(process: int) -> None:
    """The jobs of a dead worker need not wait for their leases to run out: their processes died with it."""
    close_old_connections()
    try:
        count = lease.expire_leases_of(lease.worker_name(process))
    except DatabaseError as error:
        logger.warning("leases of process %s stay until they run out (%s)", process, type(error).__name__)
        return
    finally:
        close_old_connections()
    if count:
        logger.warning("%s jobs of process %s are taken up again", count, process)
