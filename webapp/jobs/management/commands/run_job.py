"""`manage.py run_job`: the process of one attempt. Started by a worker, never by hand."""

from __future__ import annotations

import signal
import sys
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from webapp.jobs import execution, lease, processes
from webapp.jobs.models import Job


class Command(BaseCommand):
    """Runs the job's function under the token its worker claimed."""

    help = "Work on a claimed job (started by a worker)."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Job number and fencing token."""
        parser.add_argument("--job", type=int, required=True)
        parser.add_argument("--token", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        """Ends with the status that tells the worker what is left to record."""
        processes.die_with_parent()
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        job = lease.held(options["job"], options["token"]).select_related("project").first()
        if job is None:
            sys.exit(execution.Outcome.FENCED.value)
        assert isinstance(job, Job)
        sys.exit(execution.execute(job, options["token"], stop=stop).value)
