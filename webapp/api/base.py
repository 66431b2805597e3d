"""What all addresses of the API share: who calls, which project, how a refusal is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.authentication import SessionAuthentication
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from webapp.accounts.models import Project, User
from webapp.accounts.selectors import get_project_or_404
from webapp.api import errors
from webapp.api.authentication import TokenAuthentication
from webapp.api.pagination import Pages

Row = TypeVar("Row", bound=Model)


class ApiView(GenericAPIView[Row]):
    """An address for people who are signed in, by session (with CSRF) or token."""

    authentication_classes = [TokenAuthentication, SessionAuthentication]
    permission_classes = [IsAuthenticated]
    pagination_class = Pages
    filter_backends = [DjangoFilterBackend]

    def get_exception_handler(self) -> Callable[..., Any]:
        """Services' errors keep their words."""
        return errors.handle

    @property
    def person(self) -> User:
        """Who calls; anonymous callers never get this far."""
        user = self.request.user
        assert isinstance(user, User)
        return user


class ProjectView(ApiView[Row]):
    """An address of one project; 404 for people outside it, whatever it names.

    Lists and details give `model` (for the schema) and `visible()`, which starts from a selector.
    """

    model: type[Row]
    project: Project

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let the caller in, then into the project."""
        super().initial(request, *args, **kwargs)
        self.project = get_project_or_404(request.user, kwargs["project"])

    def visible(self) -> QuerySet[Row]:
        """Rows the caller may see."""
        raise AssertionError(f"{type(self).__name__} gives no rows")

    def get_queryset(self) -> QuerySet[Row]:
        """`visible()`; nothing while the schema is made, where nobody calls."""
        if getattr(self, "swagger_fake_view", False):
            return self.model._default_manager.none()
        return self.visible()
