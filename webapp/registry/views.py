"""The list of models and the page of one, with what is decided about it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from detection.preset import presets
from detection.registry import family_title
from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.core import downloads
from webapp.core.errors import NotAllowed, UserError
from webapp.experiments.design_input import settings_in_words
from webapp.experiments.selectors import all_runs_ended
from webapp.registry import pages, selectors, services, weights
from webapp.registry.forms import ListForm, StageForm
from webapp.registry.models import RegisteredModel, Stage

A_PAGE = 50
SORTS = {
    "number": "number",
    "name": "name",
    "preset": "preset",
    "dataset": "version__dataset__name",
    "experiment": "run__arm__experiment__number",
    "registered": "registered",
}
SHOWN_APPLICATIONS = 10


def model_or_404(request: HttpRequest, project: Project, number: int) -> RegisteredModel:
    """The model, if the person may see it.

    Raises
    ------
    Http404
    """
    found: RegisteredModel = get_object_or_404(selectors.models_of(request.user, project), number=number)
    return found


@require_safe
@project_page()
def model_list(request: HttpRequest, project: Project) -> HttpResponse:
    """`<project>/models/`: every model, filtered by stage, preset, dataset and experiment."""
    every = selectors.models_of(request.user, project)
    form = ListForm(request.GET)
    form.is_valid()
    asked = {name: value for name, value in form.cleaned_data.items() if value}
    titles = {name: preset.title for name, preset in presets().items()}
    page = Paginator(_sorted(_filtered(every, asked), request.GET.get("sort", "")), A_PAGE).get_page(
        request.GET.get("page")
    )
    return render(
        request,
        "registry/list.html",
        {
            "page": page,
            "rows": [
                {"model": one, "preset": titles.get(one.preset, one.preset), "point": _youden(one)} for one in page
            ],
            "asked": asked,
            "sort": request.GET.get("sort", "-number"),
            "any_model": every.exists(),
            "stages": Stage.choices,
            "presets": [(name, titles.get(name, name)) for name in _distinct(every, "preset")],
            "datasets": sorted(set(every.values_list("version__dataset__slug", "version__dataset__name"))),
            "experiments": _distinct(every, "run__arm__experiment__number"),
            "may_use": pages.may_use(getattr(request, "role", None)),
        },
    )


def _filtered(models: QuerySet[RegisteredModel], asked: dict[str, Any]) -> QuerySet[RegisteredModel]:
    names = {
        "stage": "stage",
        "preset": "preset",
        "dataset": "version__dataset__slug",
        "experiment": "run__arm__experiment__number",
    }
    return models.filter(**{names[name]: value for name, value in asked.items()})


def _sorted(models: QuerySet[RegisteredModel], sort: str) -> QuerySet[RegisteredModel]:
    name = SORTS.get(sort.removeprefix("-"), "number")
    falling = sort.startswith("-") or sort.removeprefix("-") not in SORTS
    return models.order_by(f"-{name}" if falling else name, "-number")


def _distinct(models: QuerySet[RegisteredModel], column: str) -> list[Any]:
    return list(models.order_by(column).values_list(column, flat=True).distinct())


def _youden(model: RegisteredModel) -> dict[str, Any]:
    """The operating point the list shows: Youden's, over views."""
    level = model.operating_points["view"]
    return _point(level, level["points"][0])


def _level(words: str, level: dict[str, Any]) -> dict[str, Any]:
    return level | {"words": words, "points": [_point(level, point) for point in level["points"]]}


def _point(level: dict[str, Any], point: dict[str, Any]) -> dict[str, Any]:
    """An operating point with the n behind each of its ratios, so that few rows are said to be few."""
    rows = {"sensitivity": level["malignant"], "specificity": level["rows"] - level["malignant"]}
    return point | {name: {"value": point[name], "n": n, "reason": point["reason"]} for name, n in rows.items()}


@require_safe
@project_page()
def model(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/models/<number>/`: what it is, what it was trained on, what was decided about it."""
    found = model_or_404(request, project, number)
    return render(request, "registry/model.html", _page(request, found))


def _page(request: HttpRequest, found: RegisteredModel) -> dict[str, Any]:
    assert isinstance(request.user, User)
    experiment = found.run.arm.experiment
    preset = presets().get(found.preset)
    applications = selectors.applications_of(request.user, found.project).filter(model=found)
    return {
        "model": found,
        "stage": Stage(selectors.stage_of(found)),
        "decisions": {one.value: [{"name": "stage", "value": one.value}] for one in Stage},
        "run": found.run,
        "experiment": experiment,
        "preset": preset.title if preset else found.preset,
        "preset_known": preset is not None,
        "configuration": settings_in_words(found.configuration["values"]),
        "family": family_title(found.family),
        "levels": [
            _level("Views", found.operating_points["view"]),
            _level("Patients", found.operating_points["patient"]),
        ],
        "weights_state": weights.state(found),
        "history": found.history.order_by("-pk"),
        "applications": applications[:SHOWN_APPLICATIONS],
        "application_count": applications.count(),
        "results_open": all_runs_ended(experiment),
        "may_use": pages.may_use(getattr(request, "role", None)),
    }


@require_POST
@project_page(permissions.LAUNCH)
def stage(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Promote, retire, or make it a candidate again, with a reason."""
    found = model_or_404(request, project, number)
    assert isinstance(request.user, User)
    form = StageForm(request.POST)
    form.is_valid()
    given = form.cleaned_data
    try:
        entry = services.set_stage(
            actor=request.user, model=found, stage=given.get("stage", ""), reason=given.get("reason", "")
        )
        messages.success(request, f"Model {number} is {entry.get_stage_display().lower()} now.")
    except UserError as error:
        messages.error(request, str(error))
    return redirect("registry:model", project.slug, number)


@require_POST
@project_page(permissions.LAUNCH)
def note(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Add a note."""
    found = model_or_404(request, project, number)
    assert isinstance(request.user, User)
    try:
        services.annotate(actor=request.user, model=found, text=request.POST.get("reason", ""))
        messages.success(request, "The note is kept.")
    except UserError as error:
        messages.error(request, str(error))
    return redirect("registry:model", project.slug, number)


@require_safe
@project_page(permissions.LAUNCH)
def download(request: HttpRequest, project: Project, number: int) -> HttpResponseBase:
    """The weights (safetensors), verified before they leave; who took them is written down."""
    found = model_or_404(request, project, number)
    assert isinstance(request.user, User)
    try:
        path = weights.require_intact(found)
        services.record_download(actor=request.user, model=found)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except UserError as error:
        messages.error(request, str(error))
        return redirect("registry:model", project.slug, number)
    return downloads.download(
        request,
        path.open("rb"),
        filename=f"{project.slug}-model-{number}.safetensors",
        content_type="application/octet-stream",
    )
