"""What every page shows around its content: project, rail, status strip."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from webapp.core import registry

SECTIONS = ["", "Data", "Experiments", "Reading", "System"]


def navigation(project: Any, role: str, path: str) -> list[dict[str, Any]]:
    """Sections of the rail for a role; entries a role cannot use are absent."""
    entries = sorted(registry.navigation.values(), key=lambda entry: entry.position)
    sections = []
    for section in SECTIONS:
        rows = []
        for entry in entries:
            if entry.section != section or not entry.visible(role):
                continue
            url = reverse(entry.url_name, args=[project.slug])
            rows.append(
                {
                    "label": entry.label,
                    "icon": entry.icon,
                    "url": url,
                    "key": entry.key,
                    "count": entry.count(project) if entry.count else None,
                    "active": path == url or (section != "" and path.startswith(url)),
                }
            )
        if rows:
            sections.append({"label": section, "entries": rows})
    return sections


def page(request: HttpRequest) -> dict[str, Any]:
    """`project`, `role`, `navigation` and `projects` for the frame of the page.

    Views set `request.project` and `request.role` through `accounts.project_pages`; pages outside a project and
    error pages have none.
    """
    project = getattr(request, "project", None)
    role = getattr(request, "role", None)
    user = getattr(request, "user", None)
    if project is None or user is None or not user.is_authenticated or role is None:
        return {"navigation": [], "role": role}
    return {
        "project": project,
        "role": role,
        "navigation": navigation(project, role, request.path),
        "switchable_projects": getattr(request, "memberships", []),
    }
