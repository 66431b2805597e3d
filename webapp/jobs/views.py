"""Pages of jobs: what runs, what waits, what ended and why."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.jobs import places, selectors, services, waiting
from webapp.jobs.control import Verb, control
from webapp.jobs.models import ACTIVE, Job, JobState

ENDED_A_PAGE = 50
COSTLY_SECONDS = 600.0
"""Cancelling work that has gone on for longer than this asks first."""


def _shown(request: HttpRequest, job: Job) -> dict[str, Any]:
    """A row of the page: the live fields, and what this person may do."""
    assert isinstance(request.user, User)
    may = services.may_control(request.user, job, getattr(request, "role", None))
    row = selectors.row(job)
    return row | {
        "job": job,
        "cancel_url": row["cancel_url"] if may and row["state"] != "stopping" else "",
        "may_retry": may and job.state in {JobState.FAILED, JobState.CANCELLED},
    }


def _waiting(request: HttpRequest, project: Project) -> list[dict[str, Any]]:
    """Waiting jobs, each with what it waits for."""
    found = list(selectors.waiting(project))
    reasons = waiting.reasons(found)
    return [_shown(request, job) | {"waits": reasons.get(job.pk, "")} for job in found]


@require_GET
@project_page()
def job_list(request: HttpRequest, project: Project) -> HttpResponse:
    """`<project>/jobs/`."""
    page = Paginator(selectors.ended(project), ENDED_A_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "jobs/list.html",
        {
            "running": [_shown(request, job) for job in selectors.running(project)],
            "waiting": _waiting(request, project),
            "ended": [_shown(request, job) for job in page],
            "page": page,
        },
    )


@require_GET
@project_page()
def detail(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/jobs/<number>/`."""
    job = selectors.get_job_or_404(project, number)
    return render(request, "jobs/detail.html", _detail(request, job) | {"log": places.log_tail(job)})


def _detail(request: HttpRequest, job: Job) -> dict[str, Any]:
    spent = (job.updated - job.started).total_seconds() if job.started and job.state == JobState.RUNNING else 0.0
    return {
        "shown": _shown(request, job),
        "job": job,
        "waits": waiting.reason(job),
        "events": job.events.order_by("id"),
        "active": job.state in ACTIVE,
        "cancel_asks": spent > COSTLY_SECONDS,
        "followers": job.followers.order_by("pk"),
        "log_size": places.log_size(job),
    }


@require_GET
@project_page()
def status(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """The part of the page above the log, loaded anew when something happened."""
    return render(request, "jobs/_status.html", _detail(request, selectors.get_job_or_404(project, number)))


@require_GET
@project_page()
def log(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """What was added to the log since `?from=<bytes>`."""
    job = selectors.get_job_or_404(project, number)
    text = request.GET.get("from", "0")
    start = int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else 0
    added, position = places.log_since(job, start)
    response = JsonResponse({"text": added, "position": position, "active": job.state in ACTIVE})
    response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
@project_page()
def cancel(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Cancel, then show the job."""
    return _control(request, project, number, "cancel")


@require_POST
@project_page()
def retry(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Queue again, then show the job."""
    return _control(request, project, number, "retry")


def _control(request: HttpRequest, project: Project, number: int, verb: Verb) -> HttpResponse:
    control(request, selectors.get_job_or_404(project, number), verb)
    return redirect("jobs:detail", project.slug, number)
