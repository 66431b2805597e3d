"""Runs side by side: only what differs, whatever experiment they are of."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.webapp import experiment_records, records
from webapp.accounts.models import Project, User
from webapp.datasets.models import DatasetVersion
from webapp.experiments import services
from webapp.experiments.models import Experiment, Run
from webapp.experiments.run_comparison import compare_runs

pytestmark = pytest.mark.django_db
COMPARE = "/study/experiments/compare/"


@pytest.fixture
def experiment(project: Project, researcher: User, version: DatasetVersion) -> Experiment:
    return experiment_records.launch(project, researcher, version, ratios=(0.0, 1.0), seeds=(0, 1))


@pytest.fixture
def client(researcher: User) -> Client:
    client = Client()
    client.force_login(researcher)
    return client


def differing(*runs: Run) -> dict[str, list[str]]:
    found = compare_runs(runs)
    assert not any(row.same for part in found.differing for row in part.rows) and all(row.same for row in found.same)
    return {row.label: row.values for part in found.differing for row in part.rows}


def test_runs_of_one_arm_differ_in_the_seed_alone(experiment: Experiment) -> None:
    first, second = Run.objects.filter(arm__position=0).order_by("seed")

    assert differing(first, second) == {"Seed": ["0", "1"]}


def test_runs_of_two_arms_differ_in_arm_and_ratio(experiment: Experiment) -> None:
    first, second = Run.objects.filter(seed=0).order_by("arm__position")

    assert differing(first, second) == {
        "Arm": ["Real + 0 %", "Real + 100 %"],
        "Malignant synthetic ratio": ["0 %", "100 %"],
        "Benign synthetic ratio": ["0 %", "100 %"],
    }


def test_settings_data_code_environment_and_outcome_of_other_experiments_are_set_beside(
    project: Project, researcher: User, experiment: Experiment
) -> None:
    curator = records.make_member(project, "curator")
    exams = experiment_records.make_exams(project, 16, with_files=False)
    version = records.make_frozen_version(project, curator, exams, name="Other", test_share=0.5)
    other = experiment_records.launch(project, researcher, version, ratios=(0.0,), changes={"batch_size": 5})
    first = Run.objects.get(arm__experiment=experiment, arm__position=0, seed=0)
    second = Run.objects.get(arm__experiment=other)
    began = timezone.now()
    amount = {"steps": 40, "images": 80, "passes": 2.5}
    record = {"amount": amount, "environment": {"torch": "9.9"}, "attempts": 2}
    Run.objects.filter(pk=second.pk).update(
        state="done", best_epoch=3, started=began, ended=began + timedelta(seconds=3723), record=record
    )
    services.record_metrics(run=second, epoch=3, metrics={"validation_loss": 0.25}, attempt=1)
    second.refresh_from_db()

    found = differing(first, second)

    assert found["Batch size (sub-images)"] == [str(first.arm.configuration["values"]["batch_size"]), "5"]
    assert found["Experiment"] == ["Experiment 1: Ratios", "Experiment 2: Ratios"]
    assert len(set(found["Data hash"])) == 2 and "Seed" not in found and "Epochs (epochs)" not in found
    assert found["Best epoch"] == ["not recorded", "3"] and found["Validation loss of that epoch"] == [
        "not recorded",
        "0.25",
    ]
    assert found["Steps"] == ["not recorded", "40"] and found["Duration"] == ["not recorded", "1:02:03"]
    assert found["Run: torch"] == ["not recorded", "9.9"] and "Launch: torch" not in found


def test_the_page_overlays_the_curves_and_lists_only_what_differs(experiment: Experiment, client: Client) -> None:
    for run in Run.objects.filter(arm__position=0):
        services.record_metrics(run=run, epoch=1, metrics={"validation_loss": 0.5 + run.seed}, attempt=1)

    answer = client.get(f"{COMPARE}?run=1-0-0&run=1-0-1&run=")

    lines = {trace["name"]: trace["y"] for trace in answer.context["figure"]["data"]}
    assert lines["Real + 0 %, seed 0, validation"] == [0.5] and lines["Real + 0 %, seed 1, validation"] == [1.5]
    page = answer.content.decode()
    assert "What differs" in page and f"{len(answer.context['comparison'].same)} equal" in page
    assert answer.context["unknown"] == 0


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "Choose two runs or more"),
        ("?run=1-0-0", "Choose a second run"),
        ("?run=1-0-0&run=1-0-1&run=9-0-0", "does not exist here"),
        ("?run=1-0-0&run=1-0-0", "Choose a second run"),
        ("?run=1-0-0&run=<script>", "Choose a second run"),
    ],
)
def test_what_is_missing_is_said(experiment: Experiment, client: Client, query: str, words: str) -> None:
    assert words in client.get(f"{COMPARE}{query}").content.decode()


def test_more_runs_than_colours_are_not_shown(
    project: Project, researcher: User, version: DatasetVersion, client: Client
) -> None:
    experiment_records.launch(project, researcher, version, ratios=(0.0,), seeds=tuple(range(8)))

    answer = client.get(COMPARE, query_params={"run": [f"1-0-{seed}" for seed in range(8)]})

    assert len(answer.context["columns"]) == 6 and "Six runs at most" in answer.content.decode()


def test_a_run_of_another_project_is_not_shown(experiment: Experiment, project: Project) -> None:
    elsewhere = records.make_project("elsewhere")
    client = Client()
    client.force_login(records.make_member(elsewhere, "admin"))

    answer = client.get("/elsewhere/experiments/compare/?run=1-0-0&run=1-0-1")

    assert answer.context["columns"] == [] and answer.context["offered"] == []
    assert client.get(COMPARE).status_code == 404
