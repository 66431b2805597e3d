"""Every change of a job's state: one conditional UPDATE, an event in words, the kind's hook, the followers."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from webapp.jobs import delivery, registry
from webapp.jobs.models import ENDED, Job, JobEvent, JobState


def change(jobs: QuerySet[Job], **fields: Any) -> int:
    """Update rows so that the event stream notices; the number of rows that still matched."""
    return jobs.update(**fields, version=F("version") + 1, updated=Now())


def tell(job: Job, kind: str, text: str, **data: Any) -> JobEvent:
    """Append an event in words."""
    return JobEvent.objects.create(job=job, attempt=job.attempt, kind=kind, text=text[:500], data=data)


def call_hook(job: Job) -> None:
    """Let the kind's app follow the change of state, inside the same transaction."""
    kind = registry.find(job.kind)
    if kind is not None and kind.on_state is not None:
        kind.on_state(job)


@transaction.atomic
def end(
    jobs: QuerySet[Job],
    state: JobState,
    *,
    text: str,
    error: str = "",
    result: dict[str, Any] | None = None,
    **fields: Any,
) -> Job | None:
    """End the one job that `jobs` selects; None when it no longer matches (ended or fenced meanwhile).

    Followers are released (done) or cancelled with the reason (failed, cancelled) in the same transaction.
    """
    job = jobs.select_for_update().first()
    if job is None:
        return None
    if state == JobState.DONE:
        fields |= {"fraction": 1.0, "result": result or {}}
    ended = change(
        jobs.filter(pk=job.pk),
        state=state,
        ended=Now(),
        token="",
        lease_until=None,
        seconds_left=None,
        error=error,
        **fields,
    )
    if not ended:
        return None
    job.refresh_from_db()
    tell(job, state.value, text)
    call_hook(job)
    settle_followers(job)
    return job


@transaction.atomic
def settle_followers(job: Job) -> None:
    """Release the jobs that wait for a done job; cancel those that wait for one that will not be done."""
    if job.state not in ENDED:
        return
    for follower in Job.objects.filter(after=job, state=JobState.WAITING).order_by("pk"):
        this = Job.objects.filter(pk=follower.pk, state=JobState.WAITING)
        if job.state == JobState.DONE:
            if change(this, state=JobState.QUEUED, message="", sent=None):
                follower.refresh_from_db()
                tell(follower, "queued", f"“{job.name}” is done; this job may start.")
                call_hook(follower)
                delivery.send_on_commit(follower)
        else:
            word = "failed" if job.state == JobState.FAILED else "was cancelled"
            reason = f"“{job.name}” {word}, and this job needs its result."
            end(
                this,
                JobState.CANCELLED,
                text=f"Cancelled: {reason}",
                error=f"Not started: {reason} Retry that job; this one then waits for it again.",
                cancelled_with_predecessor=True,
            )


@transaction.atomic
def requeue(jobs: QuerySet[Job], *, text: str, free: bool = False) -> Job | None:
    """Put the one running job that `jobs` selects back into its queue; None when it no longer matches.

    `free`: the attempt does not count against the cap (the worker was asked to stop).
    """
    fields: dict[str, Any] = {"attempts_allowed": F("attempts_allowed") + 1} if free else {}
    job = jobs.select_for_update().first()
    if job is None or not change(
        jobs.filter(pk=job.pk, state=JobState.RUNNING),
        state=JobState.QUEUED,
        token="",
        lease_until=None,
        seconds_left=None,
        message="",
        sent=None,
        **fields,
    ):
        return None
    job.refresh_from_db()
    tell(job, "queued", text)
    call_hook(job)
    delivery.send_on_commit(job)
    return job


def attempt_died(job: Job, token: str, *, what: str) -> None:
    """Record an attempt that died without a word: again within the cap, otherwise failed.

    Parameters
    ----------
    what : str
        A sentence: what is known about the death.
    """
    this = Job.objects.filter(pk=job.pk, token=token, state=JobState.RUNNING)
    if job.cancel_asked:
        end(this, JobState.CANCELLED, text=f"Cancelled. {what}")
    elif job.attempt < job.attempts_allowed:
        requeue(this, text=f"{what} It is queued again and continues from its last checkpoint.")
    else:
        times = "once" if job.attempt == 1 else f"{job.attempt} times"
        end(
            this,
            JobState.FAILED,
            text=f"{what} Given up.",
            error=f"{what} It was tried {times}, which is the limit. Read the log, then retry.",
        )


def release_settled() -> int:
    """Release or cancel followers whose predecessor ended unnoticed; how many predecessors there were."""
    predecessors = Job.objects.filter(Q(state__in=ENDED), followers__state=JobState.WAITING).distinct()
    for job in predecessors:
        settle_followers(job)
    return len(predecessors)
