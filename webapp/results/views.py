"""The dashboard of an experiment: locked until every run has ended, each opening counted."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from detection.evaluation.protocol import Protocol
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.core.downloads import written
from webapp.core.errors import UserError
from webapp.experiments import selectors as experiments
from webapp.experiments.design import CONTROL_SENTENCE, ENDPOINTS
from webapp.experiments.models import Experiment
from webapp.experiments.views import chip
from webapp.results import cases as behind
from webapp.results import (
    comparison_figure,
    curves,
    exports,
    figures,
    overview,
    selectors,
    services,
    subgroups,
)
from webapp.results.comparison import changes_table, compare
from webapp.results.listed import listed
from webapp.results.opening import actions, experiment_or_404, locked, tabs
from webapp.results.training_amount import unequal_steps
from webapp.results.verdict import verdict

A_PAGE = 50
EXPERIMENTS_A_PAGE = 20


@require_safe
@project_page()
def result_list(request: HttpRequest, project: Project) -> HttpResponse:
    """`<project>/results/`: what each experiment asked and what came out, as far as someone has opened it; no look."""
    page = Paginator(selectors.experiments_with_results(request.user, project), EXPERIMENTS_A_PAGE).get_page(
        request.GET.get("page")
    )
    entries = overview.entries(page, project)
    return render(request, "results/list.html", {"page": page, "entries": entries, "forest": overview.forest(entries)})


@require_safe
@project_page()
def experiment(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/results/<number>/`: figures and table; counts one look on each test set shown."""
    assert isinstance(request.user, User)
    found = experiment_or_404(request, project, number)
    if not experiments.all_runs_ended(found):
        return locked(request, found)
    services.record_look(actor=request.user, experiment=found, test_sets=selectors.present_test_sets(found))
    rows = selectors.rows(found)
    address = behind.cases_address(project, number)
    misses = _misses(rows, address)
    protocol = Protocol.from_json(found.protocol)
    compared = compare(found)
    return render(
        request,
        "results/experiment.html",
        {
            "experiment": found,
            "chip": chip(found),
            "panels": figures.panels(found, rows, address),
            "tables": _tables(found, rows, address),
            "endpoint": _endpoint(found, rows, address),
            "protocol": protocol,
            "groups": selectors.GROUPS,
            "looks": {selectors.TEST_SETS[test_set]: count for test_set, count in selectors.looks(found).items()},
            "control_sentence": CONTROL_SENTENCE if found.control_batch_id else "",
            "single_seed": len(found.seeds) == 1,
            "external": "external_test" in selectors.present_test_sets(found),
            "unequal_steps": unequal_steps(found),
            "warnings": _warnings(found),
            "misses": misses,
            "miss_actions": actions(request, project, misses["url"].partition("?")[2]) if misses else [],
            "tabs": tabs(project, number, "experiment"),
            "export_tables": exports.TABLES.values(),
            "verdict": verdict(found),
            "refusals": _refusals(found),
            "comparison": compared,
            "differences": {
                "primary": [(row, address(row, row.measure, **row.beside)) for row in compared.primary],
                "exploratory": [(row, address(row, row.measure, **row.beside)) for row in compared.exploratory],
            },
            "forests": comparison_figure.forests(compared, address) if compared.rows else [],
            "changes": changes_table(compared, address),
            "models": selectors.models_of_runs(request.user, found),
        },
    )


def _tables(found: Experiment, rows: list[selectors.Row], address: Any) -> list[dict[str, Any]]:
    """The rows in blocks of test set and group, each number with the address of its cases."""
    sizes = {}
    for (_, test_set), one in selectors.evaluations(found).items():
        facts = selectors.short(one)
        sizes[test_set] = {
            "images": facts["images"],
            "patients": facts["patients"],
            "digest": facts["test_set_digest"],
        }
    blocks: dict[tuple[str, str], dict[str, Any]] = {}
    by_arm: dict[tuple[str, str, int], list[selectors.Row]] = {}
    for row in rows:
        by_arm.setdefault((row.test_set, row.group, row.arm.pk), []).append(row)
    for row in rows:
        seeds = by_arm[row.test_set, row.group, row.arm.pk]
        block = blocks.setdefault(
            (row.test_set, row.group),
            {
                "test_set": row.test_set_words,
                "group": row.group,
                "label": row.group_words,
                "size": sizes.get(row.test_set),
                "rows": [],
            },
        )
        block["rows"].append(
            {
                "row": row,
                "ratio": selectors.ratio_words(row.arm),
                "numbers": [(row.numbers[measure], address(row, measure)) for measure in selectors.MEASURES],
                "spread": [
                    (words, curves.spread([seed.numbers[measure] for seed in seeds]))
                    for measure, words in selectors.MEASURES.items()
                    if row is seeds[0] and len(seeds) > 1
                ],
                "missed": _missed(row),
                "missed_url": address(row, "sensitivity", "missed"),
            }
        )
    return list(blocks.values())


def _endpoint(found: Experiment, rows: list[selectors.Row], address: Any) -> dict[str, Any]:
    """The primary endpoint with its value in every arm and seed."""
    measure, group, test_set = found.primary_endpoint.split(":")
    return {
        "words": ENDPOINTS.get(found.primary_endpoint, found.primary_endpoint),
        "values": [
            {"arm": row.arm.name, "seed": row.run.seed, "number": row.numbers[measure], "url": address(row, measure)}
            for row in rows
            if row.group == group and row.test_set == test_set
        ],
    }


