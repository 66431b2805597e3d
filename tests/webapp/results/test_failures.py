"""Reasons of misses: counts add up, each part opens its cases."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.webapp.experiment_records import finish, finish_all, graded
from webapp.accounts.models import Project
from webapp.experiments.models import Experiment, Run
from webapp.results import failures, models
from webapp.results.cases import cases_address
from webapp.results.models import Evaluation

pytestmark = pytest.mark.django_db
PAGE = "/study/results/1/failures/"


@pytest.fixture
def ended(experiment: Experiment) -> Experiment:
    return finish_all(experiment, lambda run: graded(run.arm.position))


@pytest.mark.parametrize("group", ["malignant", "malignant_mass", "malignant_cluster"])
def test_found_and_reasons_add_up_to_the_lesions_of_the_sensitivity(
    ended: Experiment, project: Project, group: str
) -> None:
    for panel in failures.breakdown(ended, group, cases_address(project, 1)):
        assert len(panel["rows"]) == 3
        for row in panel["rows"]:
            number = Evaluation.objects.get(run=row["run"], test_set=panel["test_set"]).result["sensitivity"][group]
            assert row["lesions"] == number["denominator"]
            assert row["parts"][0]["count"] == number["numerator"]
        drawn = [sum(trace["x"][place] for trace in panel["figure"]["data"]) for place in range(3)]
        assert drawn == [row["lesions"] for row in panel["rows"]]


def test_each_part_of_a_bar_opens_as_many_cases_as_it_is_long(
    ended: Experiment, project: Project, client: Client
) -> None:
    panel = failures.breakdown(ended, "malignant", cases_address(project, 1))[1]
    reasons = list(failures.COLOURS)

    assert sum(part["count"] > 0 for part in panel["rows"][0]["parts"]) >= 3
    for place, part in enumerate(panel["rows"][0]["parts"]):
        page = client.get(part["url"]).context["page"]
        assert page.paginator.count == part["count"]
        if place:
            assert all(case.reason == reasons[place] for case in page.object_list)
        assert panel["figure"]["data"][place]["customdata"][0]["url"] == f"{part['url']}&open=first"


def test_while_runs_are_open_misses_are_closed(experiment: Experiment, client: Client) -> None:
    finish(Run.objects.order_by("pk")[0], graded())

    assert "Open when 3 of 3 runs end; 1 done" in client.get(PAGE).content.decode()
    assert not models.TestSetLook.objects.exists()


def test_the_page_shows_both_test_sets_and_refuses_unknown_groups(ended: Experiment, client: Client) -> None:
    page = client.get(PAGE, {"group": "malignant_cluster"}).content.decode()

    assert "Found and missed, internal" in page and "Found and missed, external" in page
    assert "Sensitivity in subgroups, external" in page
    assert client.get(PAGE, {"group": "benign"}).status_code == 404
