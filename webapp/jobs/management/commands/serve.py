"""`manage.py serve`: everything a small installation needs, in one command."""

from __future__ import annotations

import signal
import threading
import urllib.error
import urllib.request
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from webapp.jobs.supervisor import Child, Supervisor


class Command(BaseCommand):
    """Starts the web process and the workers, and keeps them alive."""

    help = "Serve the application and work on its jobs until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen and how many workers."""
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers-cpu", type=int, default=1, help="jobs of the cpu queue at a time")
        parser.add_argument("--workers-gpu", type=int, default=1, help="trainings at a time, one a device at most")

    def handle(self, *args: Any, **options: Any) -> None:
        """Until SIGTERM or Ctrl-C."""
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise CommandError("The database is not up to date. Run `manage.py migrate`, then start again.")
        connection.close()
        host, port = options["host"], options["port"]
        children = [Child("web", ["web", "--host", host, "--port", str(port)])]
        for queue in ("cpu", "gpu"):
            children += [
                Child(f"{queue} worker {number + 1}", ["work", "--queues", queue])
                for number in range(options[f"workers_{queue}"])
            ]
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        address = f"http://{'127.0.0.1' if host in {'0.0.0.0', '::'} else host}:{port}"
        announced = False

        def announce() -> None:
            nonlocal announced
            if not announced and _healthy(address):
                announced = True
                self.stdout.write(f"CEMLab is ready at {address}")
                self.stdout.flush()

        Supervisor(children, stop=stop, grace_seconds=settings.JOB_STOP_GRACE_SECONDS + 10).run(every_look=announce)


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health/", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False
