"""The page that sets runs side by side."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from detection.evaluation.protocol import Protocol
from webapp.accounts.models import Project
from webapp.accounts.project_pages import project_page
from webapp.experiments import selectors
from webapp.experiments.models import Run
from webapp.experiments.run_comparison import PALETTE, compare_runs, curves, measured_curves, why_not_measured_alike
from webapp.experiments.validation_numbers import basis

OFFERED = 100
"""Newest runs to choose from."""
MARKS = (
    "M5 1a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
    "M1.5 1.5h7v7h-7z",
    "m5 .5 4.500 4.500L5 9.500.500 5z",
    "m5 1 4.500 8h-9z",
    "M3.500.500h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
    "M2.5.5 5 3 7.5.5l2 2L7 5l2.5 2.5-2 2L5 7 2.5 9.5l-2-2L3 5 .5 2.500z",
)
"""Outlines of the chart's markers, in a box of 10, by the place of the run."""
_ADDRESS = re.compile(r"(\d{1,9})-(\d{1,4})-(\d{1,10})", re.ASCII)


@require_safe
@project_page()
def compare(request: HttpRequest, project: Project) -> HttpResponse:
    """`<project>/experiments/compare/?run=7-0-0&run=7-1-0`: what differs between runs.

    A run is named by experiment, position of the arm, and seed. Unknown ones are passed over.
    """
    offered = list(
        selectors.runs_of(request.user, project).order_by("-arm__experiment__number", "arm__position", "seed")[:OFFERED]
    )
    asked = list(dict.fromkeys(filter(None, request.GET.getlist("run"))))
    runs = _asked(request, project, asked)
    chosen = runs[:PALETTE]
    words = [_words(run, chosen) for run in chosen]
    context: dict[str, Any] = {
        "columns": [
            {
                "run": run,
                "words": name,
                "mark": mark,
                "address": _address(run),
                "others": [_address(one) for one in chosen if one != run],
            }
            for run, name, mark in zip(chosen, words, MARKS, strict=False)
        ],
        "offered": [(_address(run), str(run.arm.experiment), str(run)) for run in offered if run not in chosen],
        "too_many": len(runs) > PALETTE,
        "most": PALETTE,
        "unknown": len(asked) - len(runs),
    }
    if len(chosen) > 1:
        refused = why_not_measured_alike(chosen)
        context |= {
            "comparison": compare_runs(chosen),
            "figure": curves(chosen, words),
            "measured_refused": refused,
            "measured": [] if refused else measured_curves(chosen, words),
            "basis": None if refused else basis(chosen[0].arm.experiment.version),
            "matching": Protocol.from_json(chosen[0].arm.experiment.protocol).matching_words(),
        }
    return render(request, "experiments/compare.html", context)


def _asked(request: HttpRequest, project: Project, addresses: list[str]) -> list[Run]:
    """Runs in the order asked for, those that this person may see."""
    visible = selectors.runs_of(request.user, project).select_related("arm__experiment__batch")
    found = []
    for address in addresses[: 2 * PALETTE]:
        named = _ADDRESS.fullmatch(address)
        if named is None:
            continue
        number, arm, seed = map(int, named.groups())
        run = visible.filter(arm__experiment__number=number, arm__position=arm, seed=seed).first()
        if run is not None:
            found.append(run)
    return found


def _address(run: Run) -> str:
    return f"{run.arm.experiment.number}-{run.arm.position}-{run.seed}"


def _words(run: Run, chosen: list[Run]) -> str:
    """Short name of a run; with its experiment where the runs are of several."""
    several = len({one.arm.experiment_id for one in chosen}) > 1
    return f"{run.arm.experiment.number}: {run}" if several else str(run)
