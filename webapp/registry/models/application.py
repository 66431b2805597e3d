from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from webapp.accounts.models import Project
from webapp.cases.models import Origin, View
from webapp.datasets.models import Split
from webapp.jobs.models import Job
from webapp.registry.models.registered_model import RegisteredModel


class ModelApplication(models.Model):
    """A registered model run on chosen views. Its views are fixed at the start; complete, it never changes."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="model_applications")
    number = models.PositiveIntegerField()
    model = models.ForeignKey(RegisteredModel, on_delete=models.PROTECT, related_name="applications")
    selection = models.JSONField(help_text="Which views were meant, in words, and how many were left out and why.")
    size = models.PositiveIntegerField(help_text="Views.")
    summary = models.JSONField(default=dict, help_text="Written when it is complete.")
    job = models.OneToOneField(Job, null=True, on_delete=models.SET_NULL, related_name="model_application")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created = models.DateTimeField(auto_now_add=True)
    finished = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="application_number_once"),
            models.CheckConstraint(condition=Q(size__gte=1), name="application_has_views"),
        ]

    def __str__(self) -> str:
        return f"Application {self.number} of model {self.model.number}"


class AppliedView(models.Model):
    """A view of an application: what it is to the model, and how far it is."""

    class State(models.TextChoices):
        PENDING = "pending", "Waiting"
        DONE = "done", "Done"
        UNREADABLE = "unreadable", "Unreadable"

    application = models.ForeignKey(ModelApplication, on_delete=models.CASCADE, related_name="views")
    view = models.ForeignKey(View, on_delete=models.CASCADE, related_name="applied_views")
    origin = models.CharField(max_length=9, choices=Origin.choices)
    split = models.CharField(
        max_length=13,
        choices=Split.choices,
        blank=True,
        help_text="Of the view's patient in the dataset version the model was trained on; empty where it has none.",
    )
    trained_on = models.BooleanField(help_text="Whether the model was trained on this very view.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it could not be read.")
    highest_score = models.FloatField(null=True, help_text="Null without a finding.")

    class Meta:
        ordering = ["application_id", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["application", "view"], name="view_once_in_application"),
            models.CheckConstraint(
                condition=Q(trained_on=False) | Q(split=Split.TRAIN), name="trained_on_training_patients_only"
            ),
            models.CheckConstraint(
                condition=Q(state="unreadable", highest_score__isnull=True) & ~Q(reason="")
                | Q(state="pending", highest_score__isnull=True, reason="")
                | Q(state="done", reason=""),
                name="applied_view_state_consistent",
            ),
            models.CheckConstraint(
                condition=Q(highest_score__isnull=True) | Q(highest_score__range=(0, 1)),
                name="applied_view_score_in_0_1",
            ),
        ]

    def __str__(self) -> str:
        return str(self.view)


class AppliedFinding(models.Model):
    """A finding of a registered model on a view. Coordinates as in `Annotation`."""

    applied_view = models.ForeignKey(AppliedView, on_delete=models.CASCADE, related_name="findings")
    rank = models.PositiveSmallIntegerField(help_text="By score within the view, from 0.")
    x1 = models.FloatField()
    y1 = models.FloatField()
    x2 = models.FloatField()
    y2 = models.FloatField()
    score = models.FloatField()
    malignancy = models.FloatField(help_text="Probability that it is malignant.")
    lesion_type = models.CharField(max_length=8)
    contour = models.JSONField(null=True)

    class Meta:
        ordering = ["applied_view_id", "rank"]
        constraints = [
            models.UniqueConstraint(fields=["applied_view", "rank"], name="applied_finding_rank_once"),
            models.CheckConstraint(
                condition=Q(score__range=(0, 1), malignancy__range=(0, 1)), name="applied_finding_scores_in_0_1"
            ),
            models.CheckConstraint(
                condition=Q(x1__lte=F("x2"), y1__lte=F("y2")), name="applied_finding_box_not_inside_out"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lesion_type} {self.score:.2f}"

    @property
    def view_id(self) -> int:
        """The view it lies on."""
        return self.applied_view.view_id
