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

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="simulation_batches")
    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="simulation_batches")
    number = models.PositiveIntegerField()
    seed = models.PositiveBigIntegerField()
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
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="batch_number_once")]

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
