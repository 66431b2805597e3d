"""Counts, open questions and the last events of a project, for its home."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from webapp.accounts.models import Project, User
from webapp.cases.models import ImportFile, Origin, Site, Verdict
from webapp.cases.selectors import exams_of, views_of
from webapp.core.models import AuditEvent

RECENT = 8
"""Lines of what happened."""
LOOKED_THROUGH = 200
"""Events that these lines are made from: repeats share a line."""
_WORDS = {
    "accounts.create_project": "began the project",
    "accounts.remove_member": "removed {name}",
    "accounts.set_role": "gave {name} the role {role}",
    "annotations.change_class": "changed what {name} is",
    "annotations.create_lesion": "added {name}",
    "annotations.revise": "outlined {name}",
    "annotations.withdraw": "withdrew {name}",
    "cases.answer_kind": "said what a file of {name} is",
    "cases.create_site": "added site {name}",
    "cases.import": "imported {imported} files of site {site}: {exams} new exams, {refused} refused",
    "datasets.add_exams": "added cases to {name}",
    "datasets.copy": "copied to {name}",
    "datasets.create": "began dataset {name}",
    "datasets.draw_split": "drew the split of {name}",
    "datasets.freeze": "froze {name}",
    "experiments.freeze": "froze the design of {name}",
    "experiments.launch": "started {name}",
    "jobs.cancel": "cancelled {name}",
    "jobs.retry": "started {name} again",
    "registry.apply": "ran {name}",
    "registry.register": "kept {name}",
    "results.look": "opened the results of {name}",
    "reviews.create_queue": "made {name}",
    "simulations.create_batch": "started {name}",
    "simulations.judge": "judged {name}",
}
"""Audit actions that the home tells in words; others are told by their name."""
_QUIET = (
    "accounts.export_audit",
    "api.",
    "cases.read_image",
    "cases.upload",
    "cases.export",
    "experiments.download",
    "jobs.submit",
    "registry.download",
    "results.cases",
    "results.part",
    "results.report_download",
    "reviews.answer",
    "reviews.export",
    "reviews.reveal",
    "simulations.read_image",
    "viewer.",
)


@dataclass(frozen=True)
class Event:
    """One line of what happened."""

    time: Any
    when: str
    actor: str
    words: str


@dataclass(frozen=True)
class Task:
    """One line of what needs a person."""

    count: int
    words: str
    url: str
    action: str


def counts(user: User | AnonymousUser, project: Project) -> dict[str, int]:
    """Patients, exams, pairs and sites of the project."""
    found = exams_of(user, project).aggregate(
        exams=Count("pk"),
        patients=Count("patient", distinct=True),
        incomplete=Count("pk", filter=Q(complete=False)),
        with_lesions=Count("pk", filter=~Q(lesion_classes=0)),
        looks=Count("pk", filter=Q(needs_look=True)),
    )
    views = views_of(user, project).aggregate(
        views=Count("pk", filter=~Q(origin=Origin.SYNTHETIC)), synthetic=Count("pk", filter=Q(origin=Origin.SYNTHETIC))
    )
    return {**found, **views, "sites": Site.objects.filter(project=project, patients__isnull=False).distinct().count()}


def attention(user: User | AnonymousUser, project: Project) -> list[Task]:
    """What of this app waits for a person; other apps add panels of their own."""
    cases = reverse("cases:list", args=[project.slug])
    exams = exams_of(user, project)
    tasks = []
    missing = exams.filter(complete=False).exclude(cells=0).count()
    if missing:
        tasks.append(
            Task(
                missing,
                "exams have an image without its partner of the other kind",
                f"{cases}?images=partner-missing",
                "Look",
            )
        )
    flagged = exams.filter(needs_look=True, complete=True).count()
    if flagged:
        words = "exams have a view whose pixels contradict its header"
        tasks.append(Task(flagged, words, f"{cases}?images=needs-look", "Look"))
    waiting = (
        ImportFile.objects.filter(batch__project=project, verdict=Verdict.ASK)
        .exclude(waiting="")
        .values("batch__number")
        .annotate(count=Count("pk"))
        .order_by("-batch__number")
    )
    for one in waiting[:3]:
        url = reverse("cases:import-report", args=[project.slug, one["batch__number"]])
        words = f"files of import {one['batch__number']} do not say whether they are low energy or recombined"
        tasks.append(Task(one["count"], words, url, "Decide"))
    return tasks


def recent(project: Project) -> list[Event]:
    """The last events in words; image reads and queued work are left to the audit trail.

    What a person did several times in a row on one day is one line, with how often and the last time.
    """
    quiet = Q()
    for prefix in _QUIET:
        quiet |= Q(action__startswith=prefix)
    people = AuditEvent.objects.filter(project_id=project.pk, actor_id__isnull=False)
    found = list(people.exclude(quiet)[:LOOKED_THROUGH])
    oldest = found[-1] if len(found) == LOOKED_THROUGH else None
    repeats = groupby(found, lambda event: (timezone.localdate(event.time), event.actor_name, _words(event)))
    lines = []
    for (_, actor, words), same in islice(repeats, RECENT):
        events = list(same)
        if len(events) > 1:
            words += f", {'at least ' if events[-1] is oldest else ''}{len(events)} times"
        lines.append(Event(events[0].time, _when(events[0]), actor, words))
    return lines


def _when(event: AuditEvent) -> str:
    """``10:42`` today, else ``12 Mar``."""
    local = timezone.localtime(event.time)
    return date_format(local, "H:i" if local.date() == timezone.localdate() else "j M")


def _words(event: AuditEvent) -> str:
    pattern = _WORDS.get(event.action)
    if pattern is None:
        verb = event.action.partition(".")[2].replace("_", " ").replace("-", " ")
        return f"{verb}: {event.object_name}" if event.object_name else verb
    known: dict[str, Any] = {"imported": 0, "exams": 0, "refused": 0, "site": "", "role": ""}
    return pattern.format(**{**known, **event.details, "name": event.object_name})
