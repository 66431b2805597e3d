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
from webapp.results import cases, curves, level_thresholds, levels, selectors, thresholds
from webapp.results.forms import SliderForm, ThresholdForm
from webapp.results.listed import walk
from webapp.results.opening import open_part, tabs

FIRST_CASES = 10
"""Cases shown below the slider; a link opens the rest."""
LISTS = {
    "missed": ("sensitivity", "Missed lesions"),
    "found": ("sensitivity", "Found lesions"),
    "wrong": ("precision", "False findings"),
    "right": ("precision", "Right findings"),
}
"""What may be listed below the slider for lesions on a view: outcome → measure and words."""
UNIT_LISTS = {
    "fn": "Missed: malignant, not called so",
    "tp": "Found: malignant, called so",
    "fp": "False: called malignant, is not",
    "tn": "Right: not malignant, not called so",
}
"""What may be listed for images, breasts or patients."""


@require_safe
@project_page()
def curve_page(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/results/<number>/curves/?group=&level=&step=`: curves and slider; part of the look at the results.

    `level` is that of the slider (absent: lesion on a view), `step` where it stands.
    """
    found = open_part(request, project, number, "curves")
    if isinstance(found, HttpResponse):
        return found
    group = request.GET.get("group", "malignant")
    if group not in selectors.GROUPS:
        raise Http404("No such group of lesions.")
    protocol = Protocol.from_json(found.protocol)
    address = cases.cases_address(project, number)
    runs = [run for arm in found.arms.all() for run in arm.runs.all()]
    placed = SliderForm(request.GET)
    if not placed.is_valid():
        raise Http404("The address names no level or threshold.")
    level, step = placed.cleaned_data["level"], placed.cleaned_data["step"]
    slider = slider_counts(found, group, level)
    at_protocol = round(protocol.score_above * thresholds.STEPS)
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
            "most_points": curves.MOST_POINTS,
            "slider": slider,
            "level": level,
            "levels": _levels(group, level),
            "at_protocol": at_protocol,
            "start": at_protocol if step is None else step,
            "last": thresholds.STEPS - 1,
            "steps": thresholds.STEPS,
            "floor": thresholds.floor(runs),
            "points": chosen_points(found) if slider["runs"] else [],
            "lists": UNIT_LISTS if level else {outcome: words for outcome, (_, words) in LISTS.items()},
            "all_cases_url": reverse("results:cases", args=[project.slug, number]),
            "cases_url": reverse("results:threshold", args=[project.slug, number]),
            "test_sets": {one: selectors.TEST_SETS[one] for one in selectors.present_test_sets(found)},
            "single_seed": len(found.seeds) == 1,
        },
    )


def _levels(group: str, chosen: str) -> list[dict[str, Any]]:
    """What the slider may count, each with its address."""
    options = [{"label": "Lesion on a view", "url": f"?group={group}#threshold", "active": not chosen}]
    for level in level_thresholds.LEVELS:
        url = f"?group={group}&level={level}#threshold"
        options.append({"label": levels.LEVELS[level], "url": url, "active": level == chosen})
    return options


def slider_counts(found: Experiment, group: str, level: str = "") -> dict[str, Any]:
    """Counts of every run and test set at a level, as the script reads them, and what has none."""
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
                counted = (
                    level_thresholds.counts(evaluation, level, group) if level else thresholds.counts(evaluation, group)
                )
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
    """`<project>/results/<number>/threshold/?step=&run=&test_set=&group=&level=&outcome=`: the first cases there."""
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
    score, level = asked["step"] / thresholds.STEPS, asked["level"]
    measure, words = ("views", UNIT_LISTS[asked["outcome"]]) if level else LISTS[asked["outcome"]]
    try:
        total, shown = (
            levels.first_cases(project, evaluation, level, asked["group"], asked["outcome"], score, FIRST_CASES)
            if level
            else thresholds.first_cases(
                project, evaluation, measure, asked["group"], asked["outcome"], score, FIRST_CASES
            )
        )
    except UserError as error:
        return HttpResponse(str(error), status=409, content_type="text/plain; charset=utf-8")
    row = curves.Evaluated(evaluation.run, asked["test_set"], asked["group"])
    narrowed = {"score": f"{score:.3f}"} | ({"level": level} if level else {})
    all_url = cases.cases_address(project, number)(row, measure, asked["outcome"], **narrowed)
    return render(
        request,
        "results/_threshold_cases.html",
        {
            "run": evaluation.run,
            "words": words,
            "unit": level,
            "test_set": selectors.TEST_SETS[asked["test_set"]],
            "score": score,
            "cases": shown,
            "total": total,
            "all_url": all_url,
            "walk": walk(number, all_url.partition("?")[2]),
        },
    )
