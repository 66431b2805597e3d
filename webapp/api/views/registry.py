"""Registered models and their applications: read."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView

from webapp.api.base import ProjectView
from webapp.api.filters import ModelFilter
from webapp.registry.models import HistoryEntry, ModelApplication, RegisteredModel
from webapp.registry.selectors import applications_of, models_of
from webapp.registry.serializers import ApplicationSerializer, ModelDetailSerializer, ModelSerializer


@extend_schema(tags=["models"], summary="Registered models, newest first")
class ModelList(ProjectView[RegisteredModel], ListAPIView[RegisteredModel]):
    """The model of every complete run."""

    model = RegisteredModel
    serializer_class = ModelSerializer
    filterset_class = ModelFilter

    def visible(self) -> QuerySet[RegisteredModel]:
        return models_of(self.person, self.project)


@extend_schema(tags=["models"], summary="One model with its record, operating points and history")
class ModelDetail(ProjectView[RegisteredModel], RetrieveAPIView[RegisteredModel]):
    """A model with everything that says what it is."""

    model = RegisteredModel
    serializer_class = ModelDetailSerializer
    lookup_field = "number"

    def visible(self) -> QuerySet[RegisteredModel]:
        history = Prefetch("history", HistoryEntry.objects.order_by("pk"))
        return models_of(self.person, self.project).prefetch_related(history)


class _Applications(ProjectView[ModelApplication]):
    model = ModelApplication
    serializer_class = ApplicationSerializer
    lookup_field = "number"

    def visible(self) -> QuerySet[ModelApplication]:
        return applications_of(self.person, self.project)


@extend_schema(tags=["models"], summary="Applications of models to cases, newest first")
class ApplicationList(_Applications, ListAPIView[ModelApplication]):
    """Models run on chosen views."""


@extend_schema(tags=["models"], summary="One application")
class ApplicationDetail(_Applications, RetrieveAPIView[ModelApplication]):
    """A model run on chosen views: how far it is, what was left out."""
