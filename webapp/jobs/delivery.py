"""Handing a job's number to the broker. A lost message costs time, never work: the reaper sends it again."""

from __future__ import annotations

import logging

from django.db import transaction
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from webapp.jobs.models import Job, JobState

TASK = "jobs.run"
logger = logging.getLogger(__name__)


def send(job_id: int, queue: str) -> bool:
    """Send one message; false when the broker does not take it.

    A full disk (file broker) or a Redis that is away must not fail the request that submitted the job.
    """
    from webapp.celery import app

    try:
        app.send_task(TASK, args=[job_id], queue=queue, retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        logger.warning("job %s: message not sent (%s); the reaper tries again", job_id, type(error).__name__)
        return False
    Job.objects.filter(pk=job_id, state=JobState.QUEUED).update(sent=Now())
    return True


def send_on_commit(job: Job) -> None:
    """Send when the surrounding transaction is committed: no worker sees a job that may be rolled back."""
    job_id, queue = job.pk, job.queue
    transaction.on_commit(lambda: send(job_id, queue))
