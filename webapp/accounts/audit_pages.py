"""The audit trail of a project; for its admins."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from webapp.accounts import permissions, services, trail
from webapp.accounts.forms import TrailForm
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.core.downloads import written

A_PAGE = 50


@require_safe
@project_page(permissions.MANAGE)
def audit(request: HttpRequest, project: Project) -> HttpResponse:
    """`<project>/audit/?person=&action=&object=&since=&until=`: who wrote or read what, newest first."""
    return _page(request, project, TrailForm(request.GET))


@require_safe
@project_page(permissions.MANAGE)
def audit_csv(request: HttpRequest, project: Project) -> HttpResponseBase:
    """The same events as CSV; taking them is an event itself."""
    assert isinstance(request.user, User)
    form = TrailForm(request.GET)
    if not form.is_valid():
        return _page(request, project, form)
    found = trail.narrowed(trail.events_of(project), **form.cleaned_data)
    response = written(
        request,
        lambda handle: trail.write_csv(handle, found),
        filename=f"{project.slug}-audit.csv",
        content_type="text/csv; charset=utf-8",
    )
    services.record_trail_export(actor=request.user, project=project)
    return response


def _page(request: HttpRequest, project: Project, form: TrailForm) -> HttpResponse:
    events = trail.events_of(project)
    right = form.is_valid()
    found = trail.narrowed(events, **form.cleaned_data) if right else events.none()
    page = Paginator(found, A_PAGE).get_page(request.GET.get("page"))
    address = reverse("accounts:audit", args=[project.slug])
    asked = {name: request.GET[name] for name in form.fields if request.GET.get(name)}
    rows: list[dict[str, Any]] = [
        {"line": line, "url": f"{address}?{urlencode({'object': line.object})}" if line.object else ""}
        for line in trail.lines(page)
    ]
    context = {
        "form": form,
        "page": page,
        "rows": rows,
        "people": trail.people_in(events),
        "actions": trail.actions_in(events),
        "asked": asked,
        "query": urlencode(asked),
        "zone": timezone.get_current_timezone_name(),
    }
    return render(request, "accounts/audit.html", context, status=200 if right else 422)
