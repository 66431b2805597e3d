"""The home of a project."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
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
    return render(
        request,
        "cases/home.html",
        {
            "counts": counts,
            "attention": overview.attention(request.user, project),
            "recent": overview.recent(project),
            "panels": _panels(request, project, role),
            "is_curator": permissions.role_may(role, permissions.CURATE),
            "is_researcher": permissions.role_may(role, permissions.LAUNCH),
            "empty": counts["exams"] == 0,
        },
    )


def _panels(request: HttpRequest, project: Project, role: str) -> dict[str, list[SafeString]]:
    """Panels of the apps above, drawn without the frame's context so that its queries run once."""
    frame = {"request": request, "user": request.user, "project": project, "role": role}
    drawn: dict[str, list[SafeString]] = {"main": [], "side": []}
    for panel in sorted(home_panels.values(), key=lambda one: one.position):
        context = panel.context(request, project, None)
        if context is not None:
            whole = {**frame, "csrf_token": get_token(request), **context}
            drawn[panel.area].append(render_to_string(panel.template, whole))
    return drawn
