"""The gate in front of every page of a project."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from webapp.accounts import permissions
from webapp.accounts.models import Project
from webapp.accounts.selectors import get_project_or_404

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
            found = get_project_or_404(request.user, project)
            request.project = found
            request.role = permissions.role_of(request.user, found)
            if permission is not None and not permissions.role_may(request.role, permission):
                raise PermissionDenied(f"Your role in this project does not let you {permissions.WORDS[permission]}.")
            return view(request, found, *args, **kwargs)

        return gate

    return decorate
