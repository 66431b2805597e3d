"""What the page of a run shows while it trains and after it failed; sample predictions never come from a test set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from detection.errors import DetectionError, NonFiniteLoss, OutOfMemory
from detection.finding import Finding
from detection.findings_file import write_findings
from tests.webapp import experiment_records
from tests.webapp.experiment_records import BOX
from webapp.accounts.models import Project, User
from webapp.experiments import sample_sets, services
from webapp.experiments.following import Follower
from webapp.experiments.models import MetricPoint, Run, RunSample
from webapp.jobs import lease
from webapp.jobs.context import JobContext
from webapp.jobs.models import Job

pytestmark = pytest.mark.django_db
RUN = "/study/experiments/1/runs/0-0/"
SEEN = Finding(BOX, 0.8, 0.9, "cluster")
FAINT = Finding((5.0, 5.0, 15.0, 15.0), 0.05, 0.9, "cluster")


@pytest.fixture
def run(project: Project, researcher: User) -> Run:
    version = experiment_records.make_version(project)
    changes = {"epochs": 20, "sample_every": 2}
    experiment = experiment_records.launch(project, researcher, version, ratios=(0.0,), changes=changes)
    return Run.objects.select_related("arm__experiment__version").get(arm__experiment=experiment)


@pytest.fixture
def client(researcher: User) -> Client:
    client = Client()
    client.force_login(researcher)
    return client


def views_of(run: Run, split: str) -> list[int]:
    members = run.arm.experiment.version.version_views.filter(split=split, version_annotations__isnull=False)
    return list(members.order_by("view_id").values_list("view_id", flat=True))


@pytest.mark.parametrize("split", ["train", "internal_test", "external_test"])
def test_the_database_refuses_samples_outside_the_validation_set(run: Run, split: str) -> None:
    view = views_of(run, split)[0]

    with pytest.raises(IntegrityError, match="validation views only"), transaction.atomic():
        services.record_samples(run=run, epoch=1, findings={view: [SEEN]})
    assert not RunSample.objects.exists()


def test_only_the_last_epochs_are_kept_and_a_repeated_one_replaces_itself(run: Run) -> None:
    view = views_of(run, "validation")[0]
    for epoch in range(1, services.SAMPLES_KEPT + 4):
        services.record_samples(run=run, epoch=epoch, findings={view: [FAINT]})
    services.record_samples(run=run, epoch=9, findings={view: [SEEN]})

    kept = dict(run.samples.values_list("epoch", "findings"))
    assert sorted(kept) == list(range(4, services.SAMPLES_KEPT + 4))
    assert [one["score"] for one in kept[9]] == [0.8] and [one["score"] for one in kept[10]] == [0.05]


def test_the_panel_draws_truth_and_kept_findings_by_epoch_and_says_what_it_is(run: Run, client: Client) -> None:
    first, second = views_of(run, "validation")[:2]
    services.record_samples(run=run, epoch=2, findings={first: [FAINT], second: []})
    services.record_samples(run=run, epoch=4, findings={first: [SEEN, FAINT], second: []})

    answer = client.get(f"{RUN}samples/")

    pictures = answer.context["pictures"]
    assert [one.view.pk for one in pictures.views] == [first, second]
    assert [(epoch, len(outlines)) for epoch, outlines in pictures.views[0].epochs] == [(2, 0), (4, 1)]
    malignant = {lesion.malignancy for lesion in _lesions(run, first)} == {"malignant"}
    assert [(one.epoch, one.found, one.lesions, one.findings) for one in pictures.counts] == [
        (2, 0, 2, 0),
        (4, int(malignant), 2, 1),
    ]
    page = answer.content.decode()
    assert "0.80" in page and "0.05" not in page
    assert "not how good it is" in page and "No view of a test set" in page
    assert "2 views of the validation set" in client.get(RUN).content.decode()


def _lesions(run: Run, view: int) -> tuple[Any, ...]:
    (sample,) = sample_sets.acquired_samples(run.arm.experiment.version, "validation", views=[view])
    return sample.lesions


@pytest.mark.parametrize(("every", "words"), [(2, "after epoch 2"), (0, "This arm keeps none")])
def test_without_samples_the_panel_says_when_they_come(
    project: Project, researcher: User, client: Client, every: int, words: str
) -> None:
    version = experiment_records.make_version(project)
    experiment_records.launch(project, researcher, version, ratios=(0.0,), changes={"sample_every": every})

    assert words in client.get(f"{RUN}samples/").content.decode()


@pytest.fixture
def attempt(run: Run) -> JobContext:
    token = lease.new_token()
    assert run.job_id is not None and lease.claim(run.job_id, token)
    job = Job.objects.get(pk=run.job_id)
    return JobContext(job, token)


def test_the_events_of_a_training_become_curves_pace_and_samples(run: Run, attempt: JobContext, tmp_path: Path) -> None:
    follow = Follower(run, attempt, tmp_path)
    view = views_of(run, "validation")[0]
    (tmp_path / "samples").mkdir()
    written = tmp_path / "samples" / "epoch-001.json"
    write_findings(written, {sample_sets.sample_id(view): [SEEN]}, sample_set="validation", model={"epoch": 1})

    at = {"epoch": 1, "epochs": 20}
    follow({"event": "step", **at, "step": 1, "steps": 2, "metrics": {"images_per_second": 3.5, "loading_share": 0.1}})
    follow({"event": "sample", **at, "metrics": {}, "message": "samples/epoch-001.json"})
    losses = {"training_loss": 0.5, "validation_loss": None, "learning_rate": 0.01, "seconds_left": 9.0}
    losses["memory_bytes"] = 3_000_000
    follow({"event": "epoch", **at, "metrics": losses, "message": "done"})

    kept = dict(MetricPoint.objects.filter(run=run, epoch=1).values_list("name", "value"))
    assert kept.pop("memory_bytes") == 3e6
    assert kept == {"training_loss": 0.5, "learning_rate": 0.01, "images_per_second": 3.5, "loading_share": 0.1}
    assert RunSample.objects.get().findings[0]["box"] == list(BOX)
    attempt.job.refresh_from_db()
    assert attempt.job.message.startswith("epoch 1 of 20")


def test_within_an_epoch_the_progress_tells_speed_and_loss(run: Run, attempt: JobContext, tmp_path: Path) -> None:
    metrics = {"images_per_second": 3.51, "training_loss": 0.8421}
    at = {"epoch": 1, "epochs": 20, "step": 1, "steps": 2}
    Follower(run, attempt, tmp_path)({"event": "step", **at, "metrics": metrics})

    attempt.job.refresh_from_db()
    assert attempt.job.message == "epoch 1 of 20, 3.51 images/s, loss of this step 0.842"


def test_the_page_shows_speed_loading_and_memory_of_the_newest_epoch(run: Run, client: Client) -> None:
    for epoch, speed in ((1, 2.0), (2, 4.25)):
        metrics = {"images_per_second": speed, "loading_share": 0.031, "memory_bytes": 2.5e9}
        services.record_metrics(run=run, epoch=epoch, metrics=metrics, attempt=1)

    page = client.get(f"{RUN}status/").content.decode()

    assert "4.2 images/s" in page and "3.1\xa0% of the time of a step" in page and "2.5 GB at most" in page


@pytest.mark.parametrize(
    ("error", "resume"),
    [
        (NonFiniteLoss("The loss became infinite.", "Lower the learning rate."), False),
        (OutOfMemory("Graphics memory was full.", "Choose a smaller batch, or free the card."), True),
    ],
    ids=["of the design", "of the machine"],
)
def test_a_failed_run_says_what_to_do_and_offers_to_resume_only_where_it_helps(
    run: Run, client: Client, error: DetectionError, resume: bool
) -> None:
    services.record_failure(run=run, error=error)
    Job.objects.filter(pk=run.job_id).update(state="failed", error=str(error))
    services.set_run_state(run=run, state="failed", error=str(error))

    page = client.get(RUN).content.decode()

    assert error.message in page and error.advice in page
    assert ("/runs/0-0/retry/" in page) == resume
    assert ("experiments/new/?copy=1" in page) == (not resume)


def test_steps_of_every_arm_stand_beside_each_other(run: Run, client: Client) -> None:
    amount = {"length": "steps", "steps": 1234, "steps_per_pass": 10, "images": 2468, "passes": 123.4}
    Run.objects.filter(pk=run.pk).update(record={"amount": amount})

    assert "1\u202f234" in client.get("/study/experiments/1/").content.decode()
    assert "1234 steps, 2468 images shown, 123 passes over the set" in client.get(RUN).content.decode()
