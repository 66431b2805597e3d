"""Mends what messages and workers lose: the row is the truth, so everything can be found again in the table."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.db.models import Q
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from webapp.jobs import delivery, transitions
from webapp.jobs.clock import DatabaseSeconds
from webapp.jobs.models import Job, JobState

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reaped:
    """What one round found."""

    expired: int = 0
    released: int = 0
    sent: int = 0


def reap() -> Reaped:
    """One round: take up jobs whose worker is gone, release followers, send lost messages again."""
    return Reaped(expired=_take_up_expired(), released=transitions.release_settled(), sent=_send_again())


def _take_up_expired() -> int:
    count = 0
    expired = Job.objects.filter(state=JobState.RUNNING, lease_until__lt=DatabaseSeconds())
    for job in expired:
        # the conditional updates below match only while the lease is the one seen here and still run out
        if Job.objects.filter(pk=job.pk, token=job.token, lease_until__lt=DatabaseSeconds()).exists():
            transitions.attempt_died(job, job.token, what="The worker lost contact.")
            count += 1
    return count


def _send_again() -> int:
    """Send queued jobs whose message is old and not in the broker any more.

    Messages still waiting in the broker are left alone, so that a long queue behind a long job does not fill up
    with copies; a copy too many is refused by the claim.
    """
    old = Q(sent__isnull=True) | Q(sent__lt=Now() - timedelta(seconds=settings.JOB_RESEND_SECONDS))
    overdue = Job.objects.filter(state=JobState.QUEUED).filter(old)
    count = 0
    for queue in overdue.values_list("queue", flat=True).distinct().order_by():
        missing = Job.objects.filter(state=JobState.QUEUED, queue=queue).count() - pending_messages(queue)
        for job in overdue.filter(queue=queue).order_by("pk")[: max(missing, 0)]:
            mine = Job.objects.filter(pk=job.pk, state=JobState.QUEUED).filter(old)
            if mine.update(sent=Now()):  # two reapers: one sends
                count += delivery.send(job.pk, queue)
    return count


def pending_messages(queue: str) -> int:
    """Messages of a queue that no worker has taken yet; 0 when the broker does not answer."""
    from webapp.celery import app

    try:
        with app.connection_for_read() as broker:
            channel = broker.default_channel
            size: int = channel._size(queue)
            return size
    except (OperationalError, OSError) as error:
        logger.warning("queue %s: broker does not answer (%s)", queue, type(error).__name__)
        return 0


def run_until(stop: threading.Event) -> None:
    """Rounds until `stop` is set; a database that is away is waited for."""
    while not stop.wait(settings.JOB_POLL_SECONDS):
        close_old_connections()
        try:
            found = reap()
        except DatabaseError as error:
            logger.warning("reaper: database does not answer (%s)", type(error).__name__)
            connection.close()
            continue
        if found != Reaped():
            logger.info("reaper: %s expired, %s released, %s sent again", found.expired, found.released, found.sent)
    connection.close()
