"""Jobs."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView

from webapp.api.base import ProjectView
from webapp.api.filters import JobFilter
from webapp.jobs.models import Job
from webapp.jobs.selectors import jobs_in
from webapp.jobs.serializers import JobDetailSerializer, JobSerializer


@extend_schema(tags=["jobs"], summary="Jobs, newest first")
class JobList(ProjectView[Job], ListAPIView[Job]):
    """Long work of the project."""

    model = Job
    serializer_class = JobSerializer
    filterset_class = JobFilter

    def visible(self) -> QuerySet[Job]:
        return jobs_in(self.project).order_by("-pk")


@extend_schema(tags=["jobs"], summary="One job with its events")
class JobDetail(ProjectView[Job], RetrieveAPIView[Job]):
    """A job with what happened to it."""

    model = Job
    serializer_class = JobDetailSerializer
    lookup_url_kwarg = "number"

    def visible(self) -> QuerySet[Job]:
        return jobs_in(self.project).prefetch_related("events")
