"""An experiment in two steps: its design is frozen, read once more, and launched."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.webapp import experiment_records, records
from tests.webapp.api.conftest import ROOT, design
from webapp.accounts.models import Project, User
from webapp.core.models import AuditEvent
from webapp.datasets.models import DatasetVersion
from webapp.experiments import devices
from webapp.experiments.models import Experiment
from webapp.jobs.models import Job

pytestmark = pytest.mark.django_db


def post(client: Client, body: Any) -> Any:
    return client.post(f"{ROOT}experiments/", json.dumps(body), content_type="application/json")


@pytest.fixture
def browser_of(project: Project) -> Callable[[str], Client]:
    def make(role: str) -> Client:
        client = Client()
        client.force_login(records.make_member(project, role))
        return client

    return make


@pytest.fixture
def frozen(project: Project, researcher: User, version: DatasetVersion) -> Experiment:
    return experiment_records.freeze(project, researcher, version, ratios=(0.0,), seeds=(3, 4))


# freezing


def test_a_post_freezes_the_design_and_starts_nothing(
    version: DatasetVersion, browser_of: Callable[[str], Client]
) -> None:
    response = post(browser_of("researcher"), design(version, {"seeds": [3, 4], "protocol": {"iou_above": 0.3}}))

    assert response.status_code == 201, response.content
    made = response.json()
    assert made["state"] == "frozen" and made["frozen_at"] and made["launched_at"] is None
    assert made["run_counts"]["total"] == 0 and made["arms"][0]["runs"] == []
    assert made["arms"][0]["configuration"]["values"]["epochs"] == 2
    assert (made["protocol"]["iou_above"], made["protocol"]["score_above"]) == (0.3, 0.1)
    assert response["Location"] == f"{ROOT}experiments/{made['number']}/"
    assert not Job.objects.exists() and not AuditEvent.objects.filter(action="experiments.launch").exists()


@pytest.mark.parametrize("role", ["observer", "radiologist", "curator"])
def test_who_may_not_freeze_is_told_whom_to_ask(
    version: DatasetVersion, browser_of: Callable[[str], Client], role: str
) -> None:
    response = post(browser_of(role), design(version))
    assert response.status_code == 403 and "ask a researcher" in response.json()["detail"]
    assert not Experiment.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"hypothesis": "   "}, "hypothesis"),
        ({"primary_endpoint": "luck"}, "primary_endpoint"),
        ({"arms": []}, "arms"),
        ({"arms": [{"name": "Real", "preset": "none"}]}, "preset"),
        ({"arms": [{"name": "Real", "preset": "cpu-quick", "ratio_benign": 11}]}, "arms.0.ratio_benign"),
        ({"arms": [{"preset": "cpu-quick"}]}, "arms.0.name"),
        ({"arms": [{"name": "Real", "preset": "cpu-quick", "changes": {"epochs": -1}}]}, "preset"),
        ({"arms": [{"name": "A", "preset": "cpu-quick"}] * 2}, "arms"),
        ({"seeds": [1, 1]}, "seeds"),
        ({"seeds": []}, "seeds"),
        ({"device": "cuda:7"}, "device"),
        ({"device": "abacus"}, "device"),
        ({"version": 10**6}, "version"),
        ({"primary_endpoint": "auc:malignant:external_test"}, "primary_endpoint"),
        ({"margn": 0.05}, "margn"),
        ({"arms": [{"name": "Real", "preset": "cpu-quick", "ratio": 1}]}, "arms.0.ratio"),
        ({"protocol": {"iou": 0.3}}, "protocol.iou"),
        ({"protocol": {"matching": "best"}}, "protocol.matching"),
        ({"protocol": {"iou_above": 1}}, "protocol"),
        ({"protocol": "default"}, "protocol"),
        ({"comparison": {"arm": 1, "reference": 0}}, "comparison_arm"),
    ],
)
def test_a_design_that_cannot_be_is_refused_with_its_field(
    version: DatasetVersion, browser_of: Callable[[str], Client], changes: dict[str, Any], field: str
) -> None:
    response = post(browser_of("researcher"), design(version, changes))
    assert response.status_code == 400
    assert response.json()["field"] == field and response.json()["detail"]
    assert not Experiment.objects.exists() and not Job.objects.exists()


@pytest.mark.parametrize("body", ["[]", "null", "3", "{", '"x"'])
def test_a_body_that_is_no_object_is_refused(browser_of: Callable[[str], Client], body: str) -> None:
    response = browser_of("researcher").post(f"{ROOT}experiments/", body, content_type="application/json")
    assert response.status_code == 400 and response.json()["detail"]


def test_the_version_of_another_project_cannot_be_used(browser_of: Callable[[str], Client]) -> None:
    foreign = experiment_records.make_version(records.make_project("elsewhere"), 16, external=0)
    response = post(browser_of("researcher"), design(foreign))
    assert response.status_code == 400 and response.json()["field"] == "version"


# launching


def launch(client: Client, experiment: Experiment) -> Any:
    return client.post(f"{ROOT}experiments/{experiment.number}/launch/")


def test_a_frozen_design_is_launched_once(frozen: Experiment, browser_of: Callable[[str], Client]) -> None:
    client = browser_of("researcher")

    response = launch(client, frozen)

    assert response.status_code == 200, response.content
    started = response.json()
    assert started["launched_at"] and started["run_counts"]["total"] == 2
    assert [run["seed"] for run in started["arms"][0]["runs"]] == [3, 4]
    assert started["reproducibility"]["data_hash"] == frozen.version.content_hash
    assert Job.objects.filter(kind="experiments.run", state="queued").count() == 2
    again = launch(client, frozen)
    assert again.status_code == 409 and "launched already" in again.json()["detail"]
    assert Job.objects.count() == 2
    assert AuditEvent.objects.filter(action="experiments.launch").count() == 1


@pytest.mark.parametrize("role", ["observer", "radiologist", "curator"])
def test_who_may_not_launch_is_told_whom_to_ask(
    frozen: Experiment, browser_of: Callable[[str], Client], role: str
) -> None:
    response = launch(browser_of(role), frozen)
    assert response.status_code == 403 and "ask a researcher" in response.json()["detail"]
    assert not Job.objects.exists()


def test_what_cannot_run_here_stays_frozen_and_says_why(
    frozen: Experiment, browser_of: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "devices", lambda: {"cuda:0": "Elsewhere"})
    client = browser_of("researcher")

    response = launch(client, frozen)

    assert response.status_code == 400 and response.json()["field"] == "device"
    assert "cuda:0 can be used" in response.json()["detail"]
    kept = client.get(f"{ROOT}experiments/{frozen.number}/").json()
    assert (kept["state"], kept["launched_at"]) == ("frozen", None) and not Job.objects.exists()


def test_the_design_of_another_project_is_not_found(browser_of: Callable[[str], Client]) -> None:
    elsewhere = records.make_project("elsewhere")
    foreign = experiment_records.freeze(
        elsewhere,
        records.make_member(elsewhere, "researcher", "someone"),
        experiment_records.make_version(elsewhere, 16, external=0),
        ratios=(0.0,),
    )
    assert launch(browser_of("researcher"), foreign).status_code == 404
    assert not Job.objects.exists()
