"""Evaluations of runs on test sets, and how often a test set was looked at."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from webapp.datasets.models import Split
from webapp.experiments.models import Experiment, Run


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
