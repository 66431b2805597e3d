"""Simulations and synthetic views as the API shows them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from webapp.simulations import record_page, verdicts
from webapp.simulations.models import SimulationBatch, SyntheticVerdict, SyntheticView


class SimulationSerializer(serializers.ModelSerializer[SimulationBatch]):
    """A batch of synthetic cases. A control names the simulation whose cases it repeats with nothing inserted."""

    dataset = serializers.CharField(source="version.dataset.slug", read_only=True)
    version = serializers.IntegerField(source="version_id", read_only=True, help_text="`id` of the dataset version.")
    control_of = serializers.IntegerField(source="control_of.number", read_only=True, default=None, allow_null=True)
    job = serializers.IntegerField(source="job_id", read_only=True, allow_null=True)
    state = serializers.CharField(source="job.state", read_only=True, default="", help_text="Of its job.")
    views = serializers.IntegerField(source="view_count", read_only=True, help_text="Synthetic views made so far.")
    created_by = serializers.CharField(source="created_by.username", read_only=True, default="")

    class Meta:
        model = SimulationBatch
        fields = [
            "number",
            "purpose",
            "dataset",
            "version",
            "seed",
            "preset",
            "wanted_benign",
            "wanted_malignant",
            "views",
            "control_of",
            "job",
            "state",
            "created_by",
            "created",
            "finished",
        ]
        read_only_fields = fields


class SimulationDetailSerializer(SimulationSerializer):
    """A batch with its host filter, settings and what its job found."""

    host_filter = serializers.DictField(read_only=True)
    settings = serializers.DictField(source="settings_used", read_only=True, help_text="Complete.")
    summary = serializers.DictField(read_only=True, help_text="Cases made, views refused by reason, real clusters.")

    class Meta(SimulationSerializer.Meta):
        fields = [*SimulationSerializer.Meta.fields, "host_filter", "settings", "summary"]
        read_only_fields = fields


class SyntheticViewSerializer(serializers.ModelSerializer[SyntheticView]):
    """A synthetic view: its host, its class, what became of it. Views of one case share `case_number`."""

    id = serializers.IntegerField(source="pk", read_only=True)
    case = serializers.IntegerField(source="view.exam.number", read_only=True, help_text="Case of host and view.")
    view = serializers.IntegerField(source="view_id", read_only=True)
    host = serializers.IntegerField(source="host_id", read_only=True, help_text="View it was made from.")
    laterality = serializers.CharField(source="view.laterality", read_only=True)
    position = serializers.CharField(source="view.position", read_only=True)
    outcome = serializers.SerializerMethodField()

    class Meta:
        model = SyntheticView
        fields = [
            "id",
            "malignancy",
            "case_number",
            "case",
            "view",
            "host",
            "laterality",
            "position",
            "seed",
            "quality",
            "outcome",
        ]
        read_only_fields = fields

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_outcome(self, synthetic: SyntheticView) -> dict[str, Any]:
        """Numbers of the cluster by their words; null where the record has none."""
        return record_page.outcome(synthetic.record)


class VerdictSerializer(serializers.ModelSerializer[SyntheticVerdict]):
    """A verdict on a case."""

    class Meta:
        model = SyntheticVerdict
        fields = ["verdict", "reason", "note", "actor_name", "time"]
        read_only_fields = fields


class SyntheticViewDetailSerializer(SyntheticViewSerializer):
    """A synthetic view with its record and every verdict, the latest first."""

    record = serializers.DictField(read_only=True, help_text="Every resolved parameter, versions and hashes.")
    verdicts = serializers.SerializerMethodField()

    class Meta(SyntheticViewSerializer.Meta):
        fields = [*SyntheticViewSerializer.Meta.fields, "record", "verdicts"]
        read_only_fields = fields

    @extend_schema_field(VerdictSerializer(many=True))
    def get_verdicts(self, synthetic: SyntheticView) -> Any:
        """What was decided, by whom and why."""
        return VerdictSerializer(verdicts.verdicts_on(synthetic), many=True).data
