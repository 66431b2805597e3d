"""What pages, streams and other apps read about jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import Http404
from django.urls import reverse

from webapp.accounts.models import Project
from webapp.jobs import registry
from webapp.jobs.models import ACTIVE, Job, JobState

SHOWN_ACTIVE = 500
"""More active jobs than this are counted on pages but not listed one by one."""


def jobs_in(project: Project) -> QuerySet[Job]:
    """All jobs of a project the person may see (the caller has checked that)."""
    return Job.objects.filter(project=project).select_related("created_by", "project")


def get_job_or_404(project: Project, number: int) -> Job:
    """A job of the project.

    Raises
    ------
    Http404
        If it does not exist or belongs to another project: the two look alike.
    """
    job = jobs_in(project).filter(pk=number).select_related("created_by", "project", "after").first()
    if job is None:
        raise Http404("No such job.")
    return job


def running(project: Project) -> QuerySet[Job]:
    """Running jobs, the longest first."""
    return jobs_in(project).filter(state=JobState.RUNNING).order_by("started", "pk")


def waiting(project: Project) -> QuerySet[Job]:
    """Queued jobs in the order in which they will start, then those that wait for another job."""
    return jobs_in(project).filter(state__in=[JobState.QUEUED, JobState.WAITING]).order_by("state", "pk")


def ended(project: Project) -> QuerySet[Job]:
    """Ended jobs, the latest first."""
    return jobs_in(project).exclude(state__in=ACTIVE).order_by("-ended", "-pk")


def live(project_ids: list[int], *, seconds: float) -> QuerySet[Job]:
    """Jobs of these projects that changed within the last `seconds` by the database's clock."""
    return (
        Job.objects.filter(project_id__in=project_ids, updated__gte=Now() - timedelta(seconds=seconds))
        .select_related("created_by", "project")
        .order_by("pk")
    )


def active_or_changed(project_id: int, *, seconds: float) -> QuerySet[Job]:
    """Active jobs, and those that ended within the last `seconds`: what a page that was away has to know."""
    changed = Q(updated__gte=Now() - timedelta(seconds=seconds))
    return (
        Job.objects.filter(project_id=project_id)
        .filter(Q(state__in=ACTIVE) | changed)
        .select_related("created_by", "project")
        .order_by("pk")[:SHOWN_ACTIVE]
    )


def shown_state(job: Job) -> str:
    """The state as pages show it: a running job that was asked to stop is stopping."""
    return "stopping" if job.state == JobState.RUNNING and job.cancel_asked else job.state


def row(job: Job) -> dict[str, Any]:
    """A job as the event stream, the polling address and the progress rows show it."""
    slug = job.project.slug
    return {
        "id": job.pk,
        "kind": job.kind,
        "kind_label": registry.label(job.kind),
        "name": job.name,
        "state": shown_state(job),
        "fraction": job.fraction,
        "message": job.message,
        "seconds_left": job.seconds_left,
        "attempt": job.attempt,
        "device": job.device,
        "owner": job.created_by.username if job.created_by else "",
        "error": job.error,
        "version": job.version,
        "url": reverse("jobs:detail", args=[slug, job.pk]),
        "cancel_url": reverse("jobs:cancel", args=[slug, job.pk]) if job.state in ACTIVE else "",
    }
