"""Datasets: named, versioned selections of exams with a patient-level split."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from webapp.accounts.models import Project
from webapp.annotations.models import Annotation, LesionType, Malignancy
from webapp.cases.models import Exam, Origin, Patient, View


class Split(models.TextChoices):
    """Where a patient's images may be used."""

    TRAIN = "train", "Train"
    VALIDATION = "validation", "Validation"
    INTERNAL_TEST = "internal_test", "Internal test"
    EXTERNAL_TEST = "external_test", "External test"


class Dataset(models.Model):
    """A named line of versions."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="datasets")
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=100)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "slug"], name="dataset_once_in_project")]

    def __str__(self) -> str:
        return self.name


class DatasetVersion(models.Model):
    """Draft until frozen; frozen it has a content hash and never changes (database triggers see to it)."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        FROZEN = "frozen", "Frozen"

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=6, choices=State.choices, default=State.DRAFT)
    split_settings = models.JSONField(default=dict, help_text="Shares, strata, external sites and seed of the split.")
    content_hash = models.CharField(max_length=64, blank=True)
    frozen_at = models.DateTimeField(null=True)
    frozen_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created = models.DateTimeField(auto_now_add=True)
    exams = models.ManyToManyField(Exam, through="VersionExam", related_name="dataset_versions")

    class Meta:
        ordering = ["dataset_id", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="version_number_once"),
            models.UniqueConstraint(fields=["dataset"], condition=Q(state="draft"), name="one_draft_in_dataset"),
            models.CheckConstraint(
                condition=Q(state="draft", content_hash="") | (Q(state="frozen") & ~Q(content_hash="")),
                name="frozen_version_has_hash",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset.name} version {self.number}"


class VersionExam(models.Model):
    """An exam in a version."""

    version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="version_exams")
    exam = models.ForeignKey(Exam, on_delete=models.PROTECT, related_name="version_exams")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "exam"], name="exam_once_in_version")]


class SplitAssignment(models.Model):
    """The one split a patient belongs to in a version."""

    version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="assignments")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="assignments")
    split = models.CharField(max_length=13, choices=Split.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "patient"], name="patient_in_one_split"),
            models.CheckConstraint(condition=Q(split__in=Split.values), name="split_known"),
        ]


class VersionView(models.Model):
    """A view of a frozen version with the split it is used in, fixed when the version is frozen.

    `origin` and `patient` repeat the view's so that the database itself can refuse a synthetic view and a view
    whose patient is in another split (check constraint and trigger).
    """

    version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="version_views")
    view = models.ForeignKey(View, on_delete=models.PROTECT, related_name="version_views")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="version_views")
    split = models.CharField(max_length=13, choices=Split.choices)
    origin = models.CharField(max_length=9, choices=Origin.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "view"], name="view_once_in_version"),
            models.CheckConstraint(condition=~Q(origin="synthetic"), name="no_synthetic_view_in_version"),
            models.CheckConstraint(condition=Q(split__in=Split.values), name="version_view_split_known"),
        ]


class VersionAnnotation(models.Model):
    """The annotation revision a frozen version uses, with the lesion's class as it was then."""

    version_view = models.ForeignKey(VersionView, on_delete=models.CASCADE, related_name="version_annotations")
    annotation = models.ForeignKey(Annotation, on_delete=models.PROTECT, related_name="version_annotations")
    lesion_type = models.CharField(max_length=8, choices=LesionType.choices)
    malignancy = models.CharField(max_length=9, choices=Malignancy.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version_view", "annotation"], name="annotation_once_in_version_view")
        ]
