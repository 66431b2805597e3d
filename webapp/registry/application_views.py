"""Applying a model to cases, and what came of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.cases.models import Origin, View
from webapp.cases.rows import thumbnail_url
from webapp.cases.selection import selected_exams
from webapp.cases.selectors import views_of
from webapp.core.errors import UserError
from webapp.datasets.models import DatasetVersion, Split
from webapp.datasets.selectors import versions_of
from webapp.jobs import services as jobs
from webapp.jobs import waiting
from webapp.jobs.control import Verb, control
from webapp.jobs.models import ACTIVE, JobState
from webapp.jobs.selectors import shown_state
from webapp.registry import figures, selectors, services
from webapp.registry.forms import ALL, ApplyForm
from webapp.registry.models import AppliedView, ModelApplication
from webapp.registry.standing import TEST_SETS, plan

A_PAGE = 50


def application_or_404(request: HttpRequest, project: Project, number: int) -> ModelApplication:
    """The application, if the person may see it.

    Raises
    ------
    Http404
    """
    found: ModelApplication = get_object_or_404(selectors.applications_of(request.user, project), number=number)
    return found


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(permissions.LAUNCH)
def apply(request: HttpRequest, project: Project) -> HttpResponse:
    """`<project>/models/apply/`: choose model and cases, see what it would do, start.

    The cases page posts its selection here (`case`, or `all` and `query`), which the later posts carry along. A post
    with `model` shows the plan; one with `start` too starts the job.
    """
    assert isinstance(request.user, User)
    chosen = _chosen(request)
    models = selectors.usable_models(request.user, project)
    versions = (
        versions_of(request.user, project).filter(state=DatasetVersion.State.FROZEN).order_by("-frozen_at", "-pk")
    )
    decided = request.method == "POST" and "model" in request.POST
    form = ApplyForm(
        request.POST if decided else None,
        models=models,
        versions=versions,
        chosen=bool(chosen),
        initial={"model": models.filter(number=_whole(request.GET.get("model"))).first()},
    )
    context: dict[str, Any] = {"form": form, "chosen": chosen, "any_model": models.exists()}
    if not decided:
        return render(request, "registry/apply.html", context | _count(request, project, chosen))
    if not form.is_valid():
        return render(request, "registry/apply.html", context | _count(request, project, chosen), status=422)
    given = form.cleaned_data
    try:
        views, words = _views(request, project, given.get("source", ""), versions)
        planned = plan(given["model"], views, synthetic=given["synthetic"])
        if request.POST.get("start") != "1":
            return render(request, "registry/apply.html", context | {"plan": planned, "words": words})
        made = services.apply_model(
            actor=request.user,
            project=project,
            model=given["model"],
            plan=planned,
            words=words,
            device=given["device"],
        )
    except UserError as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
        return render(request, "registry/apply.html", context, status=422)
    messages.success(request, f"Model {given['model'].number} is applied to {made.size} views.")
    return redirect("registry:application", project.slug, made.number)


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def _chosen(request: HttpRequest) -> list[tuple[str, str]]:
    """The choice of the cases page as hidden fields, so that every post means the same cases."""
    if request.POST.get("all") == "1":
        return [("all", "1"), ("query", request.POST.get("query", ""))]
    return [("case", number) for number in request.POST.getlist("case")]


def _count(request: HttpRequest, project: Project, chosen: list[tuple[str, str]]) -> dict[str, Any]:
    """How many cases were chosen, or why none could be."""
    if not chosen:
        return {}
    try:
        return {"count": selected_exams(request, project).count()}
    except UserError as error:
        return {"failure": str(error), "chosen": []}


def _views(
    request: HttpRequest, project: Project, source: str, versions: QuerySet[DatasetVersion]
) -> tuple[QuerySet[View], str]:
    """The views that are meant, and which those are in words."""
    every = views_of(request.user, project)
    if not source:
        exams = selected_exams(request, project)
        number = exams.count()
        filtered = request.POST.get("all") == "1" and request.POST.get("query")
        words = f"{number} case{'' if number == 1 else 's'} chosen on the cases page"
        return (
            every.filter(exam__in=exams.order_by().values("pk")),
            f"{words}, filter {request.POST.get('query', '')[:300]}" if filtered else words,
        )
    if source == ALL:
        return every, "all cases of the project"
    pk, _, split = source.partition(":")
    version = versions.get(pk=pk)
    members = version.version_views.filter(split=split) if split else version.version_views.all()
    # synthetic views are in no version: those of its exams are meant with it
    synthetic = Q(exam__in=members.values("view__exam"), origin=Origin.SYNTHETIC)
    in_version = every.filter(Q(pk__in=members.values("view")) | synthetic)
    return in_version, f"{version}, {Split(split).label.lower() if split else 'all splits'}"


@require_safe
@project_page()
def application_list(request: HttpRequest, project: Project) -> HttpResponse:
    """`<project>/models/applications/`: every application, newest first."""
    page = Paginator(selectors.applications_of(request.user, project), A_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "registry/applications.html",
        {
            "page": page,
            "may_use": permissions.role_may(getattr(request, "role", None), permissions.LAUNCH),
        },
    )


@require_safe
@project_page()
def application(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/models/applications/<number>/`: how far it is, scores, and the views, the highest score first."""
    assert isinstance(request.user, User)
    found = application_or_404(request, project, number)
    counts = selectors.counts(found)
    if counts["tested"]:
        services.count_look(actor=request.user, application=found)
    page = Paginator(selectors.ranked_views(found), A_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "registry/application.html",
        {
            **status_context(request, found),
            "counts": counts,
            "figure": figures.histogram(selectors.scores(found)) if counts["findings"] else None,
            "page": page,
            "rows": [_row(project, found, one) for one in page],
        },
    )


