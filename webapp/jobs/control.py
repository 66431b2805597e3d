"""Cancel and retry buttons, on the page of a job and on those of what it works on."""

from __future__ import annotations

from typing import Literal

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from webapp.accounts.models import User
from webapp.core.errors import NotAllowed, UserError
from webapp.jobs import services
from webapp.jobs.models import Job, JobState

Verb = Literal["cancel", "retry"]


def control(request: HttpRequest, job: Job | None, verb: Verb, *, kept: str = "") -> None:
    """Cancel a job or queue it again, and tell the person what became of it.

    Parameters
    ----------
    kept : str
        What stays of work that is stopped on the way, as a sentence.

    Raises
    ------
    Http404
        If there is no job.
    PermissionDenied
        If the person may not.
    """
    assert isinstance(request.user, User)
    if job is None:
        raise Http404("There is no job to control.")
    act = services.cancel if verb == "cancel" else services.retry
    try:
        changed = act(actor=request.user, job=job)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except UserError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _outcome(changed, verb, kept))


def _outcome(job: Job, verb: Verb, kept: str) -> str:
    if verb == "retry":
        return f"“{job.name}” is queued again."
    if job.state == JobState.CANCELLED:
        return f"“{job.name}” is cancelled; it had not started."
    return f"“{job.name}” is stopping. {kept}".rstrip()
