"""Job kinds of the tests with real workers (CEMLAB_EXTRA_JOB_MODULES)."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from webapp.accounts.models import Project
from webapp.core import audit
from webapp.jobs.context import JobContext
from webapp.jobs.errors import JobStopped
from webapp.jobs.registry import job_kind


def note(context: JobContext, text: str) -> None:
    """A line in a file that every attempt appends to: who did which step."""
    with Path(context.payload["notes"]).open("a") as handle:
        handle.write(f"{context.job.attempt} {os.getpid()} {text}\n")


@job_kind("test-steps", label="Test steps")
def steps(context: JobContext) -> None:
    """Steps with a checkpoint after each; waits after step `hold` until the file `go` is there."""
    checkpoint = context.work_directory / "step"
    first = int(checkpoint.read_text()) + 1 if checkpoint.exists() else 1
    note(context, f"from {first}")
    total = context.payload["steps"]
    for step in range(first, total + 1):
        draft = context.attempt_directory / "step"
        draft.write_text(str(step))
        context.publish(draft, checkpoint)
        note(context, f"step {step}")
        context.progress(step / total, f"step {step} of {total}")
        while step == context.payload.get("hold") and not Path(context.payload["go"]).exists():
            if context.should_stop():
                note(context, "stopped")
                raise JobStopped
            time.sleep(0.05)
    with context.completing() as result:
        audit.record(actor=None, action="test.side-effect", project=context.project, target=context.job)
        result["torch_in_worker"] = "torch" in sys.modules
    note(context, "completed")


@job_kind("test-training", label="Test training", queue="gpu")
def training(context: JobContext) -> None:
    """Holds its device for a while and notes when."""
    note(context, "begin")
    time.sleep(0.5)
    note(context, "end")


@job_kind("test-stubborn", label="Stubborn test work", time_limit=2)
def stubborn(context: JobContext) -> None:
    """Never asks whether to stop."""
    note(context, "begin")
    time.sleep(600)


@job_kind("test-patient", label="Patient test work")
def patient(context: JobContext) -> None:
    """Deaf to SIGTERM, without a time limit."""
    note(context, "begin")
    time.sleep(600)


@job_kind("test-dies", label="Test work that dies", attempts=2)
def dies(context: JobContext) -> None:
    """Ends itself as the out-of-memory killer would."""
    note(context, "begin")
    os.kill(os.getpid(), 9)


def project() -> Project:
    """The project of these tests."""
    return Project.objects.get_or_create(slug="alpha", defaults={"name": "Alpha"})[0]
