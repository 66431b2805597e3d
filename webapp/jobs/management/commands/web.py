"""`manage.py web`: the web process."""

from __future__ import annotations

import warnings
from argparse import ArgumentParser
from typing import Any

import uvicorn
from django.core.management.base import BaseCommand

from webapp.jobs import processes


class Command(BaseCommand):
    """Serves pages and event streams; `manage.py serve` starts it together with the workers."""

    help = "Serve the pages (uvicorn)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen."""
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM; open event streams do not hold the end up."""
        processes.die_with_parent()
        # Static files are read by WhiteNoise in threads; Django says so once for each file it serves.
        warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
        uvicorn.run(
            "webapp.asgi:application",
            host=options["host"],
            port=options["port"],
            lifespan="off",
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=2,
        )
