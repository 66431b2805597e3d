"""The design of an experiment as the API takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from detection.evaluation.errors import ProtocolError
from detection.evaluation.protocol import Protocol
from webapp.experiments.design import ENDPOINTS, LARGEST_SEED, MAXIMUM_RATIO, SOURCES, ArmDesign, ExperimentDesign
from webapp.experiments.protocol_form import CHOICES


class DesignPart(serializers.Serializer[Any]):
    """A part of a design. What it does not know is refused: a misspelt field would be frozen as its default."""

    def to_internal_value(self, data: Any) -> Any:
        """The values, of fields that are known."""
        if isinstance(data, Mapping) and (unknown := sorted(set(map(str, data)) - set(self.fields))):
            words = f"There is no such field; known are {', '.join(self.fields)}."
            raise serializers.ValidationError({unknown[0]: [words]})
        return super().to_internal_value(data)


class ComparisonSerializer(DesignPart):
    """Which arm the primary endpoint compares with which, by position in the design, from 0."""

    arm = serializers.IntegerField(min_value=0)
    reference = serializers.IntegerField(min_value=0)


class ProtocolDesignSerializer(DesignPart):
    """How the test sets will be evaluated, as far as it is chosen; docs/metrics.md explains each field."""

    score_above = serializers.FloatField(default=Protocol.score_above, min_value=0, max_value=1)
    iou_above = serializers.FloatField(default=Protocol.iou_above, min_value=0, max_value=1)
    iou_of = serializers.ChoiceField(choices=list(CHOICES["iou_of"].items()), default=Protocol.iou_of)
    top = serializers.IntegerField(default=Protocol.top, min_value=1, max_value=1000)
    matching = serializers.ChoiceField(choices=list(CHOICES["matching"].items()), default=Protocol.matching)
    duplicates = serializers.ChoiceField(choices=list(CHOICES["duplicates"].items()), default=Protocol.duplicates)
    class_aware = serializers.ChoiceField(choices=list(CHOICES["class_aware"].items()), default=Protocol.class_aware)
    linked = serializers.ChoiceField(choices=list(CHOICES["linked"].items()), default=Protocol.linked)
    unit_score = serializers.ChoiceField(choices=list(CHOICES["unit_score"].items()), default=Protocol.unit_score)
    interval = serializers.ChoiceField(choices=list(CHOICES["interval"].items()), default=Protocol.interval)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Leave the limits that lie at an end to the protocol itself."""
        try:
            Protocol(**attrs)
        except ProtocolError as error:
            raise serializers.ValidationError(str(error)) from error
        return attrs


class ArmDesignSerializer(DesignPart):
    """An arm as designed."""

    name = serializers.CharField(max_length=60)
    preset = serializers.CharField(max_length=60, help_text="Name of a detector preset.")
    ratio_benign = serializers.FloatField(default=0.0, min_value=0.0, max_value=MAXIMUM_RATIO, help_text="1.0 = 100 %.")
    ratio_malignant = serializers.FloatField(
        default=0.0, min_value=0.0, max_value=MAXIMUM_RATIO, help_text="1.0 = 100 %."
    )
    synthetic_source = serializers.ChoiceField(
        choices=list(SOURCES.items()),
        default="clusters",
        help_text="`control`: the same hosts, places and outlines with nothing inserted.",
    )
    changes = serializers.DictField(default=dict, help_text="Fields of the configuration that differ from the preset.")


class DesignSerializer(DesignPart):
    """An experiment to freeze: nothing of the design can change afterwards."""

    version = serializers.IntegerField(help_text="`id` of a frozen dataset version.")
    name = serializers.CharField(max_length=120)
    hypothesis = serializers.CharField()
    primary_endpoint = serializers.ChoiceField(choices=list(ENDPOINTS.items()))
    arms = ArmDesignSerializer(many=True, allow_empty=False)
    comparison = ComparisonSerializer(
        default=None, allow_null=True, help_text="The last arm against the first where null."
    )
    margin = serializers.FloatField(
        default=None,
        allow_null=True,
        help_text="Non-inferiority margin in the unit of the endpoint, such as 0.05; null asks for superiority.",
    )
    protocol = ProtocolDesignSerializer(default=None, allow_null=True, help_text="The default protocol where null.")
    seeds = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=LARGEST_SEED), allow_empty=False, default=[0]
    )
    device = serializers.CharField(default="cpu", max_length=40, help_text="`cpu` or `cuda:0`.")
    simulation = serializers.IntegerField(
        default=None,
        allow_null=True,
        help_text="`number` of a finished simulation of this version to take the cases from; a new one where null.",
    )
    simulation_seed = serializers.IntegerField(default=0, min_value=0, max_value=2**32 - 1)

    def design(self) -> ExperimentDesign:
        """What was asked for, for `experiments.services.freeze`."""
        values: dict[str, Any] = self.validated_data
        compared = values["comparison"]
        return ExperimentDesign(
            name=values["name"],
            hypothesis=values["hypothesis"],
            primary_endpoint=values["primary_endpoint"],
            arms=tuple(ArmDesign(**arm) for arm in values["arms"]),
            seeds=tuple(values["seeds"]),
            device=values["device"],
            comparison=None if compared is None else (compared["arm"], compared["reference"]),
            margin=values["margin"],
            protocol=Protocol(**(values["protocol"] or {})),
        )
