from __future__ import annotations

from django.conf import settings
from django.db import models

from webapp.accounts.models import Project
from webapp.cases.models.exam import Exam
from webapp.cases.models.site import Site
from webapp.jobs.models import Job


class ImportBatch(models.Model):
    """One import from the page or the command line, with its report."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="imports")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="imports")
    number = models.PositiveIntegerField()
    source = models.CharField(max_length=20, help_text="upload, dicom, pairs or phantom.")
    folder = models.CharField(max_length=120, blank=True, help_text="Where uploaded files wait.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created = models.DateTimeField(auto_now_add=True)
    finished = models.DateTimeField(null=True)
    job = models.OneToOneField(Job, null=True, on_delete=models.SET_NULL, related_name="import_batch")
    spacing_mm = models.FloatField(null=True, help_text="Given for images that state no pixel spacing.")
    summary = models.JSONField(default=dict)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="import_number_once")]

    def __str__(self) -> str:
        return f"Import {self.number}"


class Verdict(models.TextChoices):
    IMPORTED = "imported", "Imported"
    UNCHANGED = "unchanged", "Unchanged"
    REFUSED = "refused", "Refused"
    ASK = "ask", "Needs a person"
    IGNORED = "ignored", "Not an image"


class ImportFile(models.Model):
    """The verdict on one file of an import, in plain words."""

    batch = models.ForeignKey(ImportBatch, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=255, help_text="As it was handed in, without folders that may name people.")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    index = models.PositiveIntegerField(default=0, help_text="Position among the files handed in, from 1.")
    group = models.CharField(max_length=60, blank=True, help_text="Findings of one kind stand together.")
    reason = models.CharField(max_length=500, blank=True)
    advice = models.CharField(max_length=500, blank=True)
    waiting = models.CharField(
        max_length=120, blank=True, help_text="Name in the batch's folder of a file a person has to decide about."
    )
    exam = models.ForeignKey(Exam, null=True, on_delete=models.SET_NULL, related_name="import_files")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.verdict}: {self.reason}"
