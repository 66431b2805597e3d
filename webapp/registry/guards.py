"""What the database keeps from changing: models, their history, and complete applications."""

from __future__ import annotations

from webapp.core.guards import Event, Guard

_COMPLETE = "EXISTS (SELECT 1 FROM registry_modelapplication a WHERE a.id = {application} AND a.finished IS NOT NULL)"
_OF_FINDING = "(SELECT w.application_id FROM registry_appliedview w WHERE w.id = {row}.applied_view_id)"
_EVENTS: tuple[tuple[Event, str], ...] = (("INSERT", "NEW"), ("UPDATE", "OLD"), ("DELETE", "OLD"))

GUARDS = [
    Guard(
        name="registry_model_fixed",
        table="registry_registeredmodel",
        event="UPDATE",
        condition="OLD.id IS NOT NULL",
        message="a registered model never changes",
    ),
    *(
        Guard(
            name=f"registry_history_{event.lower()}",
            table="registry_historyentry",
            event=event,
            condition="OLD.id IS NOT NULL",
            message="the history of a model is append-only",
        )
        for event in ("UPDATE", "DELETE")
    ),
    Guard(
        name="registry_application_complete",
        table="registry_modelapplication",
        event="UPDATE",
        # job and person are references that may be set to null
        condition=(
            "OLD.finished IS NOT NULL AND (NEW.finished IS NULL OR NEW.finished <> OLD.finished "
            "OR NEW.model_id <> OLD.model_id OR NEW.number <> OLD.number OR NEW.size <> OLD.size "
            "OR NEW.summary <> OLD.summary OR NEW.selection <> OLD.selection)"
        ),
        message="a complete application never changes",
    ),
    *(
        Guard(
            name=f"registry_appliedview_{event.lower()}",
            table="registry_appliedview",
            event=event,
            condition=_COMPLETE.format(application=f"{row}.application_id"),
            message="the views of a complete application never change",
        )
        for event, row in _EVENTS
    ),
    *(
        Guard(
            name=f"registry_appliedfinding_{event.lower()}",
            table="registry_appliedfinding",
            event=event,
            condition=_COMPLETE.format(application=_OF_FINDING.format(row=row)),
            message="the findings of a complete application never change",
        )
        for event, row in _EVENTS
    ),
]
