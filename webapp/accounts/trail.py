"""Reading the audit trail of a project: who wrote or read what, and when."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, TextIO

from django.db.models import QuerySet
from django.utils import timezone

from webapp.accounts.models import Project
from webapp.core.models import AuditEvent
from webapp.core.spreadsheets import plain_text

COLUMNS = ("time", "person", "area", "action", "object_type", "object", "details")
TOLD = (
    "role",
    "kind",
    "site",
    "files",
    "imported",
    "exams",
    "refused",
    "views",
    "lesion_type",
    "malignancy",
    "verdict",
    "purpose",
    "added",
    "removed",
    "test_set",
    "test_sets",
    "part",
    "measure",
    "outcome",
    "group",
    "score_above",
    "items",
    "state",
    "revision",
)
"""Details that are shown: counts, and words of fixed lists. Text that somebody wrote stays in the record, since
it may name a patient."""


@dataclass(frozen=True)
class Line:
    """An event in words."""

    time: datetime
    person: str
    area: str
    action: str
    object_type: str
    object: str
    details: str


def events_of(project: Project) -> QuerySet[AuditEvent]:
    """Events of a project that the person manages (the caller has checked that), newest first."""
    return AuditEvent.objects.filter(project_id=project.pk).order_by("-id")


def narrowed(
    events: QuerySet[AuditEvent],
    *,
    person: str = "",
    action: str = "",
    object: str = "",
    since: date | None = None,
    until: date | None = None,
) -> QuerySet[AuditEvent]:
    """Events of a person, of an action, of an object, between two days.

    Parameters
    ----------
    object : str
        Whole words of the object's name in any case: ``case 1`` finds ``Case 1 R CC`` and not ``Case 12``.
    since, until : date
        In the time zone of the installation, both included.
    """
    if person:
        events = events.filter(actor_name=person)
    if action:
        events = events.filter(action=action)
    if object:
        events = events.filter(object_name__iregex=rf"(^|[^\w]){re.escape(object)}([^\w]|$)")
    if since:
        events = events.filter(time__gte=_midnight(since))
    if until:
        events = events.filter(time__lt=_midnight(until + timedelta(days=1)))
    return events


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def people_in(events: QuerySet[AuditEvent]) -> list[str]:
    """Names in the trail, of people who have left too."""
    return sorted(events.order_by().values_list("actor_name", flat=True).distinct(), key=str.lower)


def actions_in(events: QuerySet[AuditEvent]) -> dict[str, list[tuple[str, str]]]:
    """Actions that happened and their words, by area."""
    found: dict[str, list[tuple[str, str]]] = {}
    for action in sorted(events.order_by().values_list("action", flat=True).distinct()):
        area, words = _words(action)
        found.setdefault(area, []).append((action, words))
    return found


def lines(events: Iterable[AuditEvent]) -> list[Line]:
    """Events in words."""
    return [
        Line(
            event.time,
            event.actor_name,
            *_words(event.action),
            _type(event),
            event.object_name,
            _details(event.details),
        )
        for event in events
    ]


def write_csv(handle: TextIO, events: QuerySet[AuditEvent]) -> None:
    """One row an event, newest first."""
    writer = csv.writer(handle)
    writer.writerow(COLUMNS)
    for event in events.iterator(chunk_size=2000):
        line = lines([event])[0]
        words = (line.person, line.area, line.action, line.object_type, line.object, line.details)
        writer.writerow([line.time.isoformat(), *map(plain_text, words)])


def _words(action: str) -> tuple[str, str]:
    """``reviews.create_queue`` → ``("Reviews", "create queue")``."""
    area, _, verb = action.partition(".")
    return area.capitalize(), verb.replace("_", " ").replace("-", " ")


def _type(event: AuditEvent) -> str:
    """``experiments.RunArtifact`` → ``run artifact``."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", event.object_type.partition(".")[2]).lower()


def _details(details: dict[str, Any]) -> str:
    known = ((name, details[name]) for name in TOLD if name in details)
    return ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in known if value not in ("", None))


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(map(_value, value))
    return str(value).replace("_", " ")