def _refusals(found: Experiment) -> list[str]:
    """Runs whose numbers do not stand beside the others, each with the reason."""
    reasons = selectors.refused(found)
    return [
        f"Not shown beside the others: {run}, {selectors.TEST_SETS[test_set]}. {reasons[run.pk, test_set]}"
        for arm in found.arms.all()
        for run in arm.runs.all()
        for test_set in selectors.TEST_SETS
        if (run.pk, test_set) in reasons
    ]


def _warnings(found: Experiment) -> list[str]:
    messages = []
    for (_, test_set), one in selectors.evaluations(found).items():
        for text in selectors.short(one)["warnings"]:
            message = f"{one.run.arm.name}, seed {one.run.seed}, {selectors.TEST_SETS[test_set]}: {text}"
            if message not in messages:
                messages.append(message)
    return messages


def _misses(rows: list[selectors.Row], address: Any) -> dict[str, Any] | None:
    """Missed malignant lesions of the last arm on the internal test: where a review starts."""
    chosen = [row for row in rows if row.group == "malignant" and row.test_set == "internal_test"]
    if not chosen:
        return None
    missed = _missed(chosen[-1])
    if missed is None:
        return None
    return {
        "count": missed,
        "url": address(chosen[-1], "sensitivity", "missed"),
        "words": f"{chosen[-1].run}, {chosen[-1].test_set_words}: malignant lesions on a view that the protocol misses",
    }


def _missed(row: selectors.Row) -> int | None:
    """Malignant lesion views that a run does not find; None where they cannot be counted."""
    number = row.numbers["sensitivity"]
    return None if number["value"] is None else int(number["denominator"] - number["numerator"])


@require_safe
@project_page()
def cases(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/results/<number>/lesions/?run=&test_set=&group=&measure=&outcome=`: the cases behind a number."""
    assert isinstance(request.user, User)
    found = experiment_or_404(request, project, number)
    if not experiments.all_runs_ended(found):
        return locked(request, found)
    asked_for = listed(project, found, request.GET)
    asked, evaluation, against = asked_for.asked, asked_for.evaluation, asked_for.against
    all_cases = asked_for.cases
    services.record_cases(actor=request.user, experiment=found, evaluation=evaluation, asked=asked)
    if asked["open"] and all_cases:
        return redirect(f"{all_cases[0].viewer_url}&{asked_for.walk}")
    return render(
        request,
        "results/cases.html",
        {
            "experiment": found,
            "run": evaluation.run,
            "title": asked_for.title,
            "walk": asked_for.walk,
            "first": all_cases[0].viewer_url if all_cases else "",
            "number": None if asked["level"] else selectors.short(evaluation)[asked["measure"]][asked["group"]],
            "options": _outcomes(request, asked, against is not None),
            "actions": actions(request, project, asked_for.query)
            if asked["outcome"] in {"missed", "wrong", "gained", "lost"} and all_cases
            else [],
            "reason": asked["reason"],
            "against": against.run if against else None,
            "score": asked["score"],
            "subgroup": subgroups.words(asked["subgroup"]),
            "at_least": asked["at_least"],
            "below": asked["below"],
            "page": Paginator(all_cases, A_PAGE).get_page(request.GET.get("page")),
            "protocol": Protocol.from_json(evaluation.protocol),
            "of_findings": asked["measure"] in {"precision", "auc"},
        },
    )


def _outcomes(request: HttpRequest, asked: dict[str, Any], compared: bool) -> list[dict[str, Any]]:
    """The outcomes the list may be narrowed to, each with its address."""
    query = request.GET.copy()
    for name in ("page", "reason"):
        query.pop(name, None)
    options = []
    for outcome, label in (behind.OUTCOMES[asked["measure"]] | (behind.CHANGES if compared else {})).items():
        query["outcome"] = outcome
        options.append({"label": label, "url": f"?{query.urlencode()}", "active": outcome == asked["outcome"]})
    return options


def _exported(request: HttpRequest, project: Project, number: int) -> Experiment | HttpResponse:
    """The experiment after counting the look, or the answer that it is locked."""
    assert isinstance(request.user, User)
    found = experiment_or_404(request, project, number)
    try:
        services.record_look(actor=request.user, experiment=found, test_sets=selectors.present_test_sets(found))
    except UserError as error:
        return HttpResponse(str(error), status=409, content_type="text/plain; charset=utf-8")
    return found


@require_safe
@project_page()
def export_csv(request: HttpRequest, project: Project, number: int, table: str) -> HttpResponseBase:
    """`<project>/results/<number>/export/<table>.csv`: one table; counts as a look."""
    chosen = exports.TABLES.get(table)
    if chosen is None:
        raise Http404("No such table of results.")
    found = _exported(request, project, number)
    if isinstance(found, HttpResponse):
        return found
    return written(
        request,
        lambda handle: exports.write_csv(handle, found, chosen),
        filename=f"experiment-{number}-{table}.csv",
        content_type="text/csv; charset=utf-8",
    )


@require_safe
@project_page()
def export_json(request: HttpRequest, project: Project, number: int) -> HttpResponseBase:
    """`<project>/results/<number>/export.json`: all tables as one JSON object; counts as a look."""
    found = _exported(request, project, number)
    if isinstance(found, HttpResponse):
        return found
    return written(
        request,
        lambda handle: exports.write_json(handle, found),
        filename=f"experiment-{number}-results.json",
        content_type="application/json",
    )
