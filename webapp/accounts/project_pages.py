"""The gate in front of every page of a project."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase

from webapp.accounts import permissions
from webapp.accounts.models import Project
from webapp.accounts.selectors import memberships_of

Parameters = ParamSpec("Parameters")
View = Callable[Concatenate[HttpRequest, Project, Parameters], HttpResponseBase]


def project_page(
    permission: str | None = None,
) -> Callable[[View[Parameters]], Callable[Concatenate[HttpRequest, Parameters], HttpResponseBase]]:
    """Turn `view(request, project, …)` into a view of `<slug:project>/…`.

    Anonymous visitors are sent to sign-in, outsiders get 404, members without `permission` 403.
    Sets `request.project` and `request.role` for the page frame.
    """

    def decorate(view: View[Parameters]) -> Callable[..., HttpResponseBase]:
        @login_required
        @wraps(view)
        def gate(request: Any, project: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            # One query gives the project, the role and the project switcher of the frame.
            request.memberships = memberships_of(request.user)
            membership = next((one for one in request.memberships if one.project.slug == project), None)
            if membership is None:
                raise Http404("No such project.")
            found = membership.project
            request.project = found
            request.role = membership.role
            if permission is not None and not permissions.role_may(request.role, permission):
                raise PermissionDenied(f"Your role in this project does not let you {permissions.WORDS[permission]}.")
            return view(request, found, *args, **kwargs)

        return gate

    return decorate
