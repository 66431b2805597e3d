from __future__ import annotations

from django.db import models
from django.db.models import Q

from webapp.experiments.models.experiment import Experiment
from webapp.simulations.models import SyntheticView


class Arm(models.Model):
    """One recipe: detector preset with its differences, and how much synthetic data per class.

    A ratio is the number of synthetic cases as a share of the training patients with a real cluster of that class.
    """

    class Source(models.TextChoices):
        CLUSTERS = "clusters", "Clusters"
        CONTROL = "control", "Insert-off control"

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="arms")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=60)
    family = models.CharField(max_length=40, default="mask_rcnn")
    preset = models.CharField(max_length=60)
    configuration = models.JSONField(help_text="Complete, resolved.")
    ratio_benign = models.FloatField(default=0)
    ratio_malignant = models.FloatField(default=0)
    synthetic_source = models.CharField(
        max_length=8,
        choices=Source.choices,
        default=Source.CLUSTERS,
        help_text="Clusters, or the same hosts with outlines at the same places and nothing inserted.",
    )
    synthetic_record = models.JSONField(
        default=dict, help_text="Cases asked for, used and rejected per class, written when the arm first trains."
    )
    synthetic_views = models.ManyToManyField(SyntheticView, through="ArmSyntheticView", related_name="arms")

    class Meta:
        ordering = ["experiment_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "position"], name="arm_position_once"),
            models.UniqueConstraint(fields=["experiment", "name"], name="arm_name_once"),
            models.CheckConstraint(
                condition=Q(ratio_benign__gte=0, ratio_malignant__gte=0), name="arm_ratio_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ArmSyntheticView(models.Model):
    """A synthetic view an arm trains on."""

    arm = models.ForeignKey(Arm, on_delete=models.CASCADE, related_name="arm_synthetic_views")
    synthetic_view = models.ForeignKey(SyntheticView, on_delete=models.PROTECT, related_name="arm_synthetic_views")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["arm", "synthetic_view"], name="synthetic_view_once_in_arm")]
