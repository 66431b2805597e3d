"""Reports as PDF, and the checklists with what the authors write."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.core import files
from webapp.core.downloads import download
from webapp.core.errors import NotAllowed, UserError
from webapp.experiments.models import Experiment
from webapp.jobs import selectors as jobs
from webapp.jobs import services as job_services
from webapp.jobs.models import ACTIVE
from webapp.results import selectors
from webapp.results.checklists import exports
from webapp.results.checklists import services as checklist_services
from webapp.results.checklists.filling import Entry, entries
from webapp.results.checklists.topics import CHECKLISTS
from webapp.results.models import Report
from webapp.results.opening import open_part, tabs
from webapp.results.reports import basis, registry, services
from webapp.results.reports.basis import Basis


@require_safe
@project_page()
def report_page(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/results/<number>/report/`: reports made so far, and the one under way; part of the look."""
    found = open_part(request, project, number, "report")
    if isinstance(found, HttpResponse):
        return found
    looks = basis.snapshot(found)["looks"]
    listed = [
        _shown(request, report)
        for report in found.reports.select_related("job__project", "job__created_by", "requested_by")
    ]
    current = registry.inputs_hash(found, looks)
    checklist = entries(Basis(found, looks, ""))
    return render(
        request,
        "results/report.html",
        {
            "experiment": found,
            "tabs": tabs(project, number, "report"),
            "reports": listed,
            "current": current,
            "up_to_date": any(one["report"].inputs_hash == current and one["report"].file for one in listed),
            "outdated": bool(listed) and all(one["report"].inputs_hash != current for one in listed),
            "may_make": permissions.role_may(getattr(request, "role", None), permissions.LAUNCH),
            "looks": {selectors.TEST_SETS[name]: count for name, count in looks.items()},
            "topics": len(checklist),
            "unwritten": [entry for entry in checklist if entry.required],
        },
    )


def _shown(request: HttpRequest, report: Report) -> dict[str, Any]:
    """A report with the row of its job, as long as it has no file."""
    assert isinstance(request.user, User)
    job = None
    if not report.file and report.job is not None:
        job = jobs.row(report.job)
        if not job_services.may_control(request.user, report.job, getattr(request, "role", None)):
            job["cancel_url"] = ""
    return {"report": report, "job": job, "active": report.job is not None and report.job.state in ACTIVE}


@require_POST
@project_page(permissions.LAUNCH)
def make(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/results/<number>/report/make/`: ask for the report of what the records say now."""
    assert isinstance(request.user, User)
    found = open_part(request, project, number, "report")
    if isinstance(found, HttpResponse):
        return found
    report, new = services.request_report(actor=request.user, experiment=found)
    if not new and report.file:
        messages.info(request, "Nothing has changed since this report was made: here it is.")
    return redirect("results:report", project.slug, number)


@require_safe
@project_page()
def file(request: HttpRequest, project: Project, number: int, report: int) -> HttpResponseBase:
    """`<project>/results/<number>/report/<report>.pdf`; who took it is written down."""
    assert isinstance(request.user, User)
    found = open_part(request, project, number, "report file")
    if isinstance(found, HttpResponse):
        return found
    kept = get_object_or_404(found.reports.exclude(file=""), pk=report)
    path = files.absolute(kept.file)
    if not path.is_file():
        raise Http404("The file is not in the data folder any more.")
    services.record_download(actor=request.user, report=kept)
    stem = f"experiment-{number}-report-{kept.inputs_hash[:8]}"
    return download(request, path.open("rb"), filename=f"{stem}.pdf", content_type="application/pdf")


@require_http_methods(["GET", "HEAD", "POST"])
@project_page()
def checklists(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/results/<number>/checklists/`: topics, what the records say, and fields for the authors."""
    found = open_part(request, project, number, "checklists")
    if isinstance(found, HttpResponse):
        return found
    given: dict[str, str] = {}
    errors: dict[str, str] = {}
    if request.method == "POST":
        given, errors = _save(request, found)
        if not errors:
            messages.success(request, "Saved.")
            return redirect("results:checklists", project.slug, number)
    listed = entries(Basis(found, selectors.looks(found), ""))
    return render(
        request,
        "results/checklists.html",
        {
            "experiment": found,
            "tabs": tabs(project, number, "report"),
            "rows": [_row(entry, given, errors) for entry in listed],
            "unwritten": sum(entry.required for entry in listed),
            "errors": errors,
            "names": CHECKLISTS,
            "may_write": permissions.role_may(getattr(request, "role", None), permissions.LAUNCH),
            "longest": checklist_services.LONGEST,
        },
        status=422 if errors else 200,
    )


def _save(request: HttpRequest, found: Experiment) -> tuple[dict[str, str], dict[str, str]]:
    """What was sent, and what could not be stored, by topic; every other topic is stored."""
    assert isinstance(request.user, User)
    given = {name.removeprefix("text-"): str(text) for name, text in request.POST.items() if name.startswith("text-")}
    errors: dict[str, str] = {}
    for topic, text in given.items():
        seen = request.POST.get(f"revision-{topic}", "0")
        try:
            checklist_services.answer(
                actor=request.user,
                experiment=found,
                topic=topic,
                text=text,
                revision=int(seen) if seen.isdecimal() and len(seen) < 9 else 0,
            )
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from error
        except UserError as error:
            errors[topic] = str(error)
    return given, errors


def _row(entry: Entry, given: dict[str, str], errors: dict[str, str]) -> dict[str, Any]:
    key = entry.topic.key
    return {
        "entry": entry,
        "items": [(CHECKLISTS[name], items) for name, items in entry.topic.items.items()],
        "text": given[key] if key in errors else entry.text,
        "theirs": entry.text if key in errors and entry.text != given[key] else "",
        "revision": entry.answer.revision if entry.answer else 0,
        "error": errors.get(key, ""),
    }


@require_safe
@project_page()
def checklists_csv(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/results/<number>/checklists.csv`; part of the look."""
    found = open_part(request, project, number, "checklists file")
    if isinstance(found, HttpResponse):
        return found
    response = HttpResponse(
        exports.as_csv(Basis(found, selectors.looks(found), "")), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="experiment-{number}-checklists.csv"'
    return response
