"""Long work: the row is the truth, the broker is a hint (design, section 4)."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from webapp.accounts.models import Project


class JobState(models.TextChoices):
    """Where a job is in its life."""

    WAITING = "waiting", "Waiting"
    """For another job to end."""
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


ENDED = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})
ACTIVE = frozenset({JobState.WAITING, JobState.QUEUED, JobState.RUNNING})


def new_folder() -> str:
    """An opaque folder name, so that no two jobs, not even of two databases, share files."""
    return uuid.uuid4().hex


class Job(models.Model):
    """One piece of long work."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=60)
    name = models.CharField(max_length=200, help_text="What a person reads on the jobs page.")
    payload = models.JSONField(default=dict)
    queue = models.CharField(max_length=20, default="cpu")
    device = models.CharField(max_length=40, default="cpu", help_text="Device asked for, such as cuda:0.")
    state = models.CharField(max_length=10, choices=JobState.choices, default=JobState.QUEUED)
    after = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="followers")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="jobs")
    created = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)

    folder = models.CharField(max_length=32, default=new_folder, editable=False)
    attempt = models.PositiveIntegerField(default=0)
    attempts_allowed = models.PositiveIntegerField(default=3)
    token = models.CharField(max_length=32, blank=True, help_text="Fencing token of the running attempt.")
    lease_until = models.FloatField(null=True, help_text="Seconds since the epoch, by the database's clock.")
    sent = models.DateTimeField(null=True, help_text="When the message was last handed to the broker.")
    worker = models.CharField(max_length=120, blank=True, help_text="Host and process that holds the lease.")
    cancel_asked = models.BooleanField(default=False)
    cancelled_with_predecessor = models.BooleanField(
        default=False, help_text="Cancelled because the job it waits for did not succeed; comes back with it."
    )

    fraction = models.FloatField(null=True, help_text="Share of the work done, 0 to 1; null while unknown.")
    message = models.CharField(max_length=200, blank=True)
    seconds_left = models.FloatField(null=True)
    error = models.TextField(blank=True, help_text="What happened, why, what to do.")
    result = models.JSONField(default=dict)
    updated = models.DateTimeField(auto_now_add=True, db_index=True)
    version = models.PositiveBigIntegerField(default=0, help_text="Grows with each change a page may show.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=JobState.values), name="job_state_known"),
            models.CheckConstraint(
                condition=models.Q(fraction__isnull=True) | models.Q(fraction__range=(0, 1)),
                name="job_fraction_in_0_1",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "queue"], name="job_state_queue"),
            models.Index(fields=["project", "state"], name="job_project_state"),
        ]

    def __str__(self) -> str:
        return self.name


class JobEvent(models.Model):
    """What happened to a job, in words; append-only."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    time = models.DateTimeField(auto_now_add=True)
    attempt = models.PositiveIntegerField(default=0)
    kind = models.CharField(max_length=30)
    text = models.CharField(max_length=500, blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["job", "kind"], name="jobevent_job_kind")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


class DeviceLease(models.Model):
    """A GPU (or the CPU training slot) that one job at a time may use."""

    device = models.CharField(max_length=40, unique=True)
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="device_leases")
    token = models.CharField(max_length=32, blank=True)
    lease_until = models.FloatField(null=True)

    def __str__(self) -> str:
        return self.device
