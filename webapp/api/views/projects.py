"""Projects."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView

from webapp.accounts.models import Project
from webapp.accounts.serializers import ProjectSerializer, projects_with_role
from webapp.api.base import ApiView


class _Projects(ApiView[Project]):
    serializer_class = ProjectSerializer
    lookup_field = "slug"
    lookup_url_kwarg = "project"

    def get_queryset(self) -> QuerySet[Project]:
        if getattr(self, "swagger_fake_view", False):
            return Project.objects.none()
        return projects_with_role(self.person)


@extend_schema(tags=["projects"], summary="Projects you are a member of")
class ProjectList(_Projects, ListAPIView[Project]):
    """Projects the caller is a member of, with the caller's role."""


@extend_schema(tags=["projects"], summary="One project")
class ProjectDetail(_Projects, RetrieveAPIView[Project]):
    """A project with the caller's role."""
