"""Cancel and resume buttons on the pages of what a job works on."""

from __future__ import annotations

from typing import Literal

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from webapp.accounts.models import User
from webapp.core.errors import NotAllowed, UserError
from webapp.jobs import services
from webapp.jobs.models import Job

Verb = Literal["cancel", "resume"]


def control(request: HttpRequest, job: Job | None, verb: Verb, *, thing: str, done: str) -> None:
    """Cancel a job or queue it again, and tell the person what became of it.

    Parameters
    ----------
    thing : str
        What the job works on, such as "simulation".
    done : str
        What is said where it was done.

    Raises
    ------
    Http404
        If there is no job.
    PermissionDenied
        If the person may not.
    """
    assert isinstance(request.user, User)
    if job is None:
        raise Http404(f"This {thing} has no job.")
    act = services.cancel if verb == "cancel" else services.retry
    try:
        act(actor=request.user, job=job)
        messages.success(request, done)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except UserError as error:
        messages.error(request, str(error))
