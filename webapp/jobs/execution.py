"""Running the function of a claimed job in this process."""

from __future__ import annotations

import enum
import errno
import threading
import traceback

from django.db import DatabaseError

from webapp.core.errors import UserError
from webapp.jobs import lease, registry, transitions
from webapp.jobs.context import JobContext
from webapp.jobs.errors import Fenced, JobStopped
from webapp.jobs.models import Job, JobState


class Outcome(enum.Enum):
    """How an attempt came back."""

    RECORDED = 0
    """Done or failed, and written down."""
    STOPPED = 75
    """Asked to stop, checkpoint written; who asked decides what that means."""
    FENCED = 76
    """Another attempt has the job."""
    INTERRUPTED = 77
    """The database did not answer; the attempt may be repeated."""


def execute(job: Job, token: str, *, stop: threading.Event | None = None) -> Outcome:
    """Run the job's function and record done or failed, unless the attempt was stopped or fenced."""
    kind = registry.find(job.kind)
    context = JobContext(job, token, stop=stop)
    if kind is None:
        return _failed(job, token, f"This installation does not know the work “{job.kind}”. Update it, then retry.")
    try:
        result = kind.run(context)
        if not context.completed:
            with context.completing(result):
                pass
    except JobStopped:
        return Outcome.STOPPED
    except Fenced:
        return Outcome.FENCED
    except DatabaseError as error:
        context.log(traceback.format_exc())
        if _is_outage(error):
            return Outcome.INTERRUPTED
        return _failed(job, token, _unexpected(error))
    except Exception as error:  # the boundary of all work: words for the person, the trace for the log
        return _ended_with(context, token, kind, error)
    return Outcome.RECORDED


def _is_outage(error: DatabaseError) -> bool:
    from django.db import InterfaceError, OperationalError

    return isinstance(error, OperationalError | InterfaceError)


def _ended_with(context: JobContext, token: str, kind: registry.JobKind, error: Exception) -> Outcome:
    if isinstance(error, (UserError, *kind.spoken_errors)):
        return _failed(context.job, token, str(error))
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _failed(
            context.job,
            token,
            "The disk of the data folder is full. Nothing of this attempt was published. Free space, then retry: "
            "the job continues from its last complete checkpoint.",
        )
    context.log(traceback.format_exc())
    if isinstance(error, MemoryError):
        return _failed(
            context.job, token, "The work needed more memory than there is. Ask for less at once, then retry."
        )
    return _failed(context.job, token, _unexpected(error))


def _unexpected(error: Exception) -> str:
    return (
        f"The work stopped with an error it did not expect ({type(error).__name__}). "
        "The log has the details; retry once the cause is mended."
    )


def _failed(job: Job, token: str, words: str) -> Outcome:
    held = lease.held(job.pk, token)
    ended = transitions.end(held, JobState.FAILED, text=f"Failed: {words}", error=words)
    return Outcome.RECORDED if ended else Outcome.FENCED


def run_here(job: Job, *, stop: threading.Event | None = None) -> Job:
    """Claim a queued job and run it in this process and thread; the job as it is afterwards.

    For tests and small installations' commands: no broker, no subprocess, same claim, token and endings. A job
    that cannot be claimed (ended, waiting, held by a worker) comes back unchanged.
    """
    token = lease.new_token()
    if lease.claim(job.pk, token):
        claimed = Job.objects.select_related("project").get(pk=job.pk)
        outcome = execute(claimed, token, stop=stop)
        if outcome is Outcome.STOPPED:
            held = lease.held(job.pk, token)
            if held.filter(cancel_asked=True).exists():
                transitions.end(held, JobState.CANCELLED, text="Cancelled; its last checkpoint stays.")
            else:
                transitions.requeue(held, text="Stopped; continues from its last checkpoint.", free=True)
        elif outcome is Outcome.INTERRUPTED:
            claimed.refresh_from_db()
            transitions.attempt_died(claimed, token, what="The database did not answer.")
    job.refresh_from_db()
    return job


def run_all_here(*, limit: int = 1000) -> list[Job]:
    """Run queued jobs one after another, followers included, until none is left; the jobs that ran.

    Raises
    ------
    RuntimeError
        If more than `limit` runs were needed: a job comes back to the queue for ever.
    """
    ran: list[Job] = []
    while (job := Job.objects.filter(state=JobState.QUEUED).order_by("pk").first()) is not None:
        if len(ran) == limit:
            raise RuntimeError(f"still jobs in the queue after {limit} runs")
        ran.append(run_here(job))
    return ran