def _row(project: Project, application: ModelApplication, applied: AppliedView) -> dict[str, Any]:
    view = applied.view
    query: dict[str, Any] = {"application": application.number}
    if applied.origin == Origin.SYNTHETIC:
        query["synthetic"] = view.pk
    images = {image.kind: image for image in view.images.all()}
    return {
        "applied": applied,
        "view": view,
        "url": f"{reverse('viewer:case', args=[project.slug, view.exam.number])}?{urlencode(query)}",
        "no_evidence": selectors.no_evidence(applied),
        "tested": applied.split in TEST_SETS,
        "images": [
            {
                "label": f"{view}, {words}",
                "url": thumbnail_url(project, images[kind].pk) if kind in images and images[kind].thumbnail else None,
            }
            for kind, words in (("low_energy", "low energy"), ("recombined", "recombined"))
        ],
    }


@require_safe
@project_page()
def status(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """The progress panel anew."""
    return render(
        request, "registry/_status.html", status_context(request, application_or_404(request, project, number))
    )


def status_context(request: HttpRequest, found: ModelApplication) -> dict[str, Any]:
    """How far an application is, and what this person may do about it."""
    assert isinstance(request.user, User)
    job = found.job
    may = job is not None and jobs.may_control(request.user, job, getattr(request, "role", None))
    return {
        "application": found,
        "model": found.model,
        "job": job,
        "job_state": shown_state(job) if job else "",
        "waits": waiting.reason(job),
        "active": job is not None and job.state in ACTIVE,
        "may_cancel": may and job is not None and job.state in ACTIVE and not job.cancel_asked,
        "may_resume": may and job is not None and job.state in (JobState.FAILED, JobState.CANCELLED),
    }


@require_POST
@project_page()
def cancel(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Ask the job to stop; views that are done stay."""
    return _control(request, project, number, "cancel")


@require_POST
@project_page()
def resume(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Queue a failed or cancelled application again; it continues with the next view."""
    return _control(request, project, number, "retry")


def _control(request: HttpRequest, project: Project, number: int, verb: Verb) -> HttpResponse:
    job = application_or_404(request, project, number).job
    control(request, job, verb, kept="Views that are done stay, and you can resume.")
    return redirect("registry:application", project.slug, number)
