"""Results: locked until every run has ended, each opening counted."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from detection.evaluation.protocol import Protocol
from webapp.api.base import ProjectView
from webapp.api.errors import Locked
from webapp.experiments.models import Experiment
from webapp.experiments.selectors import all_runs_ended
from webapp.results import selectors, services
from webapp.results.derived import PANELS
from webapp.results.serializers import PanelQuerySerializer, PanelSerializer, ResultsSerializer


class ExperimentResults(ProjectView[Any]):
    """Every number of an experiment with interval, n and the rules it was counted by."""

    model = Experiment
    serializer_class = ResultsSerializer

    def visible(self) -> QuerySet[Experiment]:
        return selectors.experiments_with_results(self.person, self.project)

    @extend_schema(
        tags=["results"],
        summary="Results of an experiment on its test sets",
        description="Counts one look on each test set shown, as the page does.",
        responses={
            200: ResultsSerializer,
            409: OpenApiResponse(description="Runs have not ended: the test sets are locked."),
        },
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Ask the lock, count the look, answer."""
        experiment = get_object_or_404(self.get_queryset(), number=kwargs["number"])
        if not all_runs_ended(experiment):
            raise Locked
        services.record_look(
            actor=self.person, experiment=experiment, test_sets=selectors.present_test_sets(experiment)
        )
        protocol = Protocol.from_json(experiment.protocol)
        found = {
            "experiment": experiment.number,
            "name": experiment.name,
            "primary_endpoint": experiment.primary_endpoint,
            "protocol": protocol.to_json(),
            "protocol_sentence": protocol.sentence(),
            "looks": selectors.looks(experiment),
            "rows": selectors.rows(experiment),
            "summary": selectors.summary(experiment),
        }
        return Response(ResultsSerializer(found).data)


class ResultPanel(ProjectView[Any]):
    """One panel of the dashboard as rows."""

    model = Experiment
    serializer_class = PanelSerializer

    def visible(self) -> QuerySet[Experiment]:
        return selectors.experiments_with_results(self.person, self.project)

    @extend_schema(
        operation_id="v1_projects_experiments_results_panel_retrieve",
        tags=["results"],
        summary="One panel of the results of an experiment",
        description=f"`panel` is one of {', '.join(PANELS)}. Part of the look that opened the results; who has not "
        "opened them yet is counted now.",
        parameters=[PanelQuerySerializer],
        responses={
            200: PanelSerializer,
            409: OpenApiResponse(description="Runs have not ended: the test sets are locked."),
        },
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Ask the lock, write the part down, answer."""
        experiment = get_object_or_404(self.get_queryset(), number=kwargs["number"])
        panel = kwargs["panel"]
        if panel not in PANELS:
            raise Http404
        query = PanelQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        if not all_runs_ended(experiment):
            raise Locked
        services.record_part(actor=self.person, experiment=experiment, part=f"api {panel}")
        group = query.validated_data["group"]
        found = {
            "experiment": experiment.number,
            "panel": panel,
            "group": group,
            "protocol_sentence": Protocol.from_json(experiment.protocol).sentence(),
            "looks": selectors.looks(experiment),
            "rows": PANELS[panel](experiment, group),
        }
        return Response(PanelSerializer(found).data)
