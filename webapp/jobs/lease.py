"""Who works on a job: claimed by one conditional UPDATE, kept by renewal, lost to the next claimer.

A claim writes a fresh token; every later write of the attempt carries it, so that an attempt that was taken for
dead can do no harm when it comes back.
"""

from __future__ import annotations

import os
import socket
import uuid

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Now

from detection.devices import members
from webapp.jobs import transitions
from webapp.jobs.clock import DatabaseSeconds
from webapp.jobs.models import DeviceLease, Job, JobState


def new_token() -> str:
    """A fencing token."""
    return uuid.uuid4().hex


def worker_name(process: int | None = None) -> str:
    """How a worker signs its leases."""
    return f"{socket.gethostname()[:100]}/{process or os.getpid()}"


def held(job_id: int, token: str) -> QuerySet[Job]:
    """The job, if this token still holds it."""
    return Job.objects.filter(pk=job_id, token=token, state=JobState.RUNNING)


@transaction.atomic
def claim(job_id: int, token: str) -> bool:
    """Take a queued job, or a running one whose lease has run out; false when there is nothing to take."""
    open_to_claim = Job.objects.filter(pk=job_id, cancel_asked=False, attempt__lt=F("attempts_allowed"))
    taken = {
        "state": JobState.RUNNING,
        "token": token,
        "lease_until": DatabaseSeconds() + settings.JOB_LEASE_SECONDS,
        "worker": worker_name(),
        "attempt": F("attempt") + 1,
        "started": Coalesce(F("started"), Now()),
        "message": "Starting",
        "seconds_left": None,
    }
    lost = False
    if not transitions.change(open_to_claim.filter(state=JobState.QUEUED), **taken):
        lost = True
        if not transitions.change(
            open_to_claim.filter(state=JobState.RUNNING, lease_until__lt=DatabaseSeconds()), **taken
        ):
            return False
    job = Job.objects.get(pk=job_id)
    if lost:
        text = f"The worker lost contact; taken up again, attempt {job.attempt} of {job.attempts_allowed}."
    elif job.attempt == 1:
        text = "Started."
    else:
        text = f"Taken up again, attempt {job.attempt} of {job.attempts_allowed}."
    transitions.tell(job, "started", text, device=job.device)
    transitions.call_hook(job)
    return True


def renew(job_id: int, token: str) -> bool:
    """Extend the lease of job and device; false when another attempt has taken over."""
    until = DatabaseSeconds() + settings.JOB_LEASE_SECONDS
    kept = held(job_id, token).update(lease_until=until)
    if kept:
        DeviceLease.objects.filter(token=token).update(lease_until=until)
    return bool(kept)


def acquire_device(device: str, job: Job, token: str) -> bool:
    """Take a device, or every one of several, for one job; false while another job's lease on one is alive."""
    for name in parts(device):
        DeviceLease.objects.get_or_create(device=name)
        row = DeviceLease.objects.filter(device=name)
        free = row.filter(token="") | row.filter(lease_until__lt=DatabaseSeconds())
        until = DatabaseSeconds() + settings.JOB_LEASE_SECONDS
        if not free.update(job=job, token=token, lease_until=until):
            release_device(device, token)
            return False
    return True


def release_device(device: str, token: str) -> bool:
    """Give the device back; false when the token no longer holds it."""
    held_rows = DeviceLease.objects.filter(device__in=parts(device), token=token)
    return bool(held_rows.update(job=None, token="", lease_until=None))


def parts(device: str) -> list[str]:
    """The devices that a name stands for, each once, in the order in which they are taken (`detection.devices`)."""
    return sorted(set(members(device)))


def expire_leases_of(worker: str) -> int:
    """Let the leases of a worker that is known to be dead run out now; how many jobs it held."""
    jobs = Job.objects.filter(worker=worker, state=JobState.RUNNING)
    tokens = list(jobs.values_list("token", flat=True))
    DeviceLease.objects.filter(token__in=tokens).update(lease_until=0.0)
    return transitions.change(jobs.filter(token__in=tokens), lease_until=0.0)
