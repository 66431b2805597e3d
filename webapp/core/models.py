"""Records every app may write: the audit trail."""

from __future__ import annotations

from django.db import models


class AuditEvent(models.Model):
    """One write or image read. Append-only; names are copied so that the trail outlives what it names."""

    time = models.DateTimeField(auto_now_add=True, db_index=True)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=150)
    project_id = models.BigIntegerField(null=True, db_index=True)
    project_name = models.CharField(max_length=100, blank=True)
    action = models.CharField(max_length=60, db_index=True)
    object_type = models.CharField(max_length=60, blank=True)
    object_id = models.CharField(max_length=60, blank=True)
    object_name = models.CharField(max_length=200, blank=True)
    details = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.time:%Y-%m-%d %H:%M} {self.actor_name} {self.action} {self.object_name}"
