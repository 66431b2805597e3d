"""What every page of results does first: find the experiment, keep the lock, write the opening down."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from webapp.accounts.models import Project, User
from webapp.core import registry
from webapp.experiments import selectors as experiments
from webapp.experiments.models import Experiment
from webapp.results import selectors, services

TABS = {
    "experiment": "Numbers and differences",
    "levels": "Levels",
    "curves": "Curves and threshold",
    "calibration": "Calibration",
    "outlines": "Outlines",
    "failures": "Misses and subgroups",
    "report": "Report",
}
"""Pages of one experiment: name of the address → words."""


def experiment_or_404(request: HttpRequest, project: Project, number: int) -> Experiment:
    """The experiment, as far as this person may see it."""
    found = selectors.experiments_with_results(request.user, project).filter(number=number).first()
    if found is None:
        raise Http404("No such experiment.")
    return found


def locked(request: HttpRequest, found: Experiment) -> HttpResponse:
    """What stands in place of results while runs are open."""
    left = [
        run.job.seconds_left for arm in found.arms.all() for run in arm.runs.all() if run.job and run.job.seconds_left
    ]
    counts = experiments.run_counts(found)
    return render(
        request,
        "results/locked.html",
        {"experiment": found, "seconds_left": max(left, default=None), "counts": counts},
    )


def open_part(request: HttpRequest, project: Project, number: int, part: str) -> Experiment | HttpResponse:
    """The experiment for a further page of results, or the page that says it is locked.

    A further page belongs to the look that opened the results; a person who comes here first is counted here.
    """
    assert isinstance(request.user, User)
    found = experiment_or_404(request, project, number)
    if not experiments.all_runs_ended(found):
        return locked(request, found)
    services.record_part(actor=request.user, experiment=found, part=part)
    return found


def tabs(project: Project, number: int, active: str) -> list[dict[str, object]]:
    """Links between the pages of one experiment."""
    return [
        {"label": label, "url": reverse(f"results:{name}", args=[project.slug, number]), "active": name == active}
        for name, label in TABS.items()
    ]


def actions(request: Any, project: Project, query: str) -> list[dict[str, str]]:
    """What apps above offer for the cases behind a number; `query` is that of the list of cases."""
    return [
        {
            "label": one.label,
            "icon": one.icon,
            "url": f"{reverse(one.url_name, args=[project.slug])}?{query}",
        }
        for one in registry.result_actions.values()
        if one.visible(request.role)
    ]
