"""Pages of experiments and runs: who sees what, and what stands on them."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from tests.webapp import experiment_records, records
from webapp.accounts.models import Project, User
from webapp.core import files
from webapp.core.models import AuditEvent
from webapp.experiments import services
from webapp.experiments.models import Experiment, Run, RunArtifact
from webapp.jobs.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def experiment(project: Project, researcher: User) -> Experiment:
    return experiment_records.launch(project, researcher, experiment_records.make_version(project), ratios=(0.0,))


@pytest.fixture
def run(experiment: Experiment) -> Run:
    return Run.objects.select_related("arm__experiment").get()


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def add_artifact(run: Run) -> RunArtifact:
    name = f"runs/{run.pk}/outcome.json"
    path = files.write(name, b"{}")
    return RunArtifact.objects.create(run=run, name="outcome.json", file=name, size=2, sha256=files.sha256(path))


def addresses(run: Run) -> dict[str, str]:
    here = ["study", 1, 0, 0]
    return {
        "list": reverse("experiments:list", args=["study"]),
        "experiment": reverse("experiments:experiment", args=["study", 1]),
        "runs": reverse("experiments:runs", args=["study", 1]),
        "run": reverse("experiments:run", args=here),
        "status": reverse("experiments:status", args=here),
        "curves": reverse("experiments:curves", args=here),
        "artifact": reverse("experiments:artifact", args=[*here, add_artifact(run).pk]),
    }


@pytest.mark.parametrize("name", ["list", "experiment", "runs", "run", "status", "curves", "artifact"])
def test_members_read_outsiders_find_nothing_and_strangers_sign_in(project: Project, run: Run, name: str) -> None:
    address = addresses(run)[name]

    shown = signed_in(records.make_member(project, "observer")).get(address)
    assert shown.status_code == 200
    if shown.streaming:
        assert b"".join(shown) == b"{}"
    assert signed_in(records.make_member(None, "outsider")).get(address).status_code == 404
    answer = Client().get(address)
    assert answer.status_code == 302 and "/sign-in/" in answer["Location"]


@pytest.mark.parametrize("name", ["new", "consequences"])
@pytest.mark.parametrize(
    ("role", "status"), [("observer", 403), ("radiologist", 403), ("curator", 403), ("admin", 200)]
)
def test_only_those_who_launch_open_the_design_form(project: Project, name: str, role: str, status: int) -> None:
    client, address = signed_in(records.make_member(project, role)), reverse(f"experiments:{name}", args=["study"])

    answer = client.get(address) if name == "new" else client.post(address)

    assert answer.status_code == status


def test_the_run_page_shows_state_log_record_and_where_it_belongs(run: Run, researcher: User) -> None:
    page = signed_in(researcher).get(addresses(run)["run"]).content.decode()

    for words in (
        "Experiment 1",
        "Real + 0 %, seed 0",
        "Waiting",
        "attempt 0 of 3",
        "Nothing is written here yet",
        "Code",
    ):
        assert words in page
    assert f'data-job-id="{run.job_id}"' in page


@pytest.mark.parametrize("kept, marked", [("validation_loss", [(2, "best so far 2")]), ("last", [])])
def test_curves_mark_the_best_epoch_and_where_a_later_attempt_took_over(
    project: Project, researcher: User, kept: str, marked: list[tuple[int, str]]
) -> None:
    version = experiment_records.make_version(project)
    experiment = experiment_records.launch(
        project, researcher, version, ratios=(0.0,), changes={"epochs": 3, "best_epoch": kept}
    )
    run = Run.objects.get(arm__experiment=experiment)
    for epoch, attempt, loss in ((1, 1, 0.9), (2, 1, 0.5), (3, 2, 0.7)):
        services.record_metrics(
            run=run, epoch=epoch, metrics={"training_loss": loss, "validation_loss": loss + 0.1}, attempt=attempt
        )

    answer = json.loads(signed_in(researcher).get(addresses(run)["curves"]).content)

    assert {line["name"]: line["y"] for line in answer["series"]} == {
        "training": [0.9, 0.5, 0.7],
        "validation": [1.0, 0.6, 0.7 + 0.1],
    }
    assert [(mark["x"], mark["text"]) for mark in answer["layout"]["annotations"]] == [
        (3, "resumed, attempt 2"),
        *marked,
    ]
    assert answer["done"] is False


def test_curves_of_an_ended_run_say_that_there_is_no_more(run: Run, researcher: User) -> None:
    services.set_run_state(run=run, state="done")

    assert json.loads(signed_in(researcher).get(addresses(run)["curves"]).content)["done"] is True


def test_cancelling_and_resuming_go_through_the_job(run: Run, researcher: User) -> None:
    client, here = signed_in(researcher), ["study", 1, 0, 0]

    client.post(reverse("experiments:cancel", args=here))
    run.refresh_from_db()
    assert run.state == "cancelled" and Job.objects.get(pk=run.job_id).state == "cancelled"

    answer = client.post(reverse("experiments:retry", args=here), follow=True)
    run.refresh_from_db()
    assert run.state == "queued" and "queued again" in answer.content.decode()


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_an_observer_neither_cancels_nor_resumes(project: Project, run: Run, verb: str) -> None:
    observer = signed_in(records.make_member(project, "observer"))

    answer = observer.post(reverse(f"experiments:{verb}", args=["study", 1, 0, 0]))

    assert answer.status_code == 403
    assert Job.objects.get(pk=run.job_id).state == "queued"


def test_a_download_is_written_down_with_the_hash(run: Run, researcher: User) -> None:
    answer = signed_in(researcher).get(addresses(run)["artifact"])
    content = b"".join(answer)

    assert content == b"{}" and "experiment-1-arm-0-seed-0-outcome.json" in answer["Content-Disposition"]
    event = AuditEvent.objects.get(action="experiments.download")
    assert event.actor_name == researcher.username and len(event.details["sha256"]) == 64


def test_a_file_of_another_run_is_not_found(project: Project, researcher: User) -> None:
    version = experiment_records.make_version(project)
    experiment_records.launch(project, researcher, version, ratios=(0.0,), seeds=(0, 1))
    first, second = Run.objects.order_by("seed")
    foreign = add_artifact(second)

    answer = signed_in(researcher).get(reverse("experiments:artifact", args=["study", 1, 0, first.seed, foreign.pk]))

    assert answer.status_code == 404


def test_the_list_takes_the_same_number_of_queries_for_one_experiment_as_for_three(
    project: Project, researcher: User, experiment: Experiment
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client, address = signed_in(researcher), reverse("experiments:list", args=["study"])
    client.get(address)
    with CaptureQueriesContext(connection) as one:
        client.get(address)
    for _ in range(2):
        experiment_records.launch(project, researcher, experiment.version, ratios=(0.0,))
    with CaptureQueriesContext(connection) as three:
        client.get(address)

    assert len(three) == len(one)
