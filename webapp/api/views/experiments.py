"""Experiments: read, freeze, launch, follow."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.accounts import permissions
from webapp.api.base import ProjectView
from webapp.api.errors import Locked
from webapp.api.filters import PredictionFilter
from webapp.core.errors import UserError
from webapp.datasets.selectors import versions_of
from webapp.experiments import services
from webapp.experiments.design_serializers import DesignSerializer
from webapp.experiments.models import Arm, Experiment, Prediction, Run
from webapp.experiments.selectors import (
    all_runs_ended,
    experiments_of,
    predictions_of,
    runs_of,
    with_arms,
)
from webapp.experiments.serializers import (
    ArmSerializer,
    ExperimentDetailSerializer,
    ExperimentSerializer,
    PredictionSerializer,
    RunDetailSerializer,
    RunSerializer,
    with_metrics,
)
from webapp.results import services as results
from webapp.results.models import TestSetLook
from webapp.results.selectors import TEST_SETS
from webapp.simulations.selectors import usable_batches

REFUSED = OpenApiResponse(description="Your role neither freezes nor launches designs.")


@extend_schema_view(
    get=extend_schema(tags=["experiments"], summary="Experiments"),
    post=extend_schema(
        tags=["experiments"],
        summary="Freeze the design of an experiment",
        description="Starts nothing: the answer is the design as it will be run, for the caller to read and launch.",
        request=DesignSerializer,
        responses={
            201: ExperimentDetailSerializer,
            400: OpenApiResponse(description="The design is not valid: `detail` says why, `field` where."),
            403: REFUSED,
        },
    ),
)
class ExperimentList(ProjectView[Experiment], ListAPIView[Experiment]):
    """Experiments, newest first; a post freezes a design."""

    model = Experiment
    serializer_class = ExperimentSerializer

    def visible(self) -> QuerySet[Experiment]:
        return with_arms(experiments_of(self.person, self.project))

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Freeze."""
        permissions.require(self.person, self.project, permissions.LAUNCH)
        asked = DesignSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        version = versions_of(self.person, self.project).filter(pk=asked.validated_data["version"]).first()
        if version is None:
            raise UserError("This project has no such dataset version.", field="version")
        number = asked.validated_data["simulation"]
        simulation = None
        if number is not None:
            simulation = usable_batches(self.person, self.project).filter(number=number).first()
            if simulation is None:
                raise UserError("This project has no such finished simulation for arms.", field="simulation")
        frozen = services.freeze(
            actor=self.person,
            project=self.project,
            version=version,
            simulation=simulation,
            design=asked.design(),
            simulation_seed=asked.validated_data["simulation_seed"],
        )
        made = self.visible().get(pk=frozen.pk)
        address = reverse("api:experiment", args=[self.project.slug, made.number])
        return Response(
            ExperimentDetailSerializer(made).data, status=status.HTTP_201_CREATED, headers={"Location": address}
        )


@extend_schema(tags=["experiments"], summary="One experiment with arms and runs")
class ExperimentDetail(ProjectView[Experiment], RetrieveAPIView[Experiment]):
    """An experiment with its arms, runs, protocol and the record that makes it reproducible."""

    model = Experiment
    serializer_class = ExperimentDetailSerializer
    lookup_field = "number"

    def visible(self) -> QuerySet[Experiment]:
        return with_arms(experiments_of(self.person, self.project))


class _OfExperiment(ProjectView[Any]):
    def experiment(self) -> Experiment:
        found: Any = experiments_of(self.person, self.project)
        experiment: Experiment = get_object_or_404(found, number=self.kwargs["number"])
        return experiment


class ExperimentLaunch(_OfExperiment):
    """The start of a frozen design, once."""

    model = Experiment
    serializer_class = ExperimentDetailSerializer

    @extend_schema(
        tags=["experiments"],
        summary="Launch a frozen design",
        description="Records code version, data hash, seeds and environment, and queues a run for each arm and seed.",
        request=None,
        responses={
            200: ExperimentDetailSerializer,
            400: OpenApiResponse(description="It cannot be recorded or run here: `detail` says what is missing."),
            403: REFUSED,
            409: OpenApiResponse(description="It was launched already."),
        },
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Launch."""
        started = services.launch(actor=self.person, experiment=self.experiment())
        made = with_arms(experiments_of(self.person, self.project)).get(pk=started.pk)
        return Response(ExperimentDetailSerializer(made).data)


@extend_schema(tags=["experiments"], summary="Arms of an experiment")
class ArmList(_OfExperiment, ListAPIView[Arm]):
    """Arms in the order of the design, with their complete configuration."""

    model = Arm
    serializer_class = ArmSerializer

    def visible(self) -> QuerySet[Arm]:
        return Arm.objects.filter(experiment=self.experiment()).order_by("position")


@extend_schema(tags=["experiments"], summary="Runs of an experiment")
class RunList(_OfExperiment, ListAPIView[Run]):
    """Runs by arm and seed."""

    model = Run
    serializer_class = RunSerializer

    def visible(self) -> QuerySet[Run]:
        return (
            runs_of(self.person, self.project)
            .filter(arm__experiment=self.experiment())
            .order_by("arm__position", "seed")
        )


class _OfRun(ProjectView[Any]):
    def run(self) -> Run:
        found = (
            runs_of(self.person, self.project)
            .filter(
                arm__experiment__number=self.kwargs["number"],
                arm__position=self.kwargs["arm"],
                seed=self.kwargs["seed"],
            )
            .first()
        )
        if found is None:
            raise Http404("No such run.")
        return found


@extend_schema(tags=["experiments"], summary="One run with its metric points")
class RunDetail(_OfRun, RetrieveAPIView[Run]):
    """A run with the numbers of its epochs. `arm` is the arm's position in the design, from 0."""

    model = Run
    serializer_class = RunDetailSerializer

    def get_object(self) -> Run:
        """The run with its metric points."""
        return with_metrics(runs_of(self.person, self.project)).get(pk=self.run().pk)


@extend_schema(
    tags=["experiments"],
    summary="Findings of a run on a split",
    responses={
        200: PredictionSerializer(many=True),
        409: OpenApiResponse(description="A test set, and runs of the experiment have not ended."),
    },
)
class PredictionList(_OfRun, ListAPIView[Prediction]):
    """Findings of a run by case, view and rank.

    Findings on a test set are results: they are locked until every run has ended, and opening them counts as a
    look at the test set. Further pages belong to the same look.
    """

    model = Prediction
    serializer_class = PredictionSerializer
    filterset_class = PredictionFilter

    def visible(self) -> QuerySet[Prediction]:
        return (
            predictions_of(self.person, self.project)
            .filter(run=self.run())
            .select_related("view__exam")
            .order_by("view__exam__number", "view_id", "rank")
        )

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Ask the lock first where the split is a test set."""
        test_set = request.query_params.get("split", "")
        if test_set in TEST_SETS:
            self._look(test_set)
        return super().list(request, *args, **kwargs)

    def _look(self, test_set: str) -> None:
        experiment = self.run().arm.experiment
        if not all_runs_ended(experiment):
            raise Locked
        first_page = self.request.query_params.get("offset", "0").strip() in ("", "0")
        looked = TestSetLook.objects.filter(experiment=experiment, test_set=test_set, person=self.person)
        if first_page or not looked.exists():
            results.record_look(actor=self.person, experiment=experiment, test_sets=[test_set])
