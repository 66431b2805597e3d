"""The addresses that keep pages live: an event stream, and the same by asking again."""

from __future__ import annotations

from importlib import import_module

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse

from webapp.accounts.models import Project
from webapp.accounts.selectors import get_project_or_404
from webapp.jobs import live, selectors

RECENT_SECONDS = 120.0
"""The polling address tells how jobs ended for so long."""


def _visible_project(request: HttpRequest, slug: str) -> Project | None:
    """The project; None for anonymous visitors (a redirect to a page would be no use to a script).

    Raises
    ------
    Http404
        For people who are not members.
    """
    return get_project_or_404(request.user, slug) if request.user.is_authenticated else None


def _signed_out() -> HttpResponse:
    return HttpResponse("Sign in to follow jobs.", status=401, content_type="text/plain; charset=utf-8")


async def stream(request: HttpRequest, project: str) -> HttpResponseBase:
    """`<project>/jobs/stream`: server-sent events ``jobs`` (at first, everything) and ``job`` (a change)."""
    if not isinstance(request, ASGIRequest):
        # a synchronous server cannot hold the stream open; 204 tells the browser to ask the polling address
        return HttpResponse(status=204)
    found = await sync_to_async(_visible_project)(request, project)
    if found is None:
        return _signed_out()
    session_key = request.session.session_key

    def allowed() -> bool:
        return session_key is not None and _still_allowed(session_key, project)

    return StreamingHttpResponse(
        live.stream(found.pk, _last_event(request), allowed),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


def _last_event(request: HttpRequest) -> int | None:
    text = request.headers.get("Last-Event-ID", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None


def _still_allowed(session_key: str, slug: str) -> bool:
    """Whether the session is still there, its password unchanged, and the person still a member."""
    check = HttpRequest()
    check.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    try:
        get_project_or_404(get_user(check), slug)
    except Http404:
        return False
    return True


def poll(request: HttpRequest, project: str) -> HttpResponse:
    """`<project>/jobs/live.json`: active jobs and those that ended lately."""
    found = _visible_project(request, project)
    if found is None:
        return _signed_out()
    jobs = selectors.active_or_changed(found.pk, seconds=RECENT_SECONDS)
    response = JsonResponse({"jobs": [selectors.row(job) for job in jobs]})
    response.headers["Cache-Control"] = "no-store"
    return response
