"""A whole installation in a temporary folder: database, broker, worker processes, and a console into it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
WAIT_SECONDS = 120
"""Only a bound for tests that would otherwise hang; no verdict depends on how long something takes."""

CONSOLE = """
import json, os, sys, traceback
import django
django.setup()
from django.db import connection, transaction
from webapp.accounts.models import *
from webapp.core.models import AuditEvent
from webapp.jobs import lease, services
from webapp.jobs.models import *
from tests.webapp.jobs.extra_jobs import project
for line in sys.stdin:
    scope = {}
    try:
        exec(json.loads(line), globals(), scope)
        answer = {"result": scope.get("result")}
    except Exception:
        answer = {"error": traceback.format_exc()}
    connection.close()
    print(json.dumps(answer), flush=True)
"""


class Installation:
    """Processes of one installation, and what its database says."""

    def __init__(self, folder: Path, services: dict[str, str]) -> None:
        self.folder = folder
        self.notes = folder / "notes.txt"
        self.go = folder / "go"
        self.environment = os.environ | {
            "CEMLAB_DATA": str(folder / "data"),
            "DJANGO_SETTINGS_MODULE": "webapp.settings.test",
            "PYTHONPATH": str(ROOT),
            "CEMLAB_EXTRA_JOB_MODULES": "tests.webapp.jobs.extra_jobs",
            "CEMLAB_JOB_LEASE": "60",
            "CEMLAB_JOB_POLL": "0.2",
            "CEMLAB_JOB_RESEND": "1",
            "CEMLAB_JOB_GRACE": "20",
            "OMP_NUM_THREADS": "1",
            **services,
        }
        if not services:
            for name in ("DATABASE_URL", "CELERY_BROKER_URL"):
                self.environment.pop(name, None)
        self._processes: list[subprocess.Popen[bytes]] = []
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=self.environment, check=True)
        self._console = subprocess.Popen(
            [sys.executable, "-c", CONSOLE],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, code: str) -> Any:
        """Run code in a Django process of the installation; what it left in `result`."""
        assert self._console.stdin is not None and self._console.stdout is not None
        self._console.stdin.write(json.dumps(code) + "\n")
        self._console.stdin.flush()
        answer = json.loads(self._console.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a `manage.py` command; its output goes to a file beside the notes."""
        output = (self.folder / f"output-{len(self._processes)}.txt").open("wb")
        process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        output.close()
        self._processes.append(process)
        return process

    def output(self) -> str:
        """What all started commands printed."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("output-*.txt")))

    def submit(self, kind: str, **options: Any) -> int:
        """Submit a job of the test kinds; its number."""
        payload = {"notes": str(self.notes), "go": str(self.go), **options.pop("payload", {})}
        after = options.pop("after", None)
        return int(
            self.ask(
                f"job = services.submit(kind={kind!r}, project=project(), name='Work', payload={payload!r}, "
                f"created_by=None, after=Job.objects.filter(pk={after!r}).first(), **{options!r})\nresult = job.pk"
            )
        )

    def job(self, number: int) -> dict[str, Any]:
        """Fields of a job."""
        fields = "'state', 'attempt', 'attempts_allowed', 'fraction', 'message', 'error', 'result', 'worker', 'device'"
        row: dict[str, Any] = self.ask(f"result = Job.objects.filter(pk={number}).values({fields}).get()")
        return row

    def texts(self, number: int) -> list[str]:
        """Events of a job in words."""
        rows: list[str] = self.ask(
            f"result = list(JobEvent.objects.filter(job_id={number}).order_by('id').values_list('text', flat=True))"
        )
        return rows

    def side_effects(self) -> int:
        """How often the work of `test-steps` was committed."""
        return int(self.ask("result = AuditEvent.objects.filter(action='test.side-effect').count()"))

    def lines(self) -> list[str]:
        """What the attempts noted: "attempt process text"."""
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    def wait_for(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until `condition` holds; fails with everything known when it never does."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not (found := condition()):
            if time.monotonic() > deadline:
                jobs = self.ask("result = list(Job.objects.values_list('pk', 'state', 'message', 'error'))")
                raise AssertionError(f"never: {what}\njobs: {jobs}\nnotes: {self.lines()}\noutput:\n{self.output()}")
            time.sleep(0.1)
        return found

    def wait_for_note(self, text: str, *, attempt: int | None = None) -> list[str]:
        """Wait for a note; its three parts."""

        def found() -> list[str] | None:
            for line in self.lines():
                parts = line.split(" ", 2)
                if parts[2] == text and attempt in (None, int(parts[0])):
                    return parts
            return None

        return self.wait_for(found, f"note {text!r}")

    def wait_for_state(self, number: int, state: str) -> dict[str, Any]:
        """Wait until the job is in `state`."""
        self.wait_for(lambda: self.job(number)["state"] == state, f"job {number} is {state}")
        return self.job(number)

    def close(self) -> None:
        """End everything."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
        assert self._console.stdin is not None and self._console.stdout is not None
        self._console.stdin.close()
        self._console.wait()
        self._console.stdout.close()
