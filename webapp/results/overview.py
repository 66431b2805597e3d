"""The experiments of a project beside each other: what each asked, what came out, how often it was looked at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Max
from django.urls import reverse

from webapp.accounts.models import Project
from webapp.experiments import selectors as experiments
from webapp.experiments.design import ENDPOINTS
from webapp.experiments.models import Experiment, Run
from webapp.experiments.views import chip
from webapp.results import selectors
from webapp.results.cases import OPEN, cases_address
from webapp.results.comparison_figure import words_of
from webapp.results.curves import Evaluated
from webapp.results.verdict import Verdict, verdict

COLOURS = {"sensitivity": "role:s1", "precision": "role:s2", "auc": "role:s3"}
SYMBOLS = {"sensitivity": "circle", "precision": "square", "auc": "diamond"}


def entries(shown: Iterable[Experiment], project: Project) -> list[dict[str, Any]]:
    """One entry an experiment, in the order given.

    Numbers stand only where someone has opened the results before, as on the project home: an overview opens no test
    set by itself, and counts no look.

    Returns
    -------
    list of dict
        ``{"experiment", "url", "cases_url", "chip", "open", "why_locked", "endpoint", "looks", "verdict", "size",
        "ended"}``; ``verdict`` None where nothing is shown, and ``cases_url`` empty where nothing was compared.
    """
    return [_entry(one, project) for one in shown]


def _entry(one: Experiment, project: Project) -> dict[str, Any]:
    counts, looks = experiments.run_counts(one), selectors.looks(one)
    opened = counts.open and any(looks.values())
    test_set = one.primary_endpoint.split(":")[2]
    answer = verdict(one) if opened else None
    return {
        "experiment": one,
        "url": reverse("results:experiment", args=[project.slug, one.number]),
        "cases_url": _cases(one, project, answer) if answer is not None else "",
        "chip": chip(one),
        "open": counts.open,
        "why_locked": _why_locked(counts),
        "endpoint": ENDPOINTS.get(one.primary_endpoint, one.primary_endpoint),
        "looks": {selectors.TEST_SETS[key]: count for key, count in looks.items()},
        "verdict": answer,
        "size": _size(one, test_set) if opened else None,
        "ended": Run.objects.filter(arm__experiment=one).aggregate(last=Max("ended"))["last"] if counts.open else None,
    }


def _cases(one: Experiment, project: Project, answer: Verdict) -> str:
    """Cases behind the declared difference: of the first seed that was compared."""
    compared = next((seed for seed, value in answer.seeds if value is not None), None)
    if compared is None or answer.arm is None or answer.reference is None:
        return ""
    run, other = (next(run for run in arm.runs.all() if run.seed == compared) for arm in (answer.arm, answer.reference))
    beside = {"against": other.pk} if answer.measure == "sensitivity" else {}
    row = Evaluated(run, answer.test_set, answer.group)
    return cases_address(project, one.number)(row, answer.measure, **beside, **OPEN)


def _why_locked(counts: experiments.RunCounts) -> str:
    if counts.open:
        return ""
    if not counts.total:
        return "Not launched."
    return f"{counts.ended} of {counts.total} runs have ended; it opens with the last."


def _size(one: Experiment, test_set: str) -> dict[str, Any] | None:
    """Views and patients of the test set of the primary endpoint."""
    facts = [selectors.short(found) for (_, of), found in selectors.evaluations(one).items() if of == test_set]
    return {"images": facts[0]["images"], "patients": facts[0]["patients"]} if facts else None


def forest(listed: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Differences of the primary endpoints with intervals, one line an experiment; None where there is none to draw.

    Returns
    -------
    dict
        ``{"figure", "height", "left_out"}``.
    """
    drawn = [one for one in listed if one["verdict"] is not None and one["verdict"].answer != "undefined"]
    if not drawn:
        return None
    ends = [abs(one["verdict"].interval[end]) for one in drawn for end in ("low", "high")]
    limit = min(1.02, max(ends) + 0.05)
    traces = []
    for measure, label in selectors.MEASURES.items():
        members = [(place, one) for place, one in enumerate(drawn) if one["verdict"].measure == measure]
        if not members:
            continue
        intervals = [one["verdict"].interval for _, one in members]
        external = [one["verdict"].test_set == "external_test" for _, one in members]
        traces.append(
            {
                "name": label,
                "legendgroup": measure,
                "mode": "markers",
                "x": [one["value"] for one in intervals],
                "y": [place for place, _ in members],
                "marker": {
                    "color": COLOURS[measure],
                    "symbol": [SYMBOLS[measure] + ("-open" if outside else "") for outside in external],
                    "size": 9,
                    "line": {"color": COLOURS[measure], "width": 1.6},
                },
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [one["high"] - one["value"] for one in intervals],
                    "arrayminus": [one["value"] - one["low"] for one in intervals],
                    "color": COLOURS[measure],
                    "thickness": 1,
                    "width": 0,
                },
                "customdata": [
                    {"text": _said(one["experiment"], one["verdict"]), "url": one["cases_url"]} for _, one in members
                ],
                "hovertemplate": "%{customdata.text}<extra></extra>",
            }
        )
    return {
        "figure": {
            "data": traces,
            "layout": {
                "xaxis": {
                    "range": [-limit, limit],
                    "title": {"text": "difference"},
                    "showgrid": True,
                    "zeroline": True,
                    "zerolinewidth": 1.5,
                    "zerolinecolor": "role:axis",
                },
                "yaxis": {
                    "tickmode": "array",
                    "tickvals": list(range(len(drawn))),
                    "ticktext": [f"{one['experiment'].number}. {one['experiment'].name[:32]}" for one in drawn],
                    "range": [len(drawn) - 0.5, -0.5],
                    "zeroline": False,
                },
            },
        },
        "height": 90 + 34 * len(drawn),
        "left_out": [
            f"{one['experiment'].number}. {one['experiment'].name}: {one['verdict'].came_out}"
            for one in listed
            if one["verdict"] is not None and one["verdict"].answer == "undefined"
        ],
    }


def _said(one: Experiment, found: Verdict) -> str:
    words = ENDPOINTS.get(one.primary_endpoint, one.primary_endpoint)
    return f"Experiment {one.number}, {one.name}: {words}: {words_of(found.interval)}. {found.chip[1]}"
