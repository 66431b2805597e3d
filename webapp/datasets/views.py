"""Datasets pages: list, version, and what is done to a draft."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.cases.selection import selected_exams
from webapp.core.errors import UserError
from webapp.datasets import selectors, services
from webapp.datasets.case_columns import is_shown
from webapp.datasets.forms import DatasetForm, split_form
from webapp.datasets.models import DatasetVersion, Split


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _version(request: HttpRequest, project: Project, slug: str, number: int) -> DatasetVersion:
    return get_object_or_404(selectors.versions_of(request.user, project), dataset__slug=slug, number=number)


def _to(version: DatasetVersion) -> HttpResponse:
    return redirect("datasets:version", version.dataset.project.slug, version.dataset.slug, version.number)


@project_page()
@require_http_methods(["GET", "POST"])
def dataset_list(request: HttpRequest, project: Project) -> HttpResponse:
    """All datasets; a post makes a new one."""
    form = DatasetForm(request.POST or None)
    may_curate = permissions.may(_user(request), project, permissions.CURATE)
    if request.method == "POST" and not may_curate:
        raise PermissionDenied(f"Your role in this project does not let you {permissions.WORDS[permissions.CURATE]}.")
    if request.method == "POST" and form.is_valid():
        try:
            version = services.create_dataset(actor=_user(request), project=project, name=form.cleaned_data["name"])
        except UserError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
        else:
            return _to(version)
    context = {
        "datasets": selectors.datasets_of(request.user, project),
        "form": form,
        "may_curate": may_curate,
    }
    return render(request, "datasets/list.html", context, status=400 if form.errors else 200)


@require_safe
@project_page()
def version_page(request: HttpRequest, project: Project, slug: str, number: int) -> HttpResponse:
    """A version: split form or facts, balance, leakage guard, difference to the version before."""
    version = _version(request, project, slug, number)
    return render(request, "datasets/version.html", _page(request, project, version))


def _page(request: HttpRequest, project: Project, version: DatasetVersion, form: Any = None) -> dict[str, Any]:
    counts = selectors.split_counts(version)
    may_curate = permissions.may(_user(request), project, permissions.CURATE)
    return {
        "version": version,
        "form": form or split_form(version),
        "splits": [{"value": split.value, "label": split.label, "patients": counts[split.value]} for split in Split],
        "undrawn": counts[""],
        "exam_count": version.version_exams.count(),
        "balance": selectors.balance(version),
        "opens_cases": is_shown(version),
        "checks": selectors.leakage_checks(version),
        "difference": selectors.difference_to_previous(version),
        "incomplete_views": selectors.incomplete_view_count(version),
        "editable": may_curate and version.state == DatasetVersion.State.DRAFT,
        "may_curate": may_curate,
        "siblings": version.dataset.versions.order_by("-number"),
    }


@project_page(permissions.CURATE)
@require_POST
def draw(request: HttpRequest, project: Project, slug: str, number: int) -> HttpResponse:
    """Draw the split anew."""
    version = _version(request, project, slug, number)
    form = split_form(version, request.POST)
    if form.is_valid():
        try:
            counts = services.draw(actor=_user(request), version=version, settings=form.settings())
        except UserError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
        else:
            messages.success(request, f"Split drawn over {sum(counts.values())} patients.")
            return _to(version)
    return render(request, "datasets/version.html", _page(request, project, version, form), status=400)


@project_page(permissions.CURATE)
@require_POST
def freeze(request: HttpRequest, project: Project, slug: str, number: int) -> HttpResponse:
    """Freeze the draft."""
    version = _version(request, project, slug, number)
    form = split_form(version)
    try:
        services.freeze(actor=_user(request), version=version)
    except UserError as error:
        context = _page(request, project, version, form) | {"failure": str(error)}
        return render(request, "datasets/version.html", context, status=400)
    messages.success(request, f"{version} is frozen.")
    return _to(version)


@project_page(permissions.CURATE)
@require_POST
def copy(request: HttpRequest, project: Project, slug: str, number: int) -> HttpResponse:
    """Copy a frozen version to a draft."""
    version = _version(request, project, slug, number)
    try:
        draft = services.copy_to_draft(actor=_user(request), version=version)
    except UserError as error:
        context = _page(request, project, version) | {"failure": str(error)}
        return render(request, "datasets/version.html", context, status=400)
    return _to(draft)


@project_page(permissions.CURATE)
@require_http_methods(["GET", "POST"])
def add_cases(request: HttpRequest, project: Project) -> HttpResponse:
    """Add the cases chosen on the cases page to a draft or a new dataset.

    The first post shows where to add; the second, with `target`, adds.
    """
    if request.method == "GET":
        return redirect("cases:list", project.slug)
    context: dict[str, Any] = {"chosen": [], "count": 0, "failure": "", "name": request.POST.get("name", "")}
    try:
        exams = selected_exams(request, project)
        context |= {"chosen": _chosen(request), "count": exams.count()}
        if request.POST.get("target"):
            with transaction.atomic():
                version = _target(request, project, request.POST["target"])
                added = services.add_exams(actor=_user(request), version=version, exams=list(exams))
            messages.success(request, f"{added} cases added to {version}. Draw the split next.")
            return _to(version)
    except UserError as error:
        context["failure"] = str(error)
    context["drafts"] = selectors.versions_of(request.user, project).filter(state=DatasetVersion.State.DRAFT)
    return render(request, "datasets/add_cases.html", context, status=400 if context["failure"] else 200)


def _chosen(request: HttpRequest) -> list[tuple[str, str]]:
    """The choice as hidden fields, so that the second post means the same cases."""
    if request.POST.get("all") == "1":
        return [("all", "1"), ("query", request.POST.get("query", ""))]
    return [("case", number) for number in request.POST.getlist("case")]


def _target(request: HttpRequest, project: Project, target: str) -> DatasetVersion:
    if target == "new":
        return services.create_dataset(actor=_user(request), project=project, name=request.POST.get("name", "").strip())
    return get_object_or_404(selectors.versions_of(request.user, project), pk=target if target.isdigit() else 0)
