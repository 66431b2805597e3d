"""Writing the audit trail."""

from __future__ import annotations

from typing import Any

from django.db import models

from webapp.core.models import AuditEvent


def record(
    *,
    actor: Any,
    action: str,
    project: Any = None,
    target: models.Model | None = None,
    name: str = "",
    **details: Any,
) -> AuditEvent:
    """Append one event.

    Parameters
    ----------
    actor : User or None
        None for work the system does by itself (shown as "system").
    action : str
        "<app>.<verb>", for example ``"datasets.freeze"``.
    project : Project, optional
    target : model instance, optional
        What was written or read.
    name : str
        How the target is called on pages; `str(target)` when empty. Never a patient identifier.
    details : JSON-ready values
    """
    return AuditEvent.objects.create(
        actor_id=getattr(actor, "pk", None),
        actor_name=getattr(actor, "username", "") or "system",
        project_id=getattr(project, "pk", None),
        project_name=getattr(project, "slug", ""),
        action=action,
        object_type=target._meta.label if target is not None else "",
        object_id=str(target.pk) if target is not None else "",
        object_name=(name or (str(target) if target is not None else ""))[:200],
        details=details,
    )
