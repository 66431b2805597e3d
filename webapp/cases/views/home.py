"""The home of a project."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from webapp.accounts import permissions
from webapp.accounts.models import Project
from webapp.accounts.project_pages import project_page
from webapp.cases import overview
from webapp.core.registry import home_panels


@require_GET
@project_page()
def home(request: HttpRequest, project: Project) -> HttpResponse:
    """What there is, what needs a person, what happened; panels of the apps above in their places."""
    role: str = request.role  # type: ignore[attr-defined]
    counts = overview.counts(request.user, project)
    panels: dict[str, list[dict[str, Any]]] = {"main": [], "side": []}
    for panel in sorted(home_panels.values(), key=lambda one: one.position):
        context = panel.context(request, project, None)
        if context is not None:
            panels[panel.area].append({"template": panel.template, "context": context})
    return render(
        request,
        "cases/home.html",
        {
            "counts": counts,
            "attention": overview.attention(request.user, project),
            "recent": overview.recent(project),
            "panels": panels,
            "is_curator": permissions.role_may(role, permissions.CURATE),
            "is_researcher": permissions.role_may(role, permissions.LAUNCH),
            "empty": counts["exams"] == 0,
        },
    )
