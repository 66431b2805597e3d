"""Pages of jobs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from webapp.accounts.models import Project
from webapp.accounts.project_pages import project_page
from webapp.jobs.models import Job


@project_page()
def job_list(request: HttpRequest, project: Project) -> HttpResponse:
    """What runs, what waits, what ended."""
    return render(request, "jobs/list.html", {"jobs": Job.objects.filter(project=project)})
