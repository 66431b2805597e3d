"""Datasets, versions and splits."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView

from webapp.api.base import ProjectView
from webapp.api.filters import SplitFilter
from webapp.datasets.models import Dataset, DatasetVersion, SplitAssignment
from webapp.datasets.selectors import datasets_of, versions_of
from webapp.datasets.serializers import DatasetSerializer, SplitAssignmentSerializer, VersionDetailSerializer


class _Datasets(ProjectView[Dataset]):
    model = Dataset
    serializer_class = DatasetSerializer
    lookup_field = "slug"

    def visible(self) -> QuerySet[Dataset]:
        return datasets_of(self.person, self.project).order_by("name")


@extend_schema(tags=["datasets"], summary="Datasets with their versions")
class DatasetList(_Datasets, ListAPIView[Dataset]):
    """Datasets with their versions, newest first."""


@extend_schema(tags=["datasets"], summary="One dataset")
class DatasetDetail(_Datasets, RetrieveAPIView[Dataset]):
    """A dataset with its versions, newest first."""


@extend_schema(tags=["datasets"], summary="One version: split, counts, leakage checks")
class VersionDetail(ProjectView[DatasetVersion], RetrieveAPIView[DatasetVersion]):
    """A version with its split settings, patients per split and leakage checks."""

    model = DatasetVersion
    serializer_class = VersionDetailSerializer
    lookup_field = "number"

    def visible(self) -> QuerySet[DatasetVersion]:
        return versions_of(self.person, self.project).filter(dataset__slug=self.kwargs["slug"])


@extend_schema(tags=["datasets"], summary="The split of every patient of a version")
class SplitList(ProjectView[SplitAssignment], ListAPIView[SplitAssignment]):
    """Patients, by pseudonym, and the split each is in."""

    model = SplitAssignment
    serializer_class = SplitAssignmentSerializer
    filterset_class = SplitFilter

    def visible(self) -> QuerySet[SplitAssignment]:
        versions: Any = versions_of(self.person, self.project)
        version = get_object_or_404(versions, dataset__slug=self.kwargs["slug"], number=self.kwargs["number"])
        return version.assignments.select_related("patient__site").order_by("patient__pseudonym")
