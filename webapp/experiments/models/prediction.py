from __future__ import annotations

from django.db import models
from django.db.models import Q

from webapp.cases.models import View
from webapp.datasets.models import Split
from webapp.experiments.models.run import Run


class Prediction(models.Model):
    """A finding of a run's detector on a view. Coordinates as in `Annotation`."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="predictions")
    view = models.ForeignKey(View, on_delete=models.CASCADE, related_name="predictions")
    split = models.CharField(max_length=13, choices=Split.choices)
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
        ordering = ["run_id", "view_id", "rank"]
        constraints = [
            models.UniqueConstraint(fields=["run", "view", "rank"], name="prediction_rank_once"),
            models.CheckConstraint(
                condition=Q(score__range=(0, 1), malignancy__range=(0, 1)), name="prediction_scores_in_0_1"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lesion_type} {self.score:.2f}"
