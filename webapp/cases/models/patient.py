from __future__ import annotations

from django.db import models

from webapp.accounts.models import Project
from webapp.cases.models.site import Site


class Patient(models.Model):
    """A person behind the images, known by pseudonym only."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="patients")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="patients")
    pseudonym = models.CharField(max_length=40, help_text="Shown on pages; derived, never the hospital's number.")
    source_key = models.CharField(
        max_length=64, help_text="Keyed hash of the identifier in the source, so that a re-import finds the patient."
    )
    age = models.PositiveSmallIntegerField(null=True, help_text="Years at the first exam, 90 for 90 and over.")
    identity = models.JSONField(
        default=dict,
        help_text="Keyed hashes of birth date, sex and issuer, to notice two people under one identifier.",
    )
    attributes = models.JSONField(default=dict, help_text="Typed clinical features.")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pseudonym"]
        constraints = [
            models.UniqueConstraint(fields=["project", "pseudonym"], name="patient_pseudonym_once"),
            models.UniqueConstraint(fields=["project", "site", "source_key"], name="patient_source_once"),
        ]

    def __str__(self) -> str:
        return self.pseudonym
