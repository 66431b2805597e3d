"""Simulations: read."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView

from webapp.api.base import ProjectView
from webapp.api.filters import SyntheticViewFilter
from webapp.simulations.models import SimulationBatch, SyntheticView
from webapp.simulations.selectors import batches_of, synthetic_views_of
from webapp.simulations.serializers import (
    SimulationDetailSerializer,
    SimulationSerializer,
    SyntheticViewDetailSerializer,
    SyntheticViewSerializer,
)


@extend_schema(tags=["simulations"], summary="Simulations, newest first")
class SimulationList(ProjectView[SimulationBatch], ListAPIView[SimulationBatch]):
    """Batches of synthetic cases."""

    model = SimulationBatch
    serializer_class = SimulationSerializer

    def visible(self) -> QuerySet[SimulationBatch]:
        return batches_of(self.person, self.project).order_by("-number")


@extend_schema(tags=["simulations"], summary="One simulation with its settings")
class SimulationDetail(ProjectView[SimulationBatch], RetrieveAPIView[SimulationBatch]):
    """A batch with what its job found."""

    model = SimulationBatch
    serializer_class = SimulationDetailSerializer
    lookup_field = "number"

    def visible(self) -> QuerySet[SimulationBatch]:
        return batches_of(self.person, self.project)


@extend_schema(tags=["simulations"], summary="Synthetic views of a simulation")
class SyntheticViewList(ProjectView[SyntheticView], ListAPIView[SyntheticView]):
    """Synthetic views by class and case."""

    model = SyntheticView
    serializer_class = SyntheticViewSerializer
    filterset_class = SyntheticViewFilter

    def visible(self) -> QuerySet[SyntheticView]:
        batch = batches_of(self.person, self.project).filter(number=self.kwargs["number"]).first()
        if batch is None:
            raise Http404("No such simulation.")
        views = synthetic_views_of(self.person, self.project).filter(batch=batch)
        return views.order_by("malignancy", "case_number", "pk")


@extend_schema(tags=["simulations"], summary="One synthetic view with its record and verdicts")
class SyntheticViewDetail(ProjectView[SyntheticView], RetrieveAPIView[SyntheticView]):
    """The provenance record of a synthetic view."""

    model = SyntheticView
    serializer_class = SyntheticViewDetailSerializer
    lookup_url_kwarg = "synthetic"

    def visible(self) -> QuerySet[SyntheticView]:
        return synthetic_views_of(self.person, self.project).filter(batch__number=self.kwargs["number"])
