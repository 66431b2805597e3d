"""Why lesions were missed, and sensitivity in subgroups."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from detection.evaluation.protocol import Protocol
from webapp.accounts.models import Project
from webapp.accounts.project_pages import project_page
from webapp.results import failures, selectors, subgroups
from webapp.results.cases import cases_address
from webapp.results.opening import open_part, tabs


@require_safe
@project_page()
def failure_page(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/results/<number>/failures/?group=`: reasons of misses, and subgroups; part of the look."""
    found = open_part(request, project, number, "failures")
    if isinstance(found, HttpResponse):
        return found
    group = request.GET.get("group", "malignant")
    if group not in selectors.GROUPS:
        raise Http404("No such group of lesions.")
    return render(
        request,
        "results/failures.html",
        {
            "experiment": found,
            "tabs": tabs(project, number, "failures"),
            "groups": [
                {"label": label, "url": f"?group={key}", "active": key == group}
                for key, label in selectors.GROUPS.items()
            ],
            "group_words": selectors.GROUPS[group],
            "protocol": Protocol.from_json(found.protocol),
            "outcomes": [(outcome, colour.removeprefix("role:s")) for outcome, colour in failures.COLOURS.items()],
            "panels": failures.breakdown(found, group, cases_address(project, number)),
            "subgroups": subgroups.subgroups(found, group, cases_address(project, number)),
        },
    )
