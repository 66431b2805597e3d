from __future__ import annotations

from django.db import models
from django.db.models import Q

from webapp.accounts.models import Project
from webapp.datasets.models import DatasetVersion
from webapp.experiments.models import Run


class Stage(models.TextChoices):
    """What people decided about a model; the latest `HistoryEntry` with a stage is in force."""

    CANDIDATE = "candidate", "Candidate"
    PROMOTED = "promoted", "Promoted"
    RETIRED = "retired", "Retired"


class RegisteredModel(models.Model):
    """The detector a run left, with everything needed to say what it is and to run it again. Never changes."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="registered_models")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="registered_model")
    family = models.CharField(max_length=40)
    preset = models.CharField(max_length=60)
    configuration = models.JSONField(help_text="Complete, resolved, with the run's seed.")
    differences = models.JSONField(help_text="Fields unlike the preset: label, unit, the preset's value, the model's.")
    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="registered_models")
    data_hash = models.CharField(max_length=64)
    training_counts = models.JSONField(help_text="Real and synthetic views, patients or cases, and lesions by class.")
    code = models.JSONField(help_text="Commit, and hash over every source file.")
    environment = models.JSONField(help_text="Device and versions it was trained with.")
    seed = models.PositiveBigIntegerField()
    best_epoch = models.PositiveIntegerField(null=True)
    weights_file = models.CharField(max_length=200, help_text="Relative name under the files folder.")
    weights_sha256 = models.CharField(max_length=64)
    weights_size = models.PositiveBigIntegerField()
    operating_points = models.JSONField(help_text="From validation predictions, webapp.registry.operating_points.")
    registered = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="model_number_once"),
            models.CheckConstraint(condition=~Q(weights_sha256="") & Q(weights_size__gt=0), name="model_has_weights"),
        ]

    def __str__(self) -> str:
        return f"Model {self.number}: {self.name}"


class HistoryEntry(models.Model):
    """A decision about a model, or a note on it, with its reason. Append-only; names are copied."""

    class Kind(models.TextChoices):
        STAGE = "stage", "Decision"
        NOTE = "note", "Note"

    model = models.ForeignKey(RegisteredModel, on_delete=models.PROTECT, related_name="history")
    kind = models.CharField(max_length=5, choices=Kind.choices)
    stage = models.CharField(max_length=9, choices=Stage.choices, blank=True)
    text = models.CharField(max_length=1000, help_text="The reason of a decision, or the note.")
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=150)
    time = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="stage", stage__in=Stage.values) | Q(kind="note", stage=""),
                name="history_stage_where_decided",
            ),
            models.CheckConstraint(condition=~Q(text=""), name="history_gives_its_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.get_stage_display() or 'Note'}: {self.text}"
