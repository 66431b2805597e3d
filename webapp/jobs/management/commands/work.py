"""`manage.py work`: a worker with its reaper."""

from __future__ import annotations

import os
import threading
import warnings
from argparse import ArgumentParser
from typing import Any

from celery.signals import worker_shutting_down
from django.core.management.base import BaseCommand, CommandError

from webapp.jobs import attempt, processes, reaper, registry


class Command(BaseCommand):
    """Takes jobs from the queues and runs each in a process of its own."""

    help = "Work on queued jobs until stopped (SIGTERM: running jobs write a checkpoint and go back to the queue)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Queues and number of jobs at a time."""
        parser.add_argument("--queues", default=",".join(registry.QUEUES), help="comma-separated: cpu,gpu")
        parser.add_argument("--concurrency", type=int, default=1, help="jobs at a time")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM or Ctrl-C."""
        processes.die_with_parent()
        queues = [name for name in options["queues"].split(",") if name]
        unknown = sorted(set(queues) - set(registry.QUEUES))
        if unknown or not queues:
            raise CommandError(
                f"--queues: unknown {', '.join(unknown) or 'nothing'}; expected some of {', '.join(registry.QUEUES)}"
            )
        if options["concurrency"] < 1:
            raise CommandError("--concurrency must be at least 1")
        run_worker(queues, options["concurrency"])


def run_worker(queues: list[str], concurrency: int) -> None:
    """Consume `queues` in this process; threads only watch the processes of the jobs."""
    from celery.exceptions import SecurityWarning

    from webapp.celery import app

    # Celery warns of running as root because of pickle; messages here are JSON and hold a job's number alone.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker_shutting_down.connect(_stop, weak=False)
    stop_reaper = threading.Event()
    thread = threading.Thread(target=reaper.run_until, args=(stop_reaper,), name="reaper", daemon=True)
    thread.start()
    worker = app.Worker(
        queues=queues,
        concurrency=concurrency,
        pool="threads",
        hostname=f"{'-'.join(queues)}-{os.getpid()}@%h",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel="WARNING",
        quiet=True,
    )
    worker.start()
    stop_reaper.set()
    thread.join()


def _stop(**_: Any) -> None:
    attempt.stopping.set()
