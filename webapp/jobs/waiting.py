"""Why a queued job has not started, and about when it may; work of other projects is counted and never named."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from webapp.core.templatetags.cemlab import count, duration
from webapp.jobs import lease, registry
from webapp.jobs.models import Job, JobState


def reasons(jobs: Iterable[Job]) -> dict[int, str]:
    """What each queued job among `jobs` waits for, in words, by key; nothing for one that nothing keeps from starting.

    A job waits for its device while another uses it, otherwise for a worker of its queue. What waits for the same
    starts in the order of the jobs' numbers.
    """
    asked = [job for job in jobs if job.state == JobState.QUEUED]
    if not asked:
        return {}
    shown = ("kind", "name", "state", "queue", "device", "project_id", "seconds_left")
    active = list(Job.objects.filter(state__in=[JobState.RUNNING, JobState.QUEUED]).only(*shown).order_by("pk"))
    found = {job.pk: _reason(job, active) for job in asked}
    return {number: words for number, words in found.items() if words}


def reason(job: Job | None) -> str:
    """As `reasons`, of one job; empty where there is nothing to say."""
    return reasons([job]).get(job.pk, "") if job is not None else ""


def _reason(job: Job, active: Collection[Job]) -> str:
    running = [one for one in active if one.state == JobState.RUNNING]
    wanted = _devices(job)
    users = [one for one in running if wanted & _devices(one)]
    busy = users or [one for one in running if one.queue == job.queue]
    before = sum(
        one.state == JobState.QUEUED
        and one.pk < job.pk
        and bool(wanted & _devices(one) if users else one.queue == job.queue)
        for one in active
    )
    words = []
    if busy:
        place = f"for {job.device}, which is used by" if users else f"for a worker of the {job.queue} queue, busy with"
        words.append(f"Waits {place} {_named(busy, job)}.")
    if before:
        words.append(f"{count(before)} earlier job{' goes' if before == 1 else 's go'} first.")
    if words:
        words.append(_when(busy, before, together=bool(users)))
    return " ".join(words)


def _devices(job: Job) -> set[str]:
    """The devices that a job needs for itself."""
    kind = registry.find(job.kind)
    return set(lease.parts(job.device)) if kind is not None and kind.uses_device else set()


def _named(busy: Collection[Job], job: Job) -> str:
    own = [one for one in busy if one.project_id == job.project_id]
    words = [f"“{own[0].name}”"] if own else []
    others = len(busy) - len(words)
    if others:
        words.append(f"{count(others)} other job{'' if others == 1 else 's'}" if own else "work of another project")
    return " and ".join(words)


def _when(busy: Collection[Job], before: int, *, together: bool) -> str:
    """All users of the devices have to end, but one worker is enough."""
    left = [one.seconds_left for one in busy]
    known = [seconds for seconds in left if seconds is not None]
    if not known or (together and len(known) < len(left)):
        return "How long is not known yet."
    seconds = max(known) if together else min(known)
    if before:
        return f"It starts in {duration(seconds)} at the earliest."
    return f"It may start in about {duration(seconds)}."
