from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from webapp.accounts.models import Project
from webapp.datasets.models import DatasetVersion
from webapp.simulations.models import SimulationBatch


class Experiment(models.Model):
    """A question, its arms and how they will be judged; fixed when frozen, before any result is visible.

    Once frozen, the guards of `experiments.guards` keep the design as it is; what the launch adds (simulation, record,
    time) is written once.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        FROZEN = "frozen", "Frozen"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="experiments")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    hypothesis = models.TextField()
    primary_endpoint = models.CharField(max_length=60, help_text="Such as sensitivity:malignant_cluster:internal_test.")
    comparison = models.JSONField(
        null=True,
        help_text="Positions of the arms that the endpoint compares, {arm, reference}; null with a single arm.",
    )
    margin = models.FloatField(
        null=True,
        help_text="Non-inferiority margin in the unit of the endpoint: how much worse the arm may be. "
        "Null where superiority is asked.",
    )
    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="experiments")
    protocol = models.JSONField(help_text="Evaluation protocol, detection.evaluation.protocol.Protocol.")
    seeds = models.JSONField(default=list)
    device = models.CharField(max_length=40, default="cpu")
    simulation_seed = models.PositiveBigIntegerField(default=0, help_text="Seed of a simulation made at the launch.")
    batch = models.ForeignKey(SimulationBatch, null=True, on_delete=models.PROTECT, related_name="experiments")
    control_batch = models.ForeignKey(
        SimulationBatch, null=True, on_delete=models.PROTECT, related_name="controlled_experiments"
    )
    state = models.CharField(max_length=6, choices=State.choices, default=State.DRAFT)
    reproducibility = models.JSONField(default=dict, help_text="Code version, data hash, environment.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created = models.DateTimeField(auto_now_add=True)
    frozen_at = models.DateTimeField(null=True)
    launched_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="experiment_number_once"),
            models.CheckConstraint(
                condition=Q(margin__isnull=True) | Q(margin__gt=0, margin__lt=1), name="experiment_margin_in_0_1"
            ),
            models.CheckConstraint(
                condition=Q(launched_at__isnull=True) | Q(state="frozen"), name="experiment_frozen_before_launch"
            ),
        ]

    def __str__(self) -> str:
        return f"Experiment {self.number}: {self.name}"
