"""The status strip's content."""

from __future__ import annotations

from typing import Any

from django import template
from django.core.handlers.asgi import ASGIRequest
from django.urls import reverse

from webapp.accounts import permissions
from webapp.jobs import selectors
from webapp.jobs.models import Job, JobState

register = template.Library()


@register.simple_tag(takes_context=True)
def job_strip(context: template.Context) -> dict[str, Any] | None:
    """Addresses of stream and polling, this person's running job first; None outside a project."""
    request = context.get("request")
    project = getattr(request, "project", None)
    if request is None or project is None or not request.user.is_authenticated:
        return None
    running = list(selectors.running(project))
    running.sort(key=lambda job: job.created_by_id != request.user.pk)
    role = getattr(request, "role", None)
    return {
        # a synchronous server cannot hold a stream open
        "stream_url": reverse("jobs:stream", args=[project.slug]) if isinstance(request, ASGIRequest) else "",
        "poll_url": reverse("jobs:live", args=[project.slug]),
        "jobs_url": reverse("jobs:list", args=[project.slug]),
        "jobs": [selectors.row(job) for job in running],
        "others": max(0, len(running) - 1),
        "waiting": Job.objects.filter(project=project, state__in=[JobState.QUEUED, JobState.WAITING]).count(),
        "person": request.user.get_username(),
        "may_control": permissions.role_may(role, permissions.LAUNCH) or permissions.role_may(role, permissions.CURATE),
    }
