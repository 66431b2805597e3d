from __future__ import annotations

from django.db import models

from webapp.accounts.models import Project


class Site(models.Model):
    """A hospital or phantom generator that images come from."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="sites")
    code = models.SlugField(max_length=30)
    name = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["project", "code"], name="site_once_in_project")]

    def __str__(self) -> str:
        return self.code
