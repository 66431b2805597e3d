"""The list of experiments and the page of one."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from detection.configuration import MaskRCNNConfiguration, differences, presets
from webapp.accounts import permissions
from webapp.accounts.models import Project
from webapp.accounts.project_pages import project_page
from webapp.experiments import selectors
from webapp.experiments.design import ENDPOINTS
from webapp.experiments.models import Arm, Experiment, RunState

A_PAGE = 50


def experiment_or_404(request: HttpRequest, project: Project, number: int) -> Experiment:
    """The experiment with arms and runs, if the person may see it.

    Raises
    ------
    Http404
    """
    found = selectors.with_arms(selectors.experiments_of(request.user, project)).filter(number=number).first()
    if found is None:
        raise Http404("No such experiment.")
    return found


@require_safe
@project_page()
def experiment_list(request: HttpRequest, project: Project) -> HttpResponse:
    """`<project>/experiments/`."""
    found = selectors.with_arms(selectors.experiments_of(request.user, project))
    page = Paginator(found, A_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "experiments/list.html",
        {
            "page": page,
            "experiments": [
                {"row": one, "chip": chip(one), "endpoint": ENDPOINTS.get(one.primary_endpoint, one.primary_endpoint)}
                for one in page
            ],
            "may_launch": permissions.role_may(getattr(request, "role", None), permissions.LAUNCH),
        },
    )


@require_safe
@project_page()
def experiment(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/experiments/<number>/`: the design and its runs."""
    found = experiment_or_404(request, project, number)
    return render(
        request,
        "experiments/experiment.html",
        {
            **_runs(found),
            "endpoint": ENDPOINTS.get(found.primary_endpoint, found.primary_endpoint),
            "arms": [arm_facts(arm) for arm in found.arms.all()],
            "may_launch": permissions.role_may(getattr(request, "role", None), permissions.LAUNCH),
            "batch": found.batch,
        },
    )


@require_safe
@project_page()
def runs(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """The table of runs anew, when a job has ended."""
    return render(request, "experiments/_runs.html", _runs(experiment_or_404(request, project, number)))


def _runs(found: Experiment) -> dict[str, Any]:
    rows = [run for arm in found.arms.all() for run in arm.runs.all()]
    return {
        "experiment": found,
        "chip": chip(found),
        "runs": rows,
        "ended": sum(run.state in selectors.ENDED for run in rows),
        "open": all(run.state in selectors.ENDED for run in rows),
    }


def chip(found: Experiment) -> dict[str, str]:
    """State of an experiment as a whole, from the counts of `selectors.experiments_of`."""
    total, done = found.run_count, found.runs_done  # type: ignore[attr-defined]
    words = f"{done} of {total} runs"
    if found.runs_ended < total:  # type: ignore[attr-defined]
        state = RunState.RUNNING if found.runs_running or found.runs_ended else RunState.QUEUED  # type: ignore[attr-defined]
        return {"state": state.value, "label": f"{state.label if state != 'queued' else 'Waiting'}, {words}"}
    if done == total:
        return {"state": "done", "label": f"Complete, {words}"}
    return {"state": "warning", "label": f"Ended, {words} complete"}


def arm_facts(arm: Arm) -> dict[str, Any]:
    """An arm with its ratios in percent and its differences from the preset."""
    preset = presets().get(arm.preset)
    found = differences(preset, MaskRCNNConfiguration.from_dict(arm.configuration)) if preset else []
    return {
        "arm": arm,
        "preset": preset.title if preset else arm.preset,
        "differences": found,
        "benign": f"{100 * arm.ratio_benign:g} %",
        "malignant": f"{100 * arm.ratio_malignant:g} %",
        "fields": len(arm.configuration["values"]),
    }
