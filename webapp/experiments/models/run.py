from __future__ import annotations

from django.db import models
from django.db.models import Q

from webapp.cases.models import View
from webapp.experiments.models.arm import Arm
from webapp.jobs.models import Job


class RunState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class Run(models.Model):
    """An arm trained with one seed, predicted on every test set and evaluated."""

    arm = models.ForeignKey(Arm, on_delete=models.CASCADE, related_name="runs")
    seed = models.PositiveBigIntegerField()
    state = models.CharField(max_length=9, choices=RunState.choices, default=RunState.QUEUED)
    job = models.OneToOneField(Job, null=True, on_delete=models.SET_NULL, related_name="run")
    record = models.JSONField(
        default=dict, help_text="Environment, hashes, weights statement, steps, samples left out."
    )
    best_epoch = models.PositiveIntegerField(null=True)
    error = models.TextField(blank=True)
    started = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)

    class Meta:
        ordering = ["arm_id", "seed"]
        constraints = [
            models.UniqueConstraint(fields=["arm", "seed"], name="run_once_per_seed"),
            models.CheckConstraint(condition=Q(state__in=RunState.values), name="run_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.arm.name}, seed {self.seed}"


class RunArtifact(models.Model):
    """A file a run left: weights, training log, sample sets, record."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="artifacts")
    name = models.CharField(max_length=120)
    file = models.CharField(max_length=200, unique=True)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="artifact_name_once")]

    def __str__(self) -> str:
        return self.name


class RunSample(models.Model):
    """What the network of a run found on a fixed validation view after an epoch; only the last epochs are kept."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="samples")
    view = models.ForeignKey(View, on_delete=models.CASCADE, related_name="run_samples")
    epoch = models.PositiveIntegerField()
    findings = models.JSONField(help_text="Best first: box, score, malignancy, lesion_type, contour.")

    class Meta:
        ordering = ["run_id", "epoch", "view_id"]
        constraints = [models.UniqueConstraint(fields=["run", "view", "epoch"], name="run_sample_once")]

    def __str__(self) -> str:
        return f"epoch {self.epoch}"


class MetricPoint(models.Model):
    """A number of a run at an epoch, such as its validation loss; where it is undefined, why."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="metric_points")
    name = models.CharField(max_length=60)
    epoch = models.PositiveIntegerField()
    value = models.FloatField(null=True, help_text="Null where it is undefined.")
    n = models.PositiveIntegerField(null=True, help_text="What a counted number is counted over.")
    undefined = models.TextField(blank=True, default="", help_text="Why it has no value.")
    attempt = models.PositiveIntegerField(default=1)
    time = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "epoch"]
        constraints = [
            models.UniqueConstraint(fields=["run", "name", "epoch"], name="metric_point_once"),
            models.CheckConstraint(
                condition=Q(value__isnull=False, undefined="") | (Q(value__isnull=True) & ~Q(undefined="")),
                name="metric_point_value_or_reason",
            ),
        ]
