"""Panels over the API: the numbers of the pages, behind the lock, members only, part of the look."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.webapp import records
from webapp.accounts.models import Project
from webapp.core.models import AuditEvent
from webapp.experiments.models import Experiment
from webapp.results import calibration, levels, models
from webapp.results.derived import PANELS
from webapp.results.models import Evaluation
from webapp.results.verdict import verdict

pytestmark = pytest.mark.django_db


def address(panel: str) -> str:
    return f"/api/v1/projects/study/experiments/1/results/{panel}/"


def test_every_panel_has_the_numbers_of_its_page(ended: Experiment, client: Client) -> None:
    rows: dict[str, list[dict[str, Any]]] = {}
    for panel in PANELS:
        answer = client.get(address(panel), {"group": "malignant"})
        assert answer.status_code == 200, panel
        rows[panel] = answer.json()["rows"]
        assert answer.json()["protocol_sentence"].startswith("Counted per lesion on a view")

    found = verdict(ended)
    assert rows["verdict"][0]["difference"] == found.interval and rows["verdict"][0]["asked"] == found.asked
    evaluations = {(one.run.arm.position, one.test_set): one for one in Evaluation.objects.select_related("run__arm")}
    assert len(rows["levels"]) == 5 * len(evaluations)
    for row in rows["levels"]:
        same = levels.numbers(evaluations[row["arm"], row["test_set"]], "malignant")[row["level"]]
        assert row["sensitivity"] == same["sensitivity"] and row["auc"] == same["auc"]
    for row in rows["calibration"]:
        same = calibration.numbers(evaluations[row["arm"], row["test_set"]], row["probability"])
        assert row["equal_width"]["brier"]["value"] == same["equal_width"]["brier"]["value"]
    assert {row["measure"] for row in rows["differences"]} == {"sensitivity", "precision", "auc"}
    assert rows["subgroups"] and all({"subgroup", "sensitivity"} <= set(row) for row in rows["subgroups"])


def test_a_panel_belongs_to_one_look_and_is_written_down(ended: Experiment, client: Client) -> None:
    client.get(address("levels"))
    client.get(address("levels"))

    assert models.TestSetLook.objects.count() == 2  # one on each test set
    assert AuditEvent.objects.filter(action="results.part").count() == 2


def test_panels_are_locked_for_members_and_do_not_exist_for_others(
    experiment: Experiment, project: Project, client: Client
) -> None:
    outsider = Client()
    outsider.force_login(records.make_member(records.make_project("elsewhere"), "admin"))

    assert client.get(address("verdict")).status_code == 409
    assert not models.TestSetLook.objects.exists()
    assert outsider.get(address("verdict")).status_code == 404
    assert client.get(address("horoscope")).status_code == 404
    assert client.get(address("levels"), {"group": "benign"}).status_code == 400
