from __future__ import annotations

from django.db import models

from webapp.accounts.models import Project
from webapp.cases.models.patient import Patient
from webapp.cases.models.terms import Origin


class Exam(models.Model):
    """One CEM examination of a patient: what pages call a case."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="exams")
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="exams")
    number = models.PositiveIntegerField(
        help_text="Counts the exams of a project; names the case on pages and in URLs."
    )
    source_key = models.CharField(max_length=64, help_text="Keyed hash of the study, for re-imports.")
    date = models.DateField(null=True, help_text="Shifted per patient.")
    device = models.CharField(max_length=100, blank=True)
    attributes = models.JSONField(default=dict)
    origin = models.CharField(max_length=9, choices=Origin.choices, default=Origin.REAL)
    cells = models.PositiveSmallIntegerField(
        default=0, help_text="Which of the eight images are stored, one bit a cell of `webapp.cases.matrix.CELLS`."
    )
    complete = models.BooleanField(default=False, help_text="Every view present has both images.")
    lesion_classes = models.PositiveIntegerField(
        default=0, help_text="Lesion classes of the exam, one bit each; kept by the annotations app for the cases page."
    )
    needs_look = models.BooleanField(default=False, help_text="Whether `attention` says anything.")
    attention = models.JSONField(default=list, help_text="What a person should look at, in words.")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="exam_number_once"),
            models.UniqueConstraint(fields=["patient", "source_key"], name="exam_source_once"),
            models.CheckConstraint(
                condition=models.Q(origin__in=[Origin.REAL, Origin.PHANTOM]), name="exam_origin_acquired"
            ),
        ]

    def __str__(self) -> str:
        return f"Case {self.number}"
