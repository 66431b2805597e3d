"""`manage.py reap_jobs`: the reaper by itself."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from webapp.jobs import reaper


class Command(BaseCommand):
    """Sends lost messages again, takes up jobs whose worker is gone, releases followers. Workers do it too."""

    help = "Mend the queues: one round, or rounds until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One round or many."""
        parser.add_argument("--loop", action="store_true", help="go on until stopped")

    def handle(self, *args: Any, **options: Any) -> None:
        """Report what one round mended."""
        if options["loop"]:
            stop = threading.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
            reaper.run_until(stop)
            return
        found = reaper.reap()
        self.stdout.write(f"{found.expired} expired, {found.released} released, {found.sent} sent again")
