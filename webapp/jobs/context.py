"""What a job function works with."""

from __future__ import annotations

import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from webapp.accounts.models import Project
from webapp.jobs import lease, places, transitions
from webapp.jobs.errors import Fenced
from webapp.jobs.estimate import TimeLeft
from webapp.jobs.models import Job, JobState

PROGRESS_SECONDS = 0.5
"""Progress reaches the database at most this often."""
STOP_CHECK_SECONDS = 2.0


class JobContext:
    """One attempt of a job, as its function sees it. Every write carries the attempt's token."""

    def __init__(self, job: Job, token: str, *, stop: threading.Event | None = None) -> None:
        self.job = job
        self._token = token
        self._stop = stop or threading.Event()
        self._estimate = TimeLeft()
        self._written = float("-inf")
        self._looked = time.monotonic()
        self.completed = False
        """Whether `completing` has marked the job done."""

    @property
    def payload(self) -> dict[str, Any]:
        """The arguments given to `submit`."""
        payload: dict[str, Any] = self.job.payload
        return payload

    @property
    def project(self) -> Project:
        """The project the job belongs to."""
        return self.job.project

    @property
    def work_directory(self) -> Path:
        """Stays the same from attempt to attempt: checkpoints go here."""
        path = places.work_directory(self.job)
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def attempt_directory(self) -> Path:
        """Fresh in every attempt: outputs are made here, then published."""
        path = places.attempt_directory(self.job)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def progress(self, fraction: float | None, message: str = "") -> None:
        """Show progress; may be called at every step.

        Parameters
        ----------
        fraction : float or None
            Share of the work done, 0 to 1 (clipped); None while the length is unknown.
        message : str
            Such as ``"epoch 19 of 30"``.

        Raises
        ------
        Fenced
            If another attempt holds the job.
        """
        now = time.monotonic()
        left = None
        if fraction is not None:
            fraction = min(max(float(fraction), 0.0), 1.0)
            left = self._estimate.add(now, fraction)
        if now - self._written < PROGRESS_SECONDS and fraction != 1.0:
            return
        self._written = now
        if not transitions.change(
            lease.held(self.job.pk, self._token), fraction=fraction, message=message[:200], seconds_left=left
        ):
            raise Fenced
        self.job.fraction, self.job.message, self.job.seconds_left = fraction, message[:200], left

    def log(self, text: str) -> None:
        """Append a line to the job's log. No patient identifiers."""
        path = places.log_file(self.job)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as handle:
            handle.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text.rstrip()}\n")

    def event(self, kind: str, text: str = "", **data: Any) -> None:
        """Append to the list of events people read on the job's page."""
        with self.atomic():
            transitions.tell(self.job, kind, text, **data)

    def should_stop(self) -> bool:
        """Whether to write a checkpoint and raise `JobStopped`; cheap enough to ask at every step."""
        now = time.monotonic()
        if not self._stop.is_set() and now - self._looked >= STOP_CHECK_SECONDS:
            self._looked = now
            if not lease.held(self.job.pk, self._token).filter(cancel_asked=False).exists():
                self._stop.set()
        return self._stop.is_set()

    def fenced(self) -> bool:
        """Whether another attempt has taken the job over."""
        return not lease.held(self.job.pk, self._token).exists()

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """A transaction in which this attempt is certain to hold the job. Keep it short.

        Raises
        ------
        Fenced
            If another attempt holds the job; nothing inside was written.
        """
        with transaction.atomic():
            if not lease.held(self.job.pk, self._token).select_for_update().exists():
                raise Fenced
            yield

    @contextmanager
    def completing(self, result: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """A transaction that writes the results and marks the job done: both or neither, exactly once.

        Yields the result dictionary, which the block may fill. The function should return after it.

        Raises
        ------
        Fenced
            If another attempt holds the job; nothing inside was written.
        """
        filled = dict(result or {})
        with self.atomic():
            yield filled
            held = lease.held(self.job.pk, self._token)
            if transitions.end(held, JobState.DONE, text="Done.", result=filled, message="") is None:
                raise Fenced
        self.completed = True

    def publish(self, source: Path, final: Path) -> Path:
        """Move a finished file or folder to its place by rename, replacing what an earlier attempt left.

        Raises
        ------
        Fenced
            If another attempt holds the job.
        """
        if self.fenced():
            raise Fenced
        final.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            if final.exists():
                old = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}")
                final.rename(old)
                source.rename(final)
                shutil.rmtree(old)
            else:
                source.rename(final)
        else:
            with source.open("rb") as handle:
                os.fsync(handle.fileno())
            source.replace(final)
        return final
