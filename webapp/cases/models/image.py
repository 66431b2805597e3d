from __future__ import annotations

from django.db import models
from django.db.models import Q

from webapp.cases.models.view import View


class ImageKind(models.TextChoices):
    LOW_ENERGY = "low_energy", "Low energy"
    RECOMBINED = "recombined", "Recombined"


class Image(models.Model):
    """One stored image of a view, de-identified."""

    view = models.ForeignKey(View, on_delete=models.CASCADE, related_name="images")
    kind = models.CharField(max_length=10, choices=ImageKind.choices)
    file = models.CharField(max_length=120, unique=True, help_text="Relative name under the files folder.")
    format = models.CharField(max_length=10, help_text="dicom, png, jpeg or pgm.")
    thumbnail = models.CharField(max_length=120, blank=True, help_text="Relative name of a small PNG.")
    sop_uid = models.CharField(max_length=64, blank=True, help_text="Remapped, never the original.")
    source_hash = models.CharField(max_length=64, help_text="Keyed hash of the source, for re-imports.")
    sha256 = models.CharField(max_length=64, help_text="Of the stored file.")
    rows = models.PositiveIntegerField()
    columns = models.PositiveIntegerField()
    bits_stored = models.PositiveSmallIntegerField()
    photometric = models.CharField(max_length=16, default="MONOCHROME2")
    spacing_row = models.FloatField(null=True, help_text="mm in the detector plane.")
    spacing_column = models.FloatField(null=True, help_text="mm in the detector plane.")
    window_low = models.FloatField(help_text="Display window in stored values.")
    window_high = models.FloatField()
    vendor = models.CharField(max_length=40, default="unknown")
    deidentification = models.JSONField(default=dict, help_text="Versioned record of what was changed; no values.")
    attributes = models.JSONField(default=dict)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["view_id", "kind"]
        constraints = [
            models.UniqueConstraint(fields=["view", "kind"], name="image_once_in_view"),
            models.CheckConstraint(condition=Q(kind__in=ImageKind.values), name="image_kind_known"),
            models.CheckConstraint(condition=Q(rows__gt=0, columns__gt=0), name="image_has_pixels"),
            models.CheckConstraint(
                condition=Q(spacing_row__isnull=True, spacing_column__isnull=True)
                | Q(spacing_row__gt=0, spacing_column__gt=0),
                name="image_spacing_positive",
            ),
        ]
        indexes = [models.Index(fields=["source_hash"], name="image_source_hash")]

    def __str__(self) -> str:
        return f"{self.view} {self.get_kind_display().lower()}"
