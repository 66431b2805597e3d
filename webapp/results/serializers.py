"""Results as the API shows them: no number without its interval, n and rules."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from webapp.datasets.models import Split
from webapp.experiments.models import RunState
from webapp.results import selectors

TEST_SETS = [(value, label) for value, label in Split.choices if value in selectors.TEST_SETS]


class IntervalSerializer(serializers.Serializer[dict[str, Any]]):
    """A number with its interval; null with a reason where it is undefined."""

    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField(help_text="Rows counted: lesions or findings.")
    reason = serializers.CharField(allow_null=True, help_text="Why value or interval is undefined.")
    method = serializers.CharField(required=False)
    resamples = serializers.IntegerField(required=False)
    skipped = serializers.IntegerField(required=False)
    numerator = serializers.IntegerField(required=False, allow_null=True)
    denominator = serializers.IntegerField(required=False, allow_null=True)
    units = serializers.IntegerField(required=False, help_text="Patients (or images) that contribute.")
    level = serializers.FloatField(required=False, help_text="Confidence level.")
    warning = serializers.CharField(required=False, allow_null=True)


class ResultRowSerializer(serializers.Serializer[selectors.Row]):
    """A run on a test set for one group of lesions."""

    arm = serializers.IntegerField(source="arm.position")
    arm_name = serializers.CharField(source="arm.name")
    ratio_benign = serializers.FloatField(source="arm.ratio_benign")
    ratio_malignant = serializers.FloatField(source="arm.ratio_malignant")
    seed = serializers.IntegerField(source="run.seed")
    state = serializers.ChoiceField(source="run.state", choices=RunState.choices)
    test_set = serializers.ChoiceField(choices=TEST_SETS)
    group = serializers.ChoiceField(choices=list(selectors.GROUPS.items()))
    sensitivity = IntervalSerializer(source="numbers.sensitivity")
    precision = IntervalSerializer(source="numbers.precision")
    auc = IntervalSerializer(source="numbers.auc")


class ResultsSerializer(serializers.Serializer[dict[str, Any]]):
    """All numbers of an experiment with the rules they were counted by."""

    experiment = serializers.IntegerField(help_text="Number of the experiment.")
    name = serializers.CharField()
    primary_endpoint = serializers.CharField()
    protocol = serializers.DictField()
    protocol_sentence = serializers.CharField()
    looks = serializers.DictField(
        child=serializers.IntegerField(), help_text="How often each test set was opened, this time included."
    )
    rows = ResultRowSerializer(many=True)
    summary = serializers.DictField(help_text="All malignant lesions, by arm, seed and test set.")


class PanelQuerySerializer(serializers.Serializer[dict[str, Any]]):
    """What may be asked of a panel."""

    group = serializers.ChoiceField(choices=list(selectors.GROUPS.items()), default="malignant")


class PanelSerializer(serializers.Serializer[dict[str, Any]]):
    """One panel of the dashboard: its numbers as rows, with the rules they were counted by."""

    experiment = serializers.IntegerField(help_text="Number of the experiment.")
    panel = serializers.CharField()
    group = serializers.CharField()
    protocol_sentence = serializers.CharField()
    looks = serializers.DictField(child=serializers.IntegerField())
    rows = serializers.ListField(child=serializers.DictField(), help_text="Columns: docs/api.md.")
