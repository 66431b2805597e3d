"""Further pages of results: levels, calibration, outlines."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from detection.evaluation.protocol import Protocol
from webapp.accounts.models import Project
from webapp.accounts.project_pages import project_page
from webapp.experiments.models import Experiment
from webapp.results import calibration, calibration_figures, levels, outlines, selectors
from webapp.results.cases import cases_address
from webapp.results.curves import COLOURS
from webapp.results.opening import open_part, tabs


@require_safe
@project_page()
def level_page(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/results/<number>/levels/?group=`: numbers per image, breast, patient and lesion."""
    found = open_part(request, project, number, "levels")
    if isinstance(found, HttpResponse):
        return found
    group = _group(request)
    return render(
        request,
        "results/levels.html",
        {
            **_shared(found, project, "levels", group),
            "columns": [words for words, _ in levels.COLUMNS.values()],
            "rules": levels.rules(Protocol.from_json(found.protocol)),
            "panels": levels.panels(found, group, cases_address(project, number)),
            "both_ways": levels.both_ways(found, group, cases_address(project, number)),
        },
    )


@require_safe
@project_page()
def calibration_page(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/results/<number>/calibration/?what=`: reliability and net benefit."""
    found = open_part(request, project, number, "calibration")
    if isinstance(found, HttpResponse):
        return found
    what = request.GET.get("what", "finding")
    if what not in calibration.WHAT:
        raise Http404("Nothing of that name is read as a probability.")
    return render(
        request,
        "results/calibration.html",
        {
            **_shared(found, project, "calibration", "malignant"),
            "choices": [
                {"label": label, "url": f"?what={key}", "active": key == what}
                for key, label in calibration.WHAT.items()
            ],
            "what_words": calibration.WHAT[what],
            "sentence": calibration.SENTENCES[what],
            "panels": calibration_figures.panels(found, what, cases_address(project, number)),
        },
    )


@require_safe
@project_page()
def outline_page(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/results/<number>/outlines/?group=`: Dice of the found lesions."""
    found = open_part(request, project, number, "outlines")
    if isinstance(found, HttpResponse):
        return found
    group = _group(request)
    return render(
        request,
        "results/outlines.html",
        {**_shared(found, project, "outlines", group), "panels": outlines.panels(found, group, project)},
    )


def _group(request: HttpRequest) -> str:
    group = request.GET.get("group", "malignant")
    if group not in selectors.GROUPS:
        raise Http404("No such group of lesions.")
    return group


def _shared(found: Experiment, project: Project, page: str, group: str) -> dict[str, Any]:
    """What every page with a choice of lesions shows."""
    return {
        "experiment": found,
        "tabs": tabs(project, found.number, page),
        "groups": [
            {"label": label, "url": f"?group={key}", "active": key == group} for key, label in selectors.GROUPS.items()
        ],
        "group_words": selectors.GROUPS[group],
        "protocol": Protocol.from_json(found.protocol),
        "arms": [(arm, arm.position % COLOURS + 1) for arm in found.arms.all()],
    }
