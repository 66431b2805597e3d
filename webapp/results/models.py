"""Evaluations of runs on test sets, how often a test set was looked at, reports, and what authors add to them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from webapp.datasets.models import Split
from webapp.experiments.models import Experiment, Run
from webapp.jobs.models import Job


class Evaluation(models.Model):
    """A run on a test set by a declared protocol. Immutable; carries the hash of everything it used."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="evaluations")
    test_set = models.CharField(max_length=13, choices=Split.choices)
    protocol = models.JSONField()
    protocol_hash = models.CharField(max_length=64)
    inputs_hash = models.CharField(max_length=64, help_text="Of truth, predictions and protocol.")
    result = models.JSONField(help_text="detection.evaluation.test_set.TestSetResult.")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["run_id", "test_set"]
        constraints = [
            models.UniqueConstraint(fields=["run", "test_set", "protocol_hash"], name="evaluation_once"),
            models.CheckConstraint(
                condition=Q(test_set__in=["internal_test", "external_test"]), name="evaluation_on_a_test_set"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run} on {self.get_test_set_display()}"


class TestSetLook(models.Model):
    """A person opened the results of an experiment on a test set. Append-only."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="looks")
    test_set = models.CharField(max_length=13, choices=Split.choices)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    time = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]


class Report(models.Model):
    """A PDF report of an experiment for one state of everything it shows, made by a job."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="reports")
    inputs_hash = models.CharField(max_length=64, help_text="Of everything the report shows.")
    snapshot = models.JSONField(help_text="Looks at the test sets when it was asked for.")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    requested_name = models.CharField(max_length=150, help_text="Account name, copied.")
    created = models.DateTimeField()
    job = models.OneToOneField(Job, null=True, on_delete=models.SET_NULL, related_name="report")
    file = models.CharField(max_length=200, blank=True)
    size = models.PositiveBigIntegerField(null=True)
    pages = models.PositiveIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-created", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "inputs_hash"], name="report_once_for_its_inputs"),
            models.CheckConstraint(
                condition=Q(file="", sha256="", size__isnull=True, pages__isnull=True)
                | (~Q(file="") & ~Q(sha256="") & Q(size__gt=0, pages__gt=0)),
                name="report_made_or_not",
            ),
        ]

    def __str__(self) -> str:
        return f"Report of experiment {self.experiment.number}"


class ChecklistAnswer(models.Model):
    """What the authors write for a topic of the reporting checklists. A change is a new revision."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="checklist_answers")
    topic = models.CharField(max_length=40)
    revision = models.PositiveIntegerField()
    current = models.BooleanField(default=True)
    text = models.TextField(blank=True, max_length=4000)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    author_name = models.CharField(max_length=150, help_text="Account name, copied.")
    time = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["experiment_id", "topic", "revision"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "topic", "revision"], name="checklist_revision_once"),
            models.UniqueConstraint(
                fields=["experiment", "topic"], condition=Q(current=True), name="checklist_one_current"
            ),
            models.CheckConstraint(condition=Q(revision__gte=1), name="checklist_revision_from_1"),
        ]

    def __str__(self) -> str:
        return f"{self.topic}, revision {self.revision}"


REWRITTEN = (
    "(NEW.current AND NOT OLD.current) OR NEW.experiment_id <> OLD.experiment_id OR NEW.topic <> OLD.topic "
    "OR NEW.revision <> OLD.revision OR NEW.text <> OLD.text OR NEW.author_name <> OLD.author_name "
    "OR NEW.time <> OLD.time"
)
"""Condition of the guard that keeps earlier revisions as they were written."""
