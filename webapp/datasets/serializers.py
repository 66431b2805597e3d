"""Datasets, their versions and splits as the API shows them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from webapp.datasets import selectors
from webapp.datasets.models import Dataset, DatasetVersion, SplitAssignment


class VersionSerializer(serializers.ModelSerializer[DatasetVersion]):
    """A version; `id` names it when an experiment is launched."""

    content_hash = serializers.CharField(read_only=True, help_text="SHA-256 of what a frozen version contains.")

    class Meta:
        model = DatasetVersion
        fields = ["id", "number", "state", "content_hash", "created", "frozen_at"]
        read_only_fields = fields


class DatasetSerializer(serializers.ModelSerializer[Dataset]):
    """A dataset with its versions, newest first."""

    versions = VersionSerializer(many=True, read_only=True)

    class Meta:
        model = Dataset
        fields = ["slug", "name", "created", "versions"]
        read_only_fields = fields


class SplitCountsSerializer(serializers.Serializer[dict[str, int]]):
    """Patients per split."""

    train = serializers.IntegerField()
    validation = serializers.IntegerField()
    internal_test = serializers.IntegerField()
    external_test = serializers.IntegerField()
    unassigned = serializers.IntegerField()


class LeakageCheckSerializer(serializers.Serializer[selectors.LeakageCheck]):
    """A check of the leakage guard; passed when the count is 0."""

    name = serializers.CharField()
    count = serializers.IntegerField()
    passed = serializers.BooleanField()


class VersionDetailSerializer(VersionSerializer):
    """A version with its split settings, counts and leakage checks."""

    dataset = serializers.CharField(source="dataset.slug", read_only=True)
    split_settings = serializers.DictField(read_only=True)
    cases = serializers.SerializerMethodField()
    patients = serializers.SerializerMethodField()
    leakage_checks = serializers.SerializerMethodField()

    class Meta(VersionSerializer.Meta):
        fields = [
            "dataset",
            *VersionSerializer.Meta.fields,
            "split_settings",
            "cases",
            "patients",
            "leakage_checks",
        ]
        read_only_fields = fields

    def get_cases(self, version: DatasetVersion) -> int:
        """Number of cases."""
        return version.version_exams.count()

    @extend_schema_field(SplitCountsSerializer)
    def get_patients(self, version: DatasetVersion) -> dict[str, int]:
        """Patients per split."""
        counts = dict(selectors.split_counts(version))
        return counts | {"unassigned": counts.pop("")}

    @extend_schema_field(LeakageCheckSerializer(many=True))
    def get_leakage_checks(self, version: DatasetVersion) -> Any:
        """The five checks of the dataset page."""
        return [LeakageCheckSerializer(check).data for check in selectors.leakage_checks(version)]


class SplitAssignmentSerializer(serializers.ModelSerializer[SplitAssignment]):
    """The split of a patient in a version."""

    patient = serializers.CharField(source="patient.pseudonym", read_only=True)
    site = serializers.CharField(source="patient.site.code", read_only=True)

    class Meta:
        model = SplitAssignment
        fields = ["patient", "site", "split"]
        read_only_fields = fields
