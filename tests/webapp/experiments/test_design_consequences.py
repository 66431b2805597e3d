"""The panel beside the design form: cases, gate, detectable difference, time, difference to an earlier design."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.webapp import experiment_records
from tests.webapp.experiments.design_page import NEW, filled, with_arm_change
from webapp.accounts.models import Project, User
from webapp.datasets.models import DatasetVersion
from webapp.experiments import reproducibility, services
from webapp.experiments.design_difference import compare
from webapp.experiments.design_input import DesignInput
from webapp.experiments.models import Experiment, Run

pytestmark = pytest.mark.django_db


def test_the_design_is_set_beside_the_experiment_that_is_chosen(client: Client, version: DatasetVersion) -> None:
    client.post(NEW, filled(version))
    client.post(NEW, filled(version, seeds="5"))

    data = with_arm_change(filled(version, compared_with="2", margin="0.1"), 1, epochs="2")
    rows = client.post(reverse("experiments:consequences", args=["study"]), data).context["comparison"].rows

    assert [(row.label, row.was, row.now) for row in rows] == [
        ("Margin", "superiority", "0.1"),
        ("Seeds", "5", "0"),
        ("Epochs", "1", "arm 1: 1; arm 2: 2; arm 3: 1"),
        ("Code version", "not launched", rows[-2].now),
        ("Environment", "not launched", rows[-1].now),
    ]
    assert "torch " in rows[-1].now


def test_packages_that_differ_from_those_of_a_launched_experiment_are_named(
    client: Client, version: DatasetVersion, researcher: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post(NEW, filled(version))
    services.launch(actor=researcher, experiment=Experiment.objects.get())
    address, data = reverse("experiments:consequences", args=["study"]), filled(version, compared_with="1")
    assert [row.label for row in client.post(address, data).context["comparison"].rows] == []

    now = reproducibility.environment()
    changed = now | {"torch": "99.0", "another": "1.0"}
    monkeypatch.setattr(reproducibility, "environment", lambda: changed)
    (row,) = client.post(address, data).context["comparison"].rows
    assert row.label == "Environment"
    assert (row.was, row.now) == (f"another none, torch {now['torch']}", "another 1.0, torch 99.0")


def test_before_its_launch_a_frozen_design_is_set_beside_an_earlier_experiment(
    client: Client, version: DatasetVersion, researcher: User
) -> None:
    first = reverse("experiments:experiment", args=["study", 1])
    third = reverse("experiments:experiment", args=["study", 3])
    client.post(NEW, filled(version, seeds="1"))
    client.post(NEW, filled(version, seeds="2"))
    client.post(NEW, filled(version, seeds="3", margin="0.1"))

    def rows(address: str) -> list[tuple[str, str, str]]:
        found = client.get(address).context["comparison"].rows
        return [(row.label, row.was, row.now) for row in found if row.was != "not launched"]

    assert "comparison" not in client.get(first).context, "nothing is earlier"
    assert rows(third) == rows(f"{third}?compare=2") == [("Margin", "superiority", "0.1"), ("Seeds", "2", "3")]
    assert rows(f"{third}?compare=1") == [("Margin", "superiority", "0.1"), ("Seeds", "1", "3")]
    assert rows(f"{third}?compare=3") == rows(f"{third}?compare=x") == rows(third), "only what is earlier"
    services.launch(actor=researcher, experiment=Experiment.objects.get(number=3))
    assert "comparison" not in client.get(third).context


def test_the_panel_says_what_the_test_set_can_show(client: Client, version: DatasetVersion) -> None:
    answer = client.post(reverse("experiments:consequences", args=["study"]), filled(version))

    found = answer.context["outcome"].detectable
    counted = version.version_views.filter(
        split="internal_test",
        version_annotations__malignancy="malignant",
        version_annotations__lesion_type__in=("cluster", "both"),
    )
    assert found.lesions == counted.count() > 0
    assert f"{found.lesions} lesions on a view of {found.patients} patients" in answer.content.decode()
    of_auc = filled(version, primary_endpoint="auc:malignant:internal_test")
    auc = client.post(reverse("experiments:consequences", args=["study"]), of_auc)
    assert "worked out for sensitivity only" in auc.content.decode()


def test_the_time_is_estimated_from_earlier_runs_with_the_preset_or_said_to_be_unknown(
    client: Client, version: DatasetVersion
) -> None:
    from datetime import timedelta

    from django.utils import timezone

    address = reverse("experiments:consequences", args=["study"])
    assert "no completed run with these presets" in client.post(address, filled(version)).content.decode()
    client.post(NEW, filled(version))
    client.post("/study/experiments/1/launch/")
    began = timezone.now()
    record = {"amount": {"steps": 50, "passes": 2.0}, "training": {"views": 100}, "attempts": 1}
    Run.objects.filter(arm__position=0).update(
        state="done", started=began, ended=began + timedelta(seconds=1000), record=record
    )

    outcome = client.post(address, filled(version, seeds="1, 2", **{"set-epochs": "3"})).context["outcome"]
    views = sum(arm.most_views for arm in outcome.arms)
    assert outcome.seconds == pytest.approx(2 * 3 * views * 1000 / 200) and outcome.measured == 1
    in_steps = filled(version, **{"set-length": "steps", "set-steps": "70"})
    assert client.post(address, in_steps).context["outcome"].seconds == pytest.approx(3 * 70 * 20)


def test_the_panel_counts_synthetic_cases_and_training_views_for_each_arm(
    client: Client, version: DatasetVersion
) -> None:
    from webapp.simulations.amounts import cluster_patients

    answer = client.post(reverse("experiments:consequences", args=["study"]), filled(version))

    outcome = answer.context["outcome"]
    patients = cluster_patients(version)
    views = version.version_views.filter(split="train").count()
    assert outcome.ready and outcome.runs == 3
    assert [(arm.benign, arm.malignant) for arm in outcome.arms] == [
        (factor * patients["benign"], factor * patients["malignant"]) for factor in (0, 1, 2)
    ]
    # only the left breast is free of lesions, and it has one view
    assert [arm.training_words for arm in outcome.arms] == [
        str(views + factor * sum(patients.values())) for factor in (0, 1, 2)
    ]
    assert "hx-swap-oob" in answer.content.decode()


@pytest.mark.parametrize(
    ("changes", "label", "words"),
    [
        ({"version": ""}, "Data recorded", "choose a frozen dataset version"),
        ({"seeds": "none"}, "Seeds fixed", "at least one whole number"),
        ({"device": "cuda:9"}, "Device present", "not on this machine"),
    ],
)
def test_a_missing_item_disables_the_start_and_says_why(
    client: Client, version: DatasetVersion, changes: dict[str, str], label: str, words: str
) -> None:
    answer = client.post(reverse("experiments:consequences", args=["study"]), filled(version, **changes))

    assert not answer.context["outcome"].ready
    assert any(item.label == label and words in item.detail for item in answer.context["outcome"].gate)
    assert "disabled" in answer.content.decode()


def test_an_endpoint_on_a_test_set_that_is_not_there_closes_the_gate(client: Client, project: Project) -> None:
    version = experiment_records.make_version(project, external=0)
    wanted = {"primary_endpoint": "auc:malignant:external_test"}

    panel = client.post(reverse("experiments:consequences", args=["study"]), filled(version, **wanted))
    start = client.post(NEW, filled(version, **wanted))

    assert not panel.context["outcome"].ready
    assert start.status_code == 422 and start.context["errors"][0]["target"] == "id_primary_endpoint"


def test_without_the_environment_nothing_starts(
    client: Client, version: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    from webapp.experiments import reproducibility

    monkeypatch.setattr(reproducibility, "PACKAGES", ("torch", "a-package-nobody-has"))

    panel = client.post(reverse("experiments:consequences", args=["study"]), filled(version))
    start = client.post(NEW, filled(version))

    assert not panel.context["outcome"].ready and "a-package-nobody-has" in panel.content.decode()
    assert start.status_code == 422 and not Experiment.objects.exists()


def test_a_copy_takes_everything_over_and_shows_only_what_differs(client: Client, version: DatasetVersion) -> None:
    client.post(NEW, filled(version, seeds="1, 2", **{"arms-1-benign": "50", "set-batch_size": "3"}))

    page = client.get(f"{NEW}?copy=1")
    given = page.context["given"]
    assert given.copied_from == 1 and given.values["seeds"] == "1, 2" and given.settings["batch_size"] == "3"
    assert [(arm.malignant, arm.benign) for arm in given.arms] == [("0", ""), ("100", "50"), ("200", "")]
    client.post("/study/experiments/1/launch/")
    assert client.get(f"{NEW}?copy=1").context["comparison"].rows == []

    data: dict[str, Any] = given.as_data() | {"preset_shown": "cpu-quick", "copied_from": "1", "set-batch_size": "4"}
    panel = client.post(reverse("experiments:consequences", args=["study"]), data)
    assert [(row.label, row.was, row.now) for row in panel.context["comparison"].rows] == [("Batch size", "3", "4")]


def test_two_equal_designs_do_not_differ(version: DatasetVersion) -> None:
    given = DesignInput.fresh(version=str(version.pk), device="cpu")

    assert compare(given, given, {}, {}).rows == []
