"""Jobs as the API shows them: what the jobs page says; no payload, no folder, no worker."""

from __future__ import annotations

from rest_framework import serializers

from webapp.jobs import registry
from webapp.jobs.models import Job, JobEvent


class JobSerializer(serializers.ModelSerializer[Job]):
    """One piece of long work."""

    kind_label = serializers.SerializerMethodField(help_text="The kind in words.")
    owner = serializers.CharField(source="created_by.username", read_only=True, default="")
    after = serializers.IntegerField(source="after_id", read_only=True, allow_null=True)

    class Meta:
        model = Job
        fields = [
            "id",
            "kind",
            "kind_label",
            "name",
            "state",
            "cancel_asked",
            "queue",
            "device",
            "owner",
            "after",
            "attempt",
            "attempts_allowed",
            "fraction",
            "message",
            "seconds_left",
            "error",
            "created",
            "started",
            "ended",
        ]
        read_only_fields = fields

    def get_kind_label(self, job: Job) -> str:
        """What pages call the kind."""
        return registry.label(job.kind)


class JobEventSerializer(serializers.ModelSerializer[JobEvent]):
    """What happened to a job."""

    class Meta:
        model = JobEvent
        fields = ["time", "attempt", "kind", "text"]
        read_only_fields = fields


class JobDetailSerializer(JobSerializer):
    """A job with its events, oldest first."""

    events = JobEventSerializer(many=True, read_only=True)

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "events"]
        read_only_fields = fields
