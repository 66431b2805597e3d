"""The list of experiments: answers of those that were opened, reasons for the others, and no look by itself."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.webapp import experiment_records, records
from tests.webapp.experiment_records import finish_all, seen
from webapp.accounts.models import Project, User
from webapp.datasets.models import DatasetVersion
from webapp.experiments.models import Experiment
from webapp.results import models
from webapp.results.verdict import verdict

pytestmark = pytest.mark.django_db
PAGE = "/study/results/"


def test_an_experiment_shows_its_answer_once_someone_has_opened_it(ended: Experiment, client: Client) -> None:
    before = client.get(PAGE)
    client.get(f"{PAGE}1/")
    looks = models.TestSetLook.objects.count()
    after = client.get(PAGE)

    (closed,), (opened,) = before.context["entries"], after.context["entries"]
    assert closed["verdict"] is None and "counts the first look" in before.content.decode()
    assert before.context["forest"] is None
    found = verdict(ended)
    assert opened["verdict"].interval == found.interval
    trace = after.context["forest"]["figure"]["data"][0]
    assert trace["x"] == [found.interval["value"]]
    assert trace["x"][0] + trace["error_x"]["array"][0] == pytest.approx(found.interval["high"])
    assert trace["x"][0] - trace["error_x"]["arrayminus"][0] == pytest.approx(found.interval["low"])
    assert trace["customdata"][0]["url"].startswith(f"{PAGE}1/lesions/?run=")
    assert opened["size"] == {"images": 2 * opened["size"]["patients"], "patients": opened["size"]["patients"]}
    assert models.TestSetLook.objects.count() == looks


def test_locked_ones_say_why_and_endpoints_keep_their_marks(
    project: Project, researcher: User, version: DatasetVersion, client: Client
) -> None:
    experiment_records.launch(project, researcher, version, ratios=(0.0, 1.0))
    other = experiment_records.launch(
        project, researcher, version, ratios=(0.0, 1.0), endpoint="auc:malignant:external_test"
    )
    finish_all(other, lambda run: seen(0.9, also_wrong=True))
    client.get(f"{PAGE}2/")

    page = client.get(PAGE)

    assert "0 of 2 runs have ended; it opens with the last." in page.content.decode()
    assert [entry["open"] for entry in page.context["entries"]] == [True, False]
    assert page.context["entries"][0]["verdict"].measure == "auc"


def test_the_list_of_another_project_shows_none_of_these(ended: Experiment, client: Client) -> None:
    client.get(f"{PAGE}1/")
    elsewhere = records.make_project("elsewhere")
    outsider = Client()
    outsider.force_login(records.make_member(elsewhere, "admin"))

    assert outsider.get(PAGE).status_code == 404
    assert outsider.get("/elsewhere/results/").context["entries"] == []
