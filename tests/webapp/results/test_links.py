"""Every mark of a figure opens the viewer on its cases, with the same threshold; next and previous stay among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import QueryDict
from django.test import Client

from tests.webapp import registry_records
from tests.webapp.experiment_records import finish_all, graded, outlined
from webapp.accounts.models import Project, User
from webapp.datasets.models import SplitAssignment
from webapp.experiments.models import Experiment, Run, RunState
from webapp.results import models, selectors
from webapp.results.listed import listed
from webapp.results.models import Evaluation

pytestmark = pytest.mark.django_db
BASE = "/study/results/1/"
PAGES = ("", "curves/", "calibration/", "calibration/?what=image", "failures/", "outlines/")


@pytest.fixture
def ended(experiment: Experiment) -> Experiment:
    return finish_all(experiment, lambda run: outlined(graded(run.arm.position)))


def figures(context: Any) -> Iterator[dict[str, Any]]:
    """Every Plotly figure in the context of a page."""
    if isinstance(context, dict) and set(context) >= {"data", "layout"}:
        yield context
    elif isinstance(context, dict):
        for value in context.values():
            yield from figures(value)
    elif isinstance(context, list | tuple):
        for value in context:
            yield from figures(value)


def marks(page: Any) -> list[tuple[dict[str, Any], str]]:
    """Trace and address of every mark that stands for cases; lines of reference and distributions stand for none."""
    shown = {name: value for part in page.context for layer in part.dicts for name, value in layer.items()}
    return [
        (trace, one.get("url", ""))
        for figure in figures(shown)
        for trace in figure["data"]
        if trace.get("hoverinfo") != "skip" and not str(trace["name"]).startswith("Act on")
        for one in trace["customdata"]
    ]


def test_every_mark_opens_the_viewer_at_its_threshold(ended: Experiment, client: Client) -> None:
    for part in PAGES:
        every = marks(client.get(BASE + part))

        assert len(every) >= 6 and all(url for _, url in every), part
        for _, url in every[:: max(1, len(every) // 8)]:
            answer = client.get(url)
            if answer.status_code == 200 and "cases" in answer.templates[0].name:
                # a mark of nothing: the list says so
                assert answer.context["page"].paginator.count == 0
                continue
            address = url if urlsplit(url).path.startswith("/study/cases/") else answer.url
            query, asked = parse_qs(urlsplit(address).query), parse_qs(urlsplit(url).query)
            assert urlsplit(address).path.startswith("/study/cases/")
            assert float(query["score"][0]) == float(asked.get("score", ["0.1"])[0])
            assert query["run"] == asked["run"]
            assert client.get(address).status_code == 200

    (url,) = {url for _, url in marks(client.get("/study/results/"))}
    beside = client.get(url.replace("&open=first", "")).context
    assert beside["against"].arm.name == "Real + 0 %" and beside["run"].arm.name == "Real + 200 %"
    assert client.get(url).url.startswith("/study/cases/")


def test_next_and_previous_go_through_the_cases_behind_a_number(
    ended: Experiment, client: Client, project: Project
) -> None:
    evaluation = Evaluation.objects.filter(test_set="internal_test")[1]
    query = f"run={evaluation.run_id}&test_set=internal_test&group=malignant&outcome=missed&score=0.450"
    cases = listed(project, ended, QueryDict(query)).cases
    stops = cases.stops()
    assert 2 < len(stops) <= len(cases)
    whole = QueryDict(f"run={evaluation.run_id}&test_set=internal_test&group=malignant&measure=views&level=patient")
    views = listed(project, ended, whole).cases
    assert 2 * len(views.stops()) == len(views), "the two views of an exam are one stop"

    address, seen = client.get(f"{BASE}lesions/?{query}&open=first").url, []
    while address:
        page = client.get(address)
        seen.append(page.context["neighbours"].position)
        number, focus = stops[seen[-1] - 1]
        assert page.context["exam"].number == number and f"focus={focus}" in address
        assert f"run={evaluation.run_id}" in address and "score=0.450" in address
        previous, address = page.context["previous_url"], page.context["next_url"]

    assert seen == list(range(1, len(stops) + 1))
    assert page.context["neighbours"].total == len(stops)
    assert client.get(previous).context["neighbours"].position == len(stops) - 1
    assert client.get(page.context["back_url"]).context["page"].paginator.count == len(cases)
    assert "Missed; Sensitivity, all malignant, internal; Real + 100 %" in page.content.decode()


def test_who_may_not_see_a_list_does_not_go_through_it_and_who_may_is_counted(
    ended: Experiment, client: Client, project: Project
) -> None:
    run = Run.objects.order_by("pk")[0]
    query = f"run={run.pk}&test_set=internal_test&group=malignant&outcome=missed&score=0.450"
    number = listed(project, ended, QueryDict(query)).cases.stops()[0][0]
    address = f"/study/cases/{number}/"
    tested = SplitAssignment.objects.filter(split="internal_test").values("patient")
    outside = project.exams.exclude(patient__in=tested)[0].number
    for _ in range(2):
        assert client.get(address, {"behind": f"1?{query}"}).status_code == 200
    assert list(models.TestSetLook.objects.values_list("test_set", flat=True)) == ["internal_test", "external_test"]

    for value in (f"2?{query}", "1?run=1", "x", f"1?{query}&outcome=lucky"):
        assert client.get(address, {"behind": value}).status_code == 404
    assert client.get(f"/study/cases/{outside}/", {"behind": f"1?{query}"}).status_code == 404
    Run.objects.filter(pk=run.pk).update(state=RunState.QUEUED)
    assert client.get(address, {"behind": f"1?{query}"}).status_code == 404


def test_lesions_of_two_runs_open_by_what_both_made_of_them_and_runs_stand_beside_their_models(
    researcher: User, client: Client, ended: Experiment
) -> None:
    first = Run.objects.order_by("pk")[0]
    model = registry_records.register(first)

    page = client.get(BASE)

    for change in page.context["changes"]:
        for name in ("gained", "lost", "both", "neither"):
            assert client.get(change[f"{name}_url"]).context["page"].paginator.count == change[name]
    left = dict(selectors.models_of_runs(researcher, ended))
    assert left == {run: model if run == first else None for run in Run.objects.all()}
    words = page.content.decode()
    assert f'href="/study/models/{model.number}/"' in words and words.count("left no model") == 2
    run_page = client.get(f"/study/experiments/1/runs/{first.arm.position}-{first.seed}/").content.decode()
    assert f'href="/study/models/{model.number}/"' in run_page
    back = client.get(f"/study/models/{model.number}/").content.decode()
    assert 'href="/study/results/1/"' in back and f"/runs/{first.arm.position}-{first.seed}/" in back
