"""One attempt of a job, seen from the worker: claim, start the process, watch it, say how it ended.

The worker never imports what the work needs (torch, radiomics): the work is a process of its own group that dies
with the worker. The worker renews the lease, because a computation may hold the interpreter for longer than that.
"""

from __future__ import annotations

import enum
import logging
import subprocess
import threading
import time

from django.conf import settings
from django.db import DatabaseError, connection

from webapp.jobs import delivery, lease, places, processes, registry, transitions
from webapp.jobs.execution import Outcome
from webapp.jobs.models import Job, JobState

logger = logging.getLogger(__name__)

stopping = threading.Event()
"""Set when this worker is asked to end: running work writes its checkpoint and goes back to the queue."""


class Reason(enum.Enum):
    """Why the worker stopped a process."""

    CANCELLED = "cancelled"
    TIME_LIMIT = "time limit"
    WORKER_STOPS = "worker stops"
    LEASE_LOST = "lease lost"


def attempt(job_id: int) -> None:
    """Work on a job if it is there to be worked on; a message too many does nothing.

    A job whose device is in use is sent again when that is given back (`waiting` has words for it until then).
    """
    job = Job.objects.filter(pk=job_id, state__in=[JobState.QUEUED, JobState.RUNNING]).first()
    if job is None or stopping.is_set():
        return
    kind = registry.find(job.kind)
    token = lease.new_token()
    if kind is None or not kind.uses_device:
        _claim_and_run(job, token, kind)
    elif lease.acquire_device(job.device, job, token):
        try:
            _claim_and_run(job, token, kind)
        finally:
            lease.release_device(job.device, token)
            _offer(job.device)


def _offer(device: str) -> None:
    """Send the job that has waited longest for each of these devices, so that it need not wait for the reaper.

    Jobs before it that want further devices are sent too: whether those are free shows when they are taken.
    """
    waiting = Job.objects.filter(state=JobState.QUEUED)
    uses = {name for name in waiting.values_list("kind", flat=True).distinct() if _uses_device(name)}
    free = set(lease.parts(device))
    for job in waiting.filter(kind__in=uses).order_by("pk"):
        wanted = set(lease.parts(job.device))
        if free & wanted:
            delivery.send(job.pk, job.queue)
        if wanted <= free:
            free -= wanted


def _uses_device(name: str) -> bool:
    kind = registry.find(name)
    return kind is not None and kind.uses_device


def _claim_and_run(job: Job, token: str, kind: registry.JobKind | None) -> None:
    if not lease.claim(job.pk, token):
        return
    job.refresh_from_db()
    log = places.log_file(job)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = processes.start(["run_job", "--job", str(job.pk), "--token", token], output=output)
        try:
            reason = _watch(process, job, token, kind.time_limit if kind else None)
        finally:
            processes.kill_group(process)
    _conclude(job, token, process.returncode, reason, kind)


def _watch(process: subprocess.Popen[bytes], job: Job, token: str, time_limit: float | None) -> Reason | None:
    """Renew the lease until the process ends; the reason why it was asked to, if it was."""
    started = renewed = time.monotonic()
    reason: Reason | None = None
    deadline = float("inf")
    while True:
        try:
            process.wait(timeout=settings.JOB_POLL_SECONDS)
            return reason
        except subprocess.TimeoutExpired:
            now = time.monotonic()
        try:
            if now - renewed >= settings.JOB_LEASE_SECONDS / 4:
                if not lease.renew(job.pk, token):
                    return Reason.LEASE_LOST
                renewed = now
            cancelled = lease.held(job.pk, token).filter(cancel_asked=True).exists()
        except DatabaseError as error:
            logger.warning("job %s: database does not answer (%s)", job.pk, type(error).__name__)
            connection.close()
            if now - renewed > settings.JOB_LEASE_SECONDS:
                return Reason.LEASE_LOST  # another worker may hold it by now: this one must not go on
            continue
        if reason is None:
            if cancelled:
                reason = Reason.CANCELLED
            elif time_limit is not None and now - started > time_limit:
                reason = Reason.TIME_LIMIT
            elif stopping.is_set():
                reason = Reason.WORKER_STOPS
            if reason is not None:
                processes.terminate(process)
                deadline = now + settings.JOB_STOP_GRACE_SECONDS
        elif now > deadline:
            return reason


def _conclude(job: Job, token: str, code: int, reason: Reason | None, kind: registry.JobKind | None) -> None:
    """Record how the attempt ended, unless the process did so itself."""
    held = lease.held(job.pk, token)
    current = held.first()
    if current is None:
        return
    stopped_itself = code == Outcome.STOPPED.value
    if current.cancel_asked:
        end = "its last checkpoint stays" if stopped_itself else "it was ended by force"
        transitions.end(held, JobState.CANCELLED, text=f"Cancelled; {end}.", message="")
    elif reason is Reason.TIME_LIMIT and kind is not None and kind.time_limit is not None:
        words = (
            f"It took longer than the {kind.time_limit / 60:.0f} min allowed for this kind of work. "
            "Make the work smaller, then retry; it continues from its last checkpoint."
        )
        transitions.end(held, JobState.FAILED, text=f"Failed: {words}", error=words)
    elif reason is Reason.WORKER_STOPS or stopped_itself:
        transitions.requeue(held, text="The worker was stopped; the job continues on the next one.", free=True)
    elif code == Outcome.INTERRUPTED.value:
        transitions.attempt_died(current, token, what="The database did not answer.")
    else:
        transitions.attempt_died(current, token, what=processes.death_in_words(code))
