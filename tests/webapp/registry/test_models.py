"""Registered models: what they keep, who decides about them, and what happens when their weights are not theirs."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.urls import reverse

from tests.webapp import experiment_records, records, registry_records
from tests.webapp.registry.conftest import client_of
from webapp.accounts.models import User
from webapp.core import files
from webapp.core.errors import NotAllowed, UserError
from webapp.core.models import AuditEvent
from webapp.experiments.models import ArmSyntheticView, Experiment, Run
from webapp.registry import selectors, services, weights
from webapp.registry.models import HistoryEntry, RegisteredModel, Stage

pytestmark = pytest.mark.django_db


@pytest.fixture
def model(ended: Experiment) -> RegisteredModel:
    return registry_records.register(Run.objects.get(arm__experiment=ended, seed=3))


def test_a_model_keeps_what_is_needed_to_say_what_it_is(model: RegisteredModel, ended: Experiment) -> None:
    run = model.run
    assert (model.number, model.seed, model.preset, model.family) == (1, 3, "cpu-quick", "mask_rcnn")
    assert model.configuration["values"]["seed"] == 3
    assert model.configuration["values"]["epochs"] == experiment_records.TINY["epochs"]
    assert {one["value"] for one in model.differences} >= {1, 64, 96}
    assert model.data_hash == ended.version.content_hash
    assert model.code["source_hash"] == ended.reproducibility["source_hash"] and model.environment["python"]
    counted = model.training_counts
    members = ended.version.version_views.filter(split="train")
    assert counted["real"]["views"] == members.count() > 0
    assert sum(counted["real"]["lesions"].values()) == sum(one.version_annotations.count() for one in members)
    assert counted["synthetic"]["views"] == ArmSyntheticView.objects.filter(arm=run.arm).count() == 0
    assert model.operating_points["view"]["rows"] == ended.version.version_views.filter(split="validation").count()
    assert weights.state(model) == weights.INTACT
    (entry,) = model.history.all()
    assert (entry.stage, entry.actor_name) == (Stage.CANDIDATE, "researcher")


def test_a_model_names_the_code_of_its_run_where_that_is_newer_than_the_launch(ended: Experiment) -> None:
    run = Run.objects.get(arm__experiment=ended, seed=0)
    own = {"commit": "c" * 40, "source_hash": "d" * 64, "environment": {"scipy": "99.0"}}
    Run.objects.filter(pk=run.pk).update(record=own)
    run.refresh_from_db()

    model = registry_records.register(run)

    assert model.code == {"commit": "c" * 40, "source_hash": "d" * 64}
    assert model.environment["scipy"] == "99.0" and model.environment["numpy"]


def test_the_command_registers_complete_runs_once(ended: Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = Run.objects.filter(arm__experiment=ended).order_by("seed")
    registry_records.leave_weights(first)

    call_command("register_models")
    call_command("register_models")

    assert list(RegisteredModel.objects.values_list("run", "number")) == [(first.pk, 1)]
    said = capsys.readouterr()
    assert "1 model registered" in said.out and "0 models registered" in said.out
    assert f"{second}: {second} left no weights file" in said.err


def test_decisions_and_notes_are_kept_with_who_and_why(model: RegisteredModel, researcher: User) -> None:
    services.set_stage(actor=researcher, model=model, stage="promoted", reason="Best on validation.")
    services.annotate(actor=researcher, model=model, text="Used in the reader study.")
    services.set_stage(actor=researcher, model=model, stage="retired", reason="Superseded.")

    assert selectors.stage_of(model) == Stage.RETIRED
    assert selectors.models_of(researcher, model.project).get().stage == Stage.RETIRED  # type: ignore[attr-defined]
    kept = [(one.stage, one.text, one.actor_name) for one in model.history.all()][1:]
    assert kept == [
        ("promoted", "Best on validation.", "researcher"),
        ("", "Used in the reader study.", "researcher"),
        ("retired", "Superseded.", "researcher"),
    ]
    actions = AuditEvent.objects.filter(action__startswith="registry.").order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["registry.register", "registry.promote", "registry.annotate", "registry.retire"]


@pytest.mark.parametrize(
    ("stage", "reason", "said"),
    [
        ("promoted", "  ", "Give the reason"),
        ("candidate", "Again.", "is candidate already"),
        ("best", "It is.", "Choose candidate"),
        ("promoted", "x" * 1001, "At most 1000"),
    ],
)
def test_a_decision_without_sense_is_refused(
    model: RegisteredModel, researcher: User, stage: str, reason: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        services.set_stage(actor=researcher, model=model, stage=stage, reason=reason)


@pytest.mark.parametrize("role", ["observer", "radiologist", "curator"])
def test_others_read_and_decide_nothing(model: RegisteredModel, role: str) -> None:
    person = records.make_member(model.project, role)
    for call in (
        lambda: services.set_stage(actor=person, model=model, stage="retired", reason="No."),
        lambda: services.annotate(actor=person, model=model, text="No."),
        lambda: services.record_download(actor=person, model=model),
        lambda: registry_records.start(model, person),
    ):
        with pytest.raises(NotAllowed):
            call()
    page = client_of(person).get(reverse("registry:model", args=["study", 1])).content.decode()
    assert "Researchers and admins download weights" in page
    assert "data-dialog-open" not in page.split("page-head")[1].split("grid-12")[0]


def test_models_and_their_history_never_change(model: RegisteredModel) -> None:
    for change in (
        lambda: RegisteredModel.objects.filter(pk=model.pk).update(seed=9),
        lambda: HistoryEntry.objects.filter(model=model).update(text="Other."),
        lambda: HistoryEntry.objects.filter(model=model).delete(),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


def test_altered_or_missing_weights_are_said_and_never_used(model: RegisteredModel, researcher: User) -> None:
    path = files.absolute(model.weights_file)
    address = reverse("registry:model", args=["study", 1])
    client = client_of(researcher)
    assert "Verified" in client.get(address).content.decode()

    path.write_bytes(b"other weights of a detector")
    assert weights.state(model) == weights.ALTERED
    page = client.get(address).content.decode()
    assert "has changed since the model was registered" in page and "Apply to cases</a>" not in page
    with pytest.raises(UserError, match="have changed since it was registered"):
        services.set_stage(actor=researcher, model=model, stage="promoted", reason="Best.")
    with pytest.raises(UserError, match="have changed"):
        registry_records.start(model, researcher)
    answer = client.get(reverse("registry:weights", args=["study", 1]))
    assert answer.status_code == 302 and not AuditEvent.objects.filter(action="registry.download").exists()

    path.unlink()
    assert weights.state(model) == weights.MISSING
    assert "The weights file is missing" in client.get(address).content.decode()
    with pytest.raises(UserError, match="are missing"):
        registry_records.start(model, researcher)


def test_the_weights_are_downloaded_as_registered_and_it_is_written_down(
    model: RegisteredModel, researcher: User
) -> None:
    answer = client_of(researcher).get(reverse("registry:weights", args=["study", 1]))

    assert b"".join(answer.streaming_content) == b"weights of a detector"  # type: ignore[attr-defined]
    assert AuditEvent.objects.get(action="registry.download").details["sha256"] == model.weights_sha256


def test_the_list_filters_and_sorts(ended: Experiment, model: RegisteredModel, researcher: User) -> None:
    other = registry_records.register(Run.objects.get(arm__experiment=ended, seed=0))
    services.set_stage(actor=researcher, model=other, stage="promoted", reason="Best.")
    client = client_of(researcher)

    def numbers(**query: Any) -> list[int]:
        answer = client.get(reverse("registry:list", args=["study"]), query)
        return [row["model"].number for row in answer.context["rows"]]

    assert numbers() == [2, 1]
    assert numbers(sort="number") == [1, 2]
    assert numbers(stage="promoted") == [2]
    assert numbers(stage="candidate", preset="cpu-quick", dataset=ended.version.dataset.slug, experiment=1) == [1]
    assert numbers(experiment=7) == [] and numbers(preset="paper-2024") == []
    assert numbers(stage="nonsense", sort="nonsense") == [2, 1]


def test_the_run_names_its_model(model: RegisteredModel, researcher: User) -> None:
    run = model.run
    page = client_of(researcher).get(
        reverse("experiments:run", args=["study", run.arm.experiment.number, run.arm.position, run.seed])
    )
    assert reverse("registry:model", args=["study", model.number]) in page.content.decode()


def test_the_api_reads_models_with_their_record(model: RegisteredModel) -> None:
    client = client_of(records.make_member(model.project, "observer"))
    (listed,) = client.get(reverse("api:models", args=["study"]), {"stage": "candidate"}).json()["results"]
    assert (listed["number"], listed["stage"], listed["weights_sha256"]) == (1, "candidate", model.weights_sha256)
    assert client.get(reverse("api:models", args=["study"]), {"stage": "retired"}).json()["count"] == 0

    detail = client.get(reverse("api:model", args=["study", 1])).json()

    assert detail["weights_state"] == "intact" and detail["configuration"]["values"]["seed"] == 3
    assert detail["operating_points"]["view"]["points"][0]["rule"] == "Youden"
    assert [one["stage"] for one in detail["history"]] == ["candidate"]
