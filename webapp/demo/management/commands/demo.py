"""`manage.py demo`: phantom data, an experiment of three arms, the application and its workers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from webapp.accounts.models import Role
from webapp.demo import contents
from webapp.experiments.models import Experiment, Run, RunState
from webapp.experiments.selectors import all_runs_ended
from webapp.results.selectors import summary


class Command(BaseCommand):
    """The main job on embedded defaults, for looking at and for checking."""

    help = "Show the main job with phantom data. CEMLAB_DEMO=check ends after the results; CEMLAB_PORT sets the port."

    def handle(self, *args: Any, **options: Any) -> None:
        """Start, fill, show; in check mode wait for the results and print them as JSON."""
        check = os.environ.get("CEMLAB_DEMO") == "check"
        port = _port()
        address = f"http://127.0.0.1:{port}"
        call_command("migrate", verbosity=0)
        members = contents.people()
        services = subprocess.Popen(
            [sys.executable, str(settings.ROOT / "manage.py"), "serve", "--port", str(port)],
            stdout=subprocess.DEVNULL,
        )
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            _wait_until_it_answers(address, services)
            self._say(f"CEMLab answers at {address}")
            project = contents.project(members)
            experiment = contents.experiment(project, members, self._say)
            self._introduce(f"{address}/{project.slug}/", experiment)
            if check:
                self._report(experiment, services)
            else:
                services.wait()
        except KeyboardInterrupt:
            self._say("Stopping")
        finally:
            services.terminate()
            services.wait(timeout=60)

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _introduce(self, home: str, experiment: Experiment) -> None:
        roles = ", ".join(Role.values)
        self._say("")
        self._say(f"  Open      {home}")
        self._say(f"  Sign in   {roles} (one for each role), password {contents.PASSWORD}")
        self._say(f"  Running   {experiment}")
        self._say("  Phantoms show how the work goes; their numbers say nothing about patients.")
        self._say("  Stop with Ctrl-C." if os.environ.get("CEMLAB_DEMO") != "check" else "  Waiting for the results.")
        self._say("")

    def _report(self, experiment: Experiment, services: subprocess.Popen[bytes]) -> None:
        shown = ""
        while not all_runs_ended(experiment):
            if services.poll() is not None:
                raise CommandError("The application stopped before the experiment ended.")
            line = _progress(experiment)
            if line != shown:
                self._say(line)
                shown = line
            time.sleep(2)
        runs = Run.objects.filter(arm__experiment=experiment)
        for run in runs.exclude(state=RunState.DONE):
            self._say(f"{run}: {run.get_state_display()}. {run.error}")
        self._say(json.dumps(summary(experiment)))
        if runs.exclude(state=RunState.DONE).exists():
            sys.exit(1)


def _port() -> int:
    given = os.environ.get("CEMLAB_PORT", "8000")
    if not given.isdigit() or not 1 <= int(given) <= 65535:
        raise CommandError(f"CEMLAB_PORT is {given!r}: give a port number between 1 and 65535.")
    port = int(given)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"Port {port} cannot be used ({error.strerror}). Stop what listens there, or choose another: "
                f"CEMLAB_PORT={port + 1} make demo"
            ) from error
    return port


def _wait_until_it_answers(address: str, services: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if services.poll() is not None:
            raise CommandError("The application did not start; the lines above say why.")
        try:
            with urllib.request.urlopen(f"{address}/health/", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise CommandError(f"The application does not answer at {address}.")


def _progress(experiment: Experiment) -> str:
    parts = []
    batch = experiment.batch
    if batch is not None and batch.job is not None:
        batch.job.refresh_from_db()
        parts.append(f"simulation {batch.job.get_state_display().lower()} {batch.job.message}".strip())
    for run in Run.objects.filter(arm__experiment=experiment).select_related("arm", "job"):
        message = run.job.message if run.job is not None and run.state == RunState.RUNNING else ""
        parts.append(f"{run.arm.name} {run.get_state_display().lower()} {message}".strip())
    return "; ".join(parts)
