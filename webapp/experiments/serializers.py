"""Experiments, arms, runs and predictions as the API shows them."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from webapp.annotations.models import LesionType
from webapp.annotations.serializers import polygon_field
from webapp.experiments import selectors
from webapp.experiments.design_serializers import ComparisonSerializer
from webapp.experiments.models import Arm, Experiment, MetricPoint, Prediction, Run


def with_metrics(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Fetch the metric points along, in the order of name and epoch."""
    return runs.prefetch_related(Prefetch("metric_points", MetricPoint.objects.order_by("name", "epoch")))


class ArmSerializer(serializers.ModelSerializer[Arm]):
    """One recipe. A ratio is synthetic cases as a share of the training patients with a real cluster of the class."""

    configuration = serializers.DictField(read_only=True, help_text="Complete, resolved.")

    class Meta:
        model = Arm
        fields = [
            "position",
            "name",
            "family",
            "preset",
            "configuration",
            "ratio_benign",
            "ratio_malignant",
            "synthetic_source",
        ]
        read_only_fields = fields


class RunSerializer(serializers.ModelSerializer[Run]):
    """An arm trained with one seed. `arm` is the arm's position in the design, from 0."""

    arm = serializers.IntegerField(source="arm.position", read_only=True)
    arm_name = serializers.CharField(source="arm.name", read_only=True)
    job = serializers.IntegerField(source="job_id", read_only=True, allow_null=True)

    class Meta:
        model = Run
        fields = ["arm", "arm_name", "seed", "state", "job", "best_epoch", "error", "started", "ended"]
        read_only_fields = fields


class MetricPointSerializer(serializers.ModelSerializer[MetricPoint]):
    """A number of a run at an epoch. `value` is null where it is undefined, and `undefined` says why."""

    class Meta:
        model = MetricPoint
        fields = ["name", "epoch", "value", "n", "undefined", "attempt", "time"]
        read_only_fields = fields


class RunDetailSerializer(RunSerializer):
    """A run with its metric points."""

    metric_points = MetricPointSerializer(many=True, read_only=True)

    class Meta(RunSerializer.Meta):
        fields = [*RunSerializer.Meta.fields, "metric_points"]
        read_only_fields = fields


class RunCountsSerializer(serializers.Serializer[selectors.RunCounts]):
    """Runs by what became of them."""

    total = serializers.IntegerField()
    running = serializers.IntegerField()
    ended = serializers.IntegerField(help_text="Done, failed or cancelled.")
    done = serializers.IntegerField()


class ExperimentSerializer(serializers.ModelSerializer[Experiment]):
    """A question with how it will be judged, and how far its runs are."""

    primary_endpoint = serializers.CharField(read_only=True)
    comparison = ComparisonSerializer(read_only=True, allow_null=True)
    dataset = serializers.CharField(source="version.dataset.slug", read_only=True)
    version = serializers.IntegerField(source="version_id", read_only=True)
    version_number = serializers.IntegerField(source="version.number", read_only=True)
    seeds = serializers.ListField(child=serializers.IntegerField(), read_only=True)
    created_by = serializers.CharField(source="created_by.username", read_only=True, default="")
    run_counts = serializers.SerializerMethodField()
    launched_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Null while the design is frozen and its runs are not started."
    )

    class Meta:
        model = Experiment
        fields = [
            "number",
            "name",
            "hypothesis",
            "primary_endpoint",
            "comparison",
            "margin",
            "dataset",
            "version",
            "version_number",
            "seeds",
            "device",
            "state",
            "run_counts",
            "created_by",
            "created",
            "frozen_at",
            "launched_at",
        ]
        read_only_fields = fields

    @extend_schema_field(RunCountsSerializer)
    def get_run_counts(self, experiment: Experiment) -> Any:
        """How far the runs are."""
        return RunCountsSerializer(selectors.run_counts(experiment)).data


class ArmWithRunsSerializer(ArmSerializer):
    """An arm with its runs."""

    runs = RunSerializer(many=True, read_only=True)

    class Meta(ArmSerializer.Meta):
        fields = [*ArmSerializer.Meta.fields, "runs"]
        read_only_fields = fields


class ExperimentDetailSerializer(ExperimentSerializer):
    """An experiment with arms, runs, protocol and the record that makes it reproducible."""

    arms = ArmWithRunsSerializer(many=True, read_only=True)
    protocol = serializers.DictField(read_only=True)
    reproducibility = serializers.DictField(read_only=True)

    class Meta(ExperimentSerializer.Meta):
        fields = [*ExperimentSerializer.Meta.fields, "protocol", "reproducibility", "arms"]
        read_only_fields = fields


class PredictionSerializer(serializers.ModelSerializer[Prediction]):
    """A finding of a run on a view, in continuous image pixels."""

    case = serializers.IntegerField(source="view.exam.number", read_only=True)
    view = serializers.IntegerField(source="view_id", read_only=True)
    malignancy = serializers.FloatField(read_only=True, help_text="Probability that it is malignant.")
    lesion_type = serializers.ChoiceField(choices=LesionType.choices, read_only=True)
    contour = polygon_field(
        read_only=True, allow_null=True, help_text="Outline, [[x, y], …]; null where the detector draws none."
    )

    class Meta:
        model = Prediction
        fields = [
            "case",
            "view",
            "split",
            "rank",
            "x1",
            "y1",
            "x2",
            "y2",
            "score",
            "malignancy",
            "lesion_type",
            "contour",
        ]
        read_only_fields = fields
