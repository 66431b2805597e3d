"""Lesions of a breast and how they are outlined on views."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from webapp.cases.models import Exam, View


class LesionType(models.TextChoices):
    MASS = "mass", "Mass"
    CLUSTER = "cluster", "Cluster"
    BOTH = "both", "Mass with cluster"
    OTHER = "other", "Other"


class Malignancy(models.TextChoices):
    BENIGN = "benign", "Benign"
    MALIGNANT = "malignant", "Malignant"
    UNKNOWN = "unknown", "Unknown"


class Lesion(models.Model):
    """A lesion of one breast; the same row is seen on CC and MLO."""

    exam = models.ForeignKey(Exam, on_delete=models.CASCADE, related_name="lesions")
    laterality = models.CharField(max_length=1, choices=[("R", "Right"), ("L", "Left")])
    number = models.PositiveSmallIntegerField()
    lesion_type = models.CharField(max_length=8, choices=LesionType.choices)
    malignancy = models.CharField(max_length=9, choices=Malignancy.choices)
    origin = models.CharField(max_length=9, default="real", help_text="real, phantom or synthetic.")
    evidence = models.CharField(max_length=200, blank=True, help_text="How type and malignancy are known.")
    attributes = models.JSONField(default=dict)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["exam_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["exam", "number"], name="lesion_number_once"),
            models.CheckConstraint(condition=Q(lesion_type__in=LesionType.values), name="lesion_type_known"),
            models.CheckConstraint(condition=Q(malignancy__in=Malignancy.values), name="lesion_malignancy_known"),
        ]
        indexes = [models.Index(fields=["lesion_type", "malignancy"], name="lesion_class")]

    def __str__(self) -> str:
        return f"Lesion {self.number}"


class Annotation(models.Model):
    """A lesion's outline on one view. A change is a new revision; nothing is overwritten.

    `polygons` and `points` are [[x, y], …] in continuous image pixels, x = column, y = row, (0, 0) the outer corner
    of the first pixel.
    """

    lesion = models.ForeignKey(Lesion, on_delete=models.CASCADE, related_name="annotations")
    view = models.ForeignKey(View, on_delete=models.CASCADE, related_name="annotations")
    revision = models.PositiveIntegerField(default=1)
    current = models.BooleanField(default=True)
    withdrawn = models.BooleanField(default=False, help_text="This revision says the lesion is not on the view.")
    polygons = models.JSONField(default=list)
    points = models.JSONField(default=list)
    x1 = models.FloatField()
    y1 = models.FloatField()
    x2 = models.FloatField()
    y2 = models.FloatField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    source = models.CharField(max_length=60, blank=True, help_text="Import, phantom truth, simulation or reader.")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["view_id", "lesion_id", "revision"]
        constraints = [
            models.UniqueConstraint(fields=["lesion", "view", "revision"], name="annotation_revision_once"),
            models.UniqueConstraint(
                fields=["lesion", "view"], condition=Q(current=True), name="annotation_one_current"
            ),
            models.CheckConstraint(
                condition=Q(x2__gt=models.F("x1"), y2__gt=models.F("y1")), name="annotation_box_has_area"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lesion} on {self.view}, revision {self.revision}"
