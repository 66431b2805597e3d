"""The list of experiments and the page of one."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from detection.configuration import MaskRCNNConfiguration
from detection.evaluation.protocol import Protocol
from detection.preset import differences, presets
from webapp.accounts import permissions
from webapp.accounts.models import Project
from webapp.accounts.project_pages import project_page
from webapp.experiments import selectors
from webapp.experiments.consequences import consequences
from webapp.experiments.design import CONTROL_SENTENCE, ENDPOINTS, TEST_SETS
from webapp.experiments.design_difference import EARLIER, with_experiment
from webapp.experiments.design_input import DesignInput
from webapp.experiments.models import Arm, Experiment
from webapp.jobs.models import JobState

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
                {
                    "row": one,
                    "chip": chip(one),
                    "open": selectors.run_counts(one).open,
                    "endpoint": ENDPOINTS.get(one.primary_endpoint, one.primary_endpoint),
                }
                for one in page
            ],
            "may_launch": permissions.role_may(getattr(request, "role", None), permissions.LAUNCH),
        },
    )


@require_safe
@project_page()
def experiment(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/experiments/<number>/`: the design and its runs; before the launch, what it still needs."""
    found = experiment_or_404(request, project, number)
    may_launch = permissions.role_may(getattr(request, "role", None), permissions.LAUNCH)
    waiting = found.launched_at is None
    arms = [arm_facts(arm) for arm in found.arms.all()]
    return render(
        request,
        "experiments/experiment.html",
        {
            **_runs(found),
            **_question(found),
            "endpoint": ENDPOINTS.get(found.primary_endpoint, found.primary_endpoint),
            "arms": arms,
            "may_launch": may_launch,
            "waiting": waiting,
            "outcome": consequences(DesignInput.of_experiment(found), found.version)
            if waiting and may_launch
            else None,
            **(_difference(request, project, found) if waiting and may_launch else {}),
            "batch": found.batch,
            "control_sentence": CONTROL_SENTENCE if any(arm["control"] for arm in arms) else "",
        },
    )


def _difference(request: HttpRequest, project: Project, found: Experiment) -> dict[str, Any]:
    """The frozen design beside an earlier experiment: the one before it, or that of ``?compare=``."""
    earlier = list(selectors.experiments_of(request.user, project).filter(number__lt=found.number)[:EARLIER])
    if not earlier:
        return {}
    chosen = next((one for one in earlier if str(one.number) == request.GET.get("compare")), earlier[0])
    after = DesignInput.of_experiment(found)
    if found.batch is not None and found.batch != chosen.batch:
        after.values["simulation"] = str(found.batch)
    versions = {str(one.pk): str(one) for one in (found.version, chosen.version)}
    comparison = with_experiment(chosen, after, versions, simulations={})
    return {"earlier": earlier, "compared_with": chosen, "comparison": comparison}


def _question(found: Experiment) -> dict[str, Any]:
    """Comparison and margin, protocol and test sets, in words."""
    arms = {arm.position: arm.name for arm in found.arms.all()}
    compared = found.comparison
    sets = found.version.version_views.filter(split__in=TEST_SETS)
    counted = dict(sets.values_list("split").annotate(patients=Count("patient", distinct=True)))
    return {
        "compared": f"{arms[compared['arm']]} against {arms[compared['reference']]}" if compared else "",
        "margin": found.margin,
        "synthetic_asked": any(arm.ratio_benign or arm.ratio_malignant for arm in found.arms.all()),
        "protocol": Protocol.from_json(found.protocol),
        "test_sets": [(words, counted[split]) for split, words in TEST_SETS.items() if counted.get(split)],
    }


@require_safe
@project_page()
def runs(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """The table of runs anew, when a job has ended."""
    return render(request, "experiments/_runs.html", _runs(experiment_or_404(request, project, number)))


def _runs(found: Experiment) -> dict[str, Any]:
    counts = selectors.run_counts(found)
    return {
        "experiment": found,
        "chip": chip(found),
        "runs": [run for arm in found.arms.all() for run in arm.runs.all()],
        "waits_for": [
            batch.job
            for batch in (found.batch, found.control_batch)
            if batch is not None and batch.job is not None and batch.job.state != JobState.DONE
        ],
        "ended": counts.ended,
        "open": counts.open,
    }


def chip(found: Experiment) -> dict[str, str]:
    """State of an experiment as a whole."""
    if found.launched_at is None:
        return {"state": "waiting", "label": "Not launched"}
    counts = selectors.run_counts(found)
    words = f"{counts.done} of {counts.total} runs"
    if not counts.open:
        started = counts.running or counts.ended
        return {"state": "running" if started else "queued", "label": f"{'Running' if started else 'Waiting'}, {words}"}
    if counts.done == counts.total:
        return {"state": "done", "label": f"Complete, {words}"}
    return {"state": "warning", "label": f"Ended, {words} complete"}


def amount_in_words(amount: dict[str, Any]) -> str:
    """What a training amounts to, as the run recorded it."""
    return f"{amount['steps']} steps, {amount['images']} images shown, {amount['passes']:.3g} passes over the set"


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
        "control": arm.synthetic_source == Arm.Source.CONTROL,
        "synthetic": _synthetic_words(arm),
        "fields": len(arm.configuration["values"]),
    }


def _synthetic_words(arm: Arm) -> str:
    """What became of the cases the arm asked for; empty until it has trained."""
    parts = [
        f"{entry['used']} of {entry['asked']} {malignancy}"
        + (f", {entry['rejected']} rejected" if entry["rejected"] else "")
        + (f", {entry['unmade']} that no host accepts" if entry["unmade"] else "")
        for malignancy, entry in arm.synthetic_record.items()
        if entry["asked"]
    ]
    return "; ".join(parts)
