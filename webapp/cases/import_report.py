"""The report of an import, arranged for its page."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Max, Min, Q
from django.http import HttpRequest

from webapp.cases import rows
from webapp.cases.models import Exam, ImportBatch, ImportFile, Verdict
from webapp.jobs.models import ENDED
from webapp.jobs.selectors import row

SHOWN_FILES = 200
SHOWN_EXAMS = 200
_ORDER: dict[str, int] = {
    Verdict.ASK: 0,
    Verdict.REFUSED: 1,
    Verdict.IMPORTED: 2,
    Verdict.UNCHANGED: 3,
    Verdict.IGNORED: 4,
}
_CHIPS: dict[str, str] = {
    Verdict.ASK: "needs_look",
    Verdict.REFUSED: "refused",
    Verdict.IMPORTED: "complete",
    Verdict.UNCHANGED: "accepted",
    Verdict.IGNORED: "cancelled",
}
DEIDENTIFICATION = {
    "files": "DICOM files stored",
    "removed": "Attributes removed",
    "private attributes removed": "Private attributes removed",
    "held an identifier: removed": "Removed because they held an identifier",
    "overlays removed": "Overlays removed",
    "emptied": "Attributes emptied",
    "replaced": "Texts replaced",
    "UID replaced": "UIDs replaced",
    "date shifted": "Dates shifted",
    "age capped at 90": "Ages above 90 given as 90",
}
"""What de-identification counts, in words and in the order of the page. The names are those of
`imaging.deidentification_profile.Action`, which the web process does not load: it brings the whole DICOM table."""


def report_context(request: HttpRequest, batch: ImportBatch) -> dict[str, Any]:
    """Groups by reason, exams with their eight images, and what de-identification removed."""
    job = batch.job
    running = batch.finished is None and job is not None and job.state not in ENDED
    exams = (
        Exam.objects.filter(import_files__batch=batch)
        .select_related("patient")
        .distinct()
        .order_by("number")[:SHOWN_EXAMS]
    )
    counts = ImportFile.objects.filter(batch=batch).aggregate(
        **{verdict.value: Count("pk", filter=Q(verdict=verdict)) for verdict in Verdict},
        exams=Count("exam", distinct=True),
        patients=Count("exam__patient", distinct=True),
        looks=Count("exam", distinct=True, filter=Q(exam__needs_look=True)),
    )
    removed = batch.summary.get("deidentification", {})
    return {
        "batch": batch,
        "job": job,
        "running": running,
        "job_row": row(job) if job is not None and running else None,
        "stopped": batch.summary.get("stopped") or (job.error if job is not None and job.state == "failed" else ""),
        "counts": counts,
        "groups": _groups(batch),
        "exams": [
            (exam, rows.matrix_markup(exam.cells), rows.state_markup(exam.complete, exam.needs_look)) for exam in exams
        ],
        "removed": [(words, removed[name]) for name, words in DEIDENTIFICATION.items() if name in removed],
        "questions": list(ImportFile.objects.filter(batch=batch, verdict=Verdict.ASK)),
    }


def _groups(batch: ImportBatch) -> list[dict[str, Any]]:
    found = (
        ImportFile.objects.filter(batch=batch)
        .exclude(verdict=Verdict.ASK)
        .values("verdict", "group")
        .annotate(count=Count("pk"), reasons=Count("reason", distinct=True), reason=Min("reason"), advice=Max("advice"))
    )
    groups = []
    for group in sorted(found, key=lambda one: (_ORDER[one["verdict"]], -one["count"], one["group"])):
        files = ImportFile.objects.filter(batch=batch, verdict=group["verdict"], group=group["group"])
        groups.append(
            {
                **group,
                "label": group["group"] or Verdict(group["verdict"]).label,
                "chip": _CHIPS[group["verdict"]],
                "files": list(files.only("name", "index", "reason")[:SHOWN_FILES]),
                "more": max(0, group["count"] - SHOWN_FILES),
                "open": group["verdict"] == Verdict.REFUSED,
            }
        )
    return groups
