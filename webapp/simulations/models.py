"""Synthetic views and the batches that made them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from webapp.accounts.models import Project
from webapp.cases.models import Patient, View
from webapp.datasets.models import DatasetVersion
from webapp.jobs.models import Job


class SimulationBatch(models.Model):
    """Synthetic cases made for one frozen dataset version, from its training patients only.

    A case is one host breast: each of its complete views gets the cluster. Cases of a class are numbered, and an
    arm takes the first n of each class, so that larger ratios contain the smaller ones.
    """

    class Purpose(models.TextChoices):
        ARMS = "arms", "For arms"
        CONTROL = "control", "Insert-off control"
        TRIAL = "trial", "Trial"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="simulation_batches")
    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="simulation_batches")
    number = models.PositiveIntegerField()
    seed = models.PositiveBigIntegerField()
    purpose = models.CharField(max_length=7, choices=Purpose.choices, default=Purpose.ARMS)
    control_of = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.PROTECT,
        related_name="controls",
        help_text="Batch whose cases a control repeats with nothing inserted: same hosts, places and outlines.",
    )
    repeats = models.ForeignKey(
        "SyntheticView",
        null=True,
        on_delete=models.PROTECT,
        related_name="repetitions",
        help_text="Case that a trial makes again with other settings: same host, seed and variant.",
    )
    preset = models.CharField(max_length=40, blank=True, help_text="Name of the preset the settings started from.")
    host_filter = models.JSONField(default=dict, help_text="Which breasts may be hosts, simulations.hosts.HostFilter.")
    settings_used = models.JSONField(default=dict)
    wanted_benign = models.PositiveIntegerField(help_text="Cases.")
    wanted_malignant = models.PositiveIntegerField(help_text="Cases.")
    summary = models.JSONField(default=dict, help_text="Cases made, hosts refused by reason, contrast measured.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created = models.DateTimeField(auto_now_add=True)
    finished = models.DateTimeField(null=True)
    job = models.OneToOneField(Job, null=True, on_delete=models.SET_NULL, related_name="simulation_batch")

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="batch_number_once"),
            models.CheckConstraint(
                condition=Q(purpose="control", control_of__isnull=False)
                | (~Q(purpose="control") & Q(control_of__isnull=True)),
                name="only_controls_name_their_batch",
            ),
        ]

    def __str__(self) -> str:
        return f"Simulation {self.number}"


class SyntheticView(models.Model):
    """Where a synthetic view comes from. Its host's patient is a training patient of the batch's version:
    a check constraint and a trigger hold that."""

    class Quality(models.TextChoices):
        UNREVIEWED = "unreviewed", "Not looked at"
        ACCEPTED = "accepted", "Accepted"
        REJECTED = "rejected", "Rejected"

    view = models.OneToOneField(View, on_delete=models.CASCADE, related_name="synthesis")
    host = models.ForeignKey(View, on_delete=models.PROTECT, related_name="synthetic_children")
    batch = models.ForeignKey(SimulationBatch, on_delete=models.CASCADE, related_name="synthetic_views")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="synthetic_views")
    split = models.CharField(max_length=13, default="train")
    malignancy = models.CharField(max_length=9)
    case_number = models.PositiveIntegerField(help_text="Counts the cases of a class within the batch, from 1.")
    seed = models.PositiveBigIntegerField()
    mask = models.CharField(max_length=120, help_text="Relative name of the lesion mask (PNG).")
    record = models.JSONField(help_text="Every resolved parameter, versions, hashes and each calcification.")
    quality = models.CharField(max_length=10, choices=Quality.choices, default=Quality.UNREVIEWED)

    class Meta:
        ordering = ["batch_id", "malignancy", "case_number"]
        constraints = [
            models.CheckConstraint(condition=Q(split="train"), name="synthetic_only_in_training"),
            models.CheckConstraint(condition=Q(malignancy__in=["benign", "malignant"]), name="synthetic_class_known"),
            models.UniqueConstraint(
                fields=["batch", "malignancy", "case_number", "host"], name="synthetic_once_per_host"
            ),
        ]

    def __str__(self) -> str:
        return f"Synthetic {self.malignancy} cluster {self.case_number}"


class SyntheticVerdict(models.Model):
    """What a person decided about a synthetic case, and why. Append-only: triggers refuse changes.

    Names are copied, as in the audit trail; the verdict in force is `SyntheticView.quality`.
    """

    class Verdict(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        REJECTED = "rejected", "Rejected"
        REOPENED = "reopened", "Taken back"

    class Reason(models.TextChoices):
        PLACE = "place", "Place is not plausible"
        SHAPE = "shape", "Does not look like a cluster"
        CONTRAST = "contrast", "Too bright or too faint"
        ARTEFACT = "artefact", "Visible edge or artefact"
        ENHANCEMENT = "enhancement", "Recombined image is not plausible"
        HOST = "host", "Host is unsuitable"
        OTHER = "other", "Other, see the note"

    batch = models.ForeignKey(SimulationBatch, on_delete=models.PROTECT, related_name="verdicts")
    malignancy = models.CharField(max_length=9)
    case_number = models.PositiveIntegerField()
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    reason = models.CharField(max_length=11, choices=Reason.choices, blank=True)
    note = models.CharField(max_length=500, blank=True)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=150)
    time = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(verdict="rejected") & ~Q(reason="") | ~Q(verdict="rejected") & Q(reason=""),
                name="rejection_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()}: {self.malignancy} case {self.case_number}"
