"""Registered models and applications as the API shows them."""

from __future__ import annotations

from rest_framework import serializers

from webapp.registry import selectors, weights
from webapp.registry.models import HistoryEntry, ModelApplication, RegisteredModel, Stage


class ModelSerializer(serializers.ModelSerializer[RegisteredModel]):
    """A model with what it comes from and the stage in force. `arm` is the arm's position in the design, from 0."""

    stage = serializers.ChoiceField(choices=Stage.choices, read_only=True)
    experiment = serializers.IntegerField(source="run.arm.experiment.number", read_only=True)
    arm = serializers.IntegerField(source="run.arm.position", read_only=True)
    dataset = serializers.CharField(source="version.dataset.slug", read_only=True)
    version_number = serializers.IntegerField(source="version.number", read_only=True)

    class Meta:
        model = RegisteredModel
        fields = [
            "number",
            "name",
            "stage",
            "family",
            "preset",
            "experiment",
            "arm",
            "seed",
            "dataset",
            "version_number",
            "data_hash",
            "best_epoch",
            "weights_sha256",
            "weights_size",
            "registered",
        ]
        read_only_fields = fields


class OperatingPointSerializer(serializers.Serializer[None]):
    """A threshold chosen on validation rows, and what it gives on them."""

    rule = serializers.CharField()
    threshold = serializers.FloatField(allow_null=True, help_text="Null where undefined: `reason` says why.")
    sensitivity = serializers.FloatField(allow_null=True)
    specificity = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField()
    reason = serializers.CharField(allow_null=True)
    strict = serializers.BooleanField(help_text="Whether a row must be above the threshold, not at or above it.")


class OperatingLevelSerializer(serializers.Serializer[None]):
    """The operating points of one level."""

    rows = serializers.IntegerField()
    malignant = serializers.IntegerField()
    left_out = serializers.IntegerField(help_text="Rows whose lesions are all of unknown class.")
    points = OperatingPointSerializer(many=True)


class OperatingPointsSerializer(serializers.Serializer[None]):
    """Operating points of views and of patients."""

    score = serializers.CharField(help_text="What the threshold is laid on.")
    view = OperatingLevelSerializer()
    patient = OperatingLevelSerializer()


class HistorySerializer(serializers.ModelSerializer[HistoryEntry]):
    """A decision or a note."""

    class Meta:
        model = HistoryEntry
        fields = ["kind", "stage", "text", "actor_name", "time"]
        read_only_fields = fields


class ModelDetailSerializer(ModelSerializer):
    """A model with configuration, training counts, code, environment, operating points and history."""

    configuration = serializers.DictField(read_only=True, help_text="Complete, resolved.")
    differences = serializers.ListField(
        child=serializers.DictField(), read_only=True, help_text="Settings unlike the preset's."
    )
    training_counts = serializers.DictField(read_only=True, help_text="Real and synthetic, by class.")
    code = serializers.DictField(read_only=True)
    environment = serializers.DictField(read_only=True)
    operating_points = OperatingPointsSerializer(read_only=True)
    weights_state = serializers.SerializerMethodField(help_text="`intact`, `missing` or `altered`.")
    history = HistorySerializer(many=True, read_only=True)

    class Meta(ModelSerializer.Meta):
        fields = [
            *ModelSerializer.Meta.fields,
            "configuration",
            "differences",
            "training_counts",
            "code",
            "environment",
            "operating_points",
            "weights_state",
            "history",
        ]
        read_only_fields = fields

    def get_weights_state(self, model: RegisteredModel) -> str:
        """Whether the file is the one that was registered."""
        return weights.state(model)


class ApplicationSerializer(serializers.ModelSerializer[ModelApplication]):
    """A model run on chosen views."""

    model = serializers.IntegerField(source="model.number", read_only=True, help_text="Number of the model.")
    cases = serializers.CharField(source="selection.words", read_only=True, help_text="Which cases were meant.")
    left_out = serializers.DictField(
        source="selection.left_out", child=serializers.IntegerField(), read_only=True, help_text="Reason → views."
    )
    done = serializers.IntegerField(read_only=True, help_text="Views done.")
    findings = serializers.SerializerMethodField(help_text="Null until it is complete.")
    job = serializers.IntegerField(source="job_id", read_only=True, allow_null=True)
    created_by = serializers.CharField(source="created_by.username", read_only=True, default="")

    class Meta:
        model = ModelApplication
        fields = [
            "number",
            "model",
            "cases",
            "left_out",
            "size",
            "done",
            "findings",
            "job",
            "created_by",
            "created",
            "finished",
        ]
        read_only_fields = fields

    def get_findings(self, application: ModelApplication) -> int | None:
        """Number of findings; null too while findings on test patients are locked."""
        if application.finished is None or selectors.locked(application):
            return None
        found: int = application.summary["findings"]
        return found
