"""Submitting, cancelling and retrying jobs."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.core import audit
from webapp.core.errors import NotAllowed, UserError
from webapp.jobs import delivery, registry, transitions
from webapp.jobs.models import ENDED, Job, JobState


@transaction.atomic
def submit(
    *,
    kind: str,
    project: Project,
    name: str,
    payload: dict[str, Any],
    created_by: User | None,
    after: Job | None = None,
    device: str = "cpu",
    queue: str | None = None,
) -> Job:
    """Put work into its queue; it may start once the surrounding transaction is committed.

    Parameters
    ----------
    kind : str
        A registered kind.
    name : str
        What people read, such as ``"Training native tiles, 200 %, seed 2"``. No patient identifier.
    payload : dict
        JSON-ready arguments, primary keys as a rule.
    after : Job, optional
        The job waits until this one is done, and is cancelled with it when it does not succeed.
    device : str
        ``"cpu"`` or ``"cuda:N"``.
    queue : {"cpu", "gpu"}, optional
        Instead of the kind's own.

    Raises
    ------
    UserError
        If `after` belongs to another project, or the queue does not exist.
    LookupError
        If no installed app registers `kind`.
    """
    registered = registry.find(kind)
    if registered is None:
        raise LookupError(f"no installed app registers the job kind {kind!r}")
    queue = queue or registered.queue
    if queue not in registry.QUEUES:
        raise UserError(f"Unknown queue {queue!r}: expected one of {', '.join(registry.QUEUES)}.", field="queue")
    predecessor = None
    if after is not None:
        if after.project_id != project.pk:
            raise UserError("A job can only wait for a job of its own project.", field="after")
        predecessor = Job.objects.select_for_update().get(pk=after.pk)
    waits = predecessor is not None and predecessor.state != JobState.DONE
    job = Job.objects.create(
        project=project,
        kind=kind,
        name=name[:200],
        payload=payload,
        queue=queue,
        device=device,
        state=JobState.WAITING if waits else JobState.QUEUED,
        after=predecessor,
        created_by=created_by,
        attempts_allowed=registered.attempts,
    )
    if predecessor is not None and waits:
        transitions.tell(job, "waiting", f"Waits for “{predecessor.name}”.")
        transitions.settle_followers(predecessor)
        job.refresh_from_db()
    else:
        transitions.tell(job, "queued", "Queued.")
        delivery.send_on_commit(job)
    audit.record(actor=created_by, action="jobs.submit", project=project, target=job, kind=kind)
    return job


def may_control(user: User, job: Job, role: str | None) -> bool:
    """Whether a member with `role` may cancel or retry the job: those who launch or curate, and its owner."""
    if role is None:
        return False
    return (
        permissions.role_may(role, permissions.LAUNCH)
        or permissions.role_may(role, permissions.CURATE)
        or job.created_by_id == user.pk
    )


def _require_control(actor: User | None, job: Job, verb: str) -> None:
    if actor is None:
        return
    if not may_control(actor, job, permissions.role_of(actor, job.project)):
        raise NotAllowed(
            f"Your role in this project does not let you {verb} this job: "
            "ask the person who started it, a researcher, a curator or an admin."
        )


@transaction.atomic
def cancel(*, actor: User | None, job: Job) -> Job:
    """Cancel at once when the job has not started; otherwise ask its process to stop (checkpoint first).

    Raises
    ------
    NotAllowed
        If the actor neither launches nor curates here nor owns the job.
    UserError
        If the job has ended already.
    """
    _require_control(actor, job, "cancel")
    who = actor.username if actor is not None else "the system"
    this = Job.objects.filter(pk=job.pk)
    ended = transitions.end(
        this.filter(state__in=[JobState.WAITING, JobState.QUEUED]),
        JobState.CANCELLED,
        text=f"Cancelled by {who} before it started.",
        cancel_asked=True,
    )
    if ended is None:
        running = this.filter(state=JobState.RUNNING)
        if not running.exists():
            raise UserError(f"“{job.name}” has ended already; there is nothing to cancel.")
        if transitions.change(running.filter(cancel_asked=False), cancel_asked=True, message="Stopping"):
            transitions.tell(this.get(), "cancel-asked", f"{who} asked to cancel; the work is stopping.")
    audit.record(actor=actor, action="jobs.cancel", project=job.project, target=job)
    return this.get()


@transaction.atomic
def retry(*, actor: User | None, job: Job) -> Job:
    """Queue a failed or cancelled job again; it continues from its checkpoint where it has one.

    Followers that were cancelled together with it wait for it again.

    Raises
    ------
    NotAllowed
        If the actor neither launches nor curates here nor owns the job.
    UserError
        If the job did not fail and was not cancelled, or the job it needs has not succeeded.
    """
    _require_control(actor, job, "retry")
    row = Job.objects.select_for_update(of=("self",)).select_related("after").get(pk=job.pk)
    if row.state not in ENDED or row.state == JobState.DONE:
        raise UserError(
            f"“{row.name}” is {row.get_state_display().lower()}; only failed or cancelled jobs can be retried."
        )
    if row.after is not None and row.after.state in {JobState.FAILED, JobState.CANCELLED}:
        raise UserError(
            f"“{row.name}” needs the result of “{row.after.name}”, which did not succeed: retry that one first."
        )
    registered = registry.find(row.kind)
    if registered is None:
        raise UserError(f"This installation no longer knows the work “{row.kind}”; it cannot be retried.")
    _revive(row, registered.attempts, text=f"Retried by {actor.username if actor is not None else 'the system'}.")
    audit.record(actor=actor, action="jobs.retry", project=row.project, target=row)
    row.refresh_from_db()
    return row


def _revive(job: Job, attempts: int, *, text: str) -> None:
    waits = job.after is not None and job.after.state != JobState.DONE
    transitions.change(
        Job.objects.filter(pk=job.pk),
        state=JobState.WAITING if waits else JobState.QUEUED,
        attempts_allowed=F("attempt") + attempts,
        cancel_asked=False,
        cancelled_with_predecessor=False,
        ended=None,
        sent=None,
        error="",
        message="",
        fraction=None,
        seconds_left=None,
    )
    job.refresh_from_db()
    transitions.tell(job, job.state, text)
    transitions.call_hook(job)
    if not waits:
        delivery.send_on_commit(job)
    for follower in job.followers.filter(state=JobState.CANCELLED, cancelled_with_predecessor=True):
        kind = registry.find(follower.kind)
        if kind is not None:
            _revive(follower, kind.attempts, text=f"“{job.name}” is tried again; this job waits for it.")
