"""Curves of the arms and the score threshold that recomputes every test set."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from detection.evaluation.protocol import Protocol
from webapp.accounts.models import Project
from webapp.accounts.project_pages import project_page
from webapp.core.errors import UserError
from webapp.experiments.models import Experiment
from webapp.results import cases, curves, selectors, thresholds
from webapp.results.forms import ThresholdForm
from webapp.results.opening import open_part, tabs

FIRST_CASES = 10
"""Cases shown below the slider; a link opens the rest."""
LISTS = {
    "missed": ("sensitivity", "Missed lesions"),
    "found": ("sensitivity", "Found lesions"),
    "wrong": ("precision", "False findings"),
    "right": ("precision", "Right findings"),
}
"""What may be listed below the slider: outcome → measure and words."""


@require_safe
@project_page()
def curve_page(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/results/<number>/curves/?group=`: curves and slider; part of the look at the results."""
    found = open_part(request, project, number, "curves")
    if isinstance(found, HttpResponse):
        return found
    group = request.GET.get("group", "malignant")
    if group not in selectors.GROUPS:
        raise Http404("No such group of lesions.")
    protocol = Protocol.from_json(found.protocol)
    address = cases.cases_address(project, number)
    runs = [run for arm in found.arms.all() for run in arm.runs.all()]
    slider = slider_counts(found, group)
    return render(
        request,
        "results/curves.html",
        {
            "experiment": found,
            "tabs": tabs(project, number, "curves"),
            "groups": [
                {"label": label, "url": f"?group={key}", "active": key == group}
                for key, label in selectors.GROUPS.items()
            ],
            "group": group,
            "group_words": selectors.GROUPS[group],
            "panels": curves.panels(found, group, address),
            "protocol": protocol,
            "figures_of_merit": curves.MERITS,
            "slider": slider,
            "start": round(protocol.score_above * thresholds.STEPS),
            "last": thresholds.STEPS - 1,
            "steps": thresholds.STEPS,
            "floor": thresholds.floor(runs),
            "points": chosen_points(found) if slider["runs"] else [],
            "lists": {outcome: words for outcome, (_, words) in LISTS.items()},
            "all_cases_url": reverse("results:cases", args=[project.slug, number]),
            "cases_url": reverse("results:threshold", args=[project.slug, number]),
            "test_sets": {one: selectors.TEST_SETS[one] for one in selectors.present_test_sets(found)},
            "single_seed": len(found.seeds) == 1,
        },
    )


def slider_counts(found: Experiment, group: str) -> dict[str, Any]:
    """Counts of every run and test set, as the script reads them, and what has none."""
    evaluations = selectors.evaluations(found)
    runs: list[dict[str, Any]] = []
    reasons: list[str] = []
    for arm in found.arms.all():
        for run in arm.runs.all():
            sets = {}
            for test_set, words in selectors.TEST_SETS.items():
                evaluation = evaluations.get((run.pk, test_set))
                if evaluation is None:
                    continue
                counted = thresholds.counts(evaluation, group)
                if "reason" in counted:
                    reasons.append(f"{run}, {words}: {counted['reason']}")
                else:
                    sets[test_set] = counted
            if sets:
                runs.append({"id": run.pk, "name": str(run), "sets": sets})
    return {"steps": thresholds.STEPS, "runs": runs, "reasons": reasons}


def chosen_points(found: Experiment) -> list[dict[str, Any]]:
    """Operating points chosen on validation views, by run."""
    return [
        {"run": run, "point": point}
        for arm in found.arms.all()
        for run in arm.runs.all()
        if run.state == "done"
        for point in thresholds.operating_points(run)
    ]


@require_safe
@project_page()
def threshold_cases(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/results/<number>/threshold/?step=&run=&test_set=&group=&outcome=`: the first cases at a threshold."""
    found = open_part(request, project, number, "threshold")
    if isinstance(found, HttpResponse):
        return found
    form = ThresholdForm(request.GET)
    if not form.is_valid():
        raise Http404("The address names no threshold of these results.")
    asked = form.cleaned_data
    evaluation = selectors.evaluations(found).get((asked["run"], asked["test_set"]))
    if evaluation is None:
        raise Http404("This run was not evaluated on this test set.")
    measure, words = LISTS[asked["outcome"]]
    score = asked["step"] / thresholds.STEPS
    try:
        total, listed = thresholds.first_cases(
            project, evaluation, measure, asked["group"], asked["outcome"], score, FIRST_CASES
        )
    except UserError as error:
        return HttpResponse(str(error), status=409, content_type="text/plain; charset=utf-8")
    row = curves.Evaluated(evaluation.run, asked["test_set"], asked["group"])
    address = cases.cases_address(project, number)
    return render(
        request,
        "results/_threshold_cases.html",
        {
            "run": evaluation.run,
            "words": words,
            "test_set": selectors.TEST_SETS[asked["test_set"]],
            "score": score,
            "cases": listed,
            "total": total,
            "all_url": address(row, measure, asked["outcome"], score=f"{score:.3f}"),
        },
    )
