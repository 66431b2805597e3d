from __future__ import annotations

from django.db import models
from django.db.models import Q

from webapp.cases.models.exam import Exam
from webapp.cases.models.terms import Laterality, Origin, ViewPosition


class View(models.Model):
    """One breast from one direction: a low-energy and a recombined image.

    Acquired views (real or phantom) have variant 0. A synthetic view has the exam, laterality and position of its
    host and a variant of its own above 0.
    """

    exam = models.ForeignKey(Exam, on_delete=models.CASCADE, related_name="views")
    laterality = models.CharField(max_length=1, choices=Laterality.choices)
    position = models.CharField(max_length=3, choices=ViewPosition.choices)
    origin = models.CharField(max_length=9, choices=Origin.choices, default=Origin.REAL)
    variant = models.PositiveIntegerField(default=0)
    attributes = models.JSONField(default=dict)

    class Meta:
        ordering = ["exam_id", "-laterality", "position", "variant"]
        constraints = [
            models.UniqueConstraint(fields=["exam", "laterality", "position", "variant"], name="view_once_in_exam"),
            models.CheckConstraint(
                condition=Q(origin="synthetic", variant__gt=0) | (~Q(origin="synthetic") & Q(variant=0)),
                name="only_synthetic_views_are_variants",
            ),
            models.CheckConstraint(condition=Q(laterality__in=["R", "L"]), name="view_laterality_known"),
            models.CheckConstraint(condition=Q(position__in=["CC", "MLO"]), name="view_position_known"),
            models.CheckConstraint(condition=Q(origin__in=Origin.values), name="view_origin_known"),
        ]

    def __str__(self) -> str:
        return f"{self.laterality} {self.position}"
