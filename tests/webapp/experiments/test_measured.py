"""Numbers on the validation split while a run trains: stored with their n or reason, drawn, compared like with like."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from detection.detector import Measure
from detection.evaluation.images import evaluated_images
from detection.evaluation.protocol import Protocol
from detection.sample_set import SampleSet
from detection.training.validation_numbers import counted, validation_numbers
from tests.webapp import experiment_records, records
from tests.webapp.experiment_records import seen
from webapp.accounts.models import Project, User
from webapp.datasets.models import DatasetVersion
from webapp.experiments import sample_sets, services
from webapp.experiments.following import Follower
from webapp.experiments.models import Experiment, MetricPoint, Run
from webapp.experiments.run_comparison import compare_runs
from webapp.experiments.validation_numbers import MEASURED, basis
from webapp.jobs import lease, places
from webapp.jobs.context import JobContext
from webapp.jobs.models import Job

pytestmark = pytest.mark.django_db
RUN = "/study/experiments/1/runs/0-0/"
COMPARE = "/study/experiments/compare/?run=1-0-0&run=1-0-1"
MEASURES = {
    "validation_sensitivity": Measure(0.5, 4),
    "validation_precision": Measure(None, 0, "undefined: no findings above the threshold"),
    "validation_false_positives_per_image": Measure(1.25, 8),
    "validation_average_precision": Measure(0.375, 4),
}


@pytest.fixture
def experiment(project: Project, researcher: User, version: DatasetVersion) -> Experiment:
    changes = {"epochs": 8, "measure_every": 2}
    return experiment_records.launch(project, researcher, version, ratios=(0.0,), seeds=(0, 1), changes=changes)


@pytest.fixture
def run(experiment: Experiment) -> Run:
    return Run.objects.select_related("arm__experiment__version").get(arm__experiment=experiment, seed=0)


@pytest.fixture
def client(researcher: User) -> Client:
    client = Client()
    client.force_login(researcher)
    return client


def test_the_names_are_those_that_training_gives() -> None:
    assert set(MEASURED) == set(validation_numbers([], Protocol())) == set(MEASURES)


def test_numbers_of_an_epoch_event_are_stored_with_n_or_reason_and_replaced_when_told_again(
    run: Run, tmp_path: Path
) -> None:
    token = lease.new_token()
    assert run.job_id is not None and lease.claim(run.job_id, token)
    attempt = JobContext(Job.objects.get(pk=run.job_id), token)
    event: dict[str, Any] = {
        "event": "epoch",
        "epoch": 2,
        "epochs": 8,
        "metrics": {"training_loss": 0.5},
        "measures": {name: asdict(one) for name, one in MEASURES.items()},
    }
    follow = Follower(run, attempt, tmp_path)
    follow(event | {"measures": {"validation_sensitivity": asdict(Measure(0.25, 4))}})
    follow(event)
    follow({"event": "epoch", "epoch": 3, "epochs": 8, "metrics": {"training_loss": 0.4}})

    points = MetricPoint.objects.filter(run=run, name__in=MEASURED)
    assert {point.name: Measure(point.value, point.n, point.undefined or None) for point in points} == MEASURES
    assert {point.epoch for point in points} == {2}
    log = places.log_tail(attempt.job)
    assert "validation sensitivity 0.5" in log
    assert "validation precision undefined: no findings above the threshold" in log


@pytest.mark.parametrize(("value", "undefined"), [(None, ""), (0.5, "undefined: no lesions")])
def test_the_database_wants_a_value_or_the_reason_for_none(run: Run, value: float | None, undefined: str) -> None:
    with pytest.raises(IntegrityError, match="metric_point_value_or_reason"), transaction.atomic():
        MetricPoint.objects.create(run=run, name="any", epoch=1, value=value, undefined=undefined)


def test_the_page_says_what_the_numbers_rest_on_as_training_counts_it(run: Run, client: Client) -> None:
    samples = SampleSet("validation", tuple(sample_sets.acquired_samples(run.arm.experiment.version, "validation")))
    images = evaluated_images(samples.samples, {sample.sample_id: seen(0.5)(sample) for sample in samples.samples})
    found = basis(run.arm.experiment.version)
    assert counted(images) == {"views": found.views, "patients": found.patients, "lesions": found.lesions}
    assert 0 < found.lesions < found.views and found.patients < found.views

    page = client.get(RUN).content.decode()

    words = f"n = {found.lesions} malignant lesions in {found.views} views of {found.patients} patients"
    assert words in page
    assert "every 2 epochs and after the last" in page and "with the weights of the epoch" in page
    assert "score &gt; 0.1 and box IoU &gt; 0.1" in page


def test_curves_draw_the_numbers_and_leave_a_gap_with_the_reason_where_there_is_none(run: Run, client: Client) -> None:
    services.record_metrics(run=run, epoch=1, metrics={"validation_loss": 0.4}, attempt=1)
    services.record_metrics(run=run, epoch=4, metrics={"validation_loss": 0.6}, attempt=2)
    for epoch, attempt in ((2, 1), (4, 2)):
        services.record_measures(run=run, epoch=epoch, measures=MEASURES, attempt=attempt)

    found = json.loads(client.get(f"{RUN}curves.json?of=found").content)
    false = json.loads(client.get(f"{RUN}curves.json?of=false").content)

    lines = {line["name"]: (line["x"], line["y"]) for line in found["series"]}
    assert lines == {
        "sensitivity": ([2, 4], [0.5, 0.5]),
        "precision": ([2, 4], [None, None]),
        "average precision": ([2, 4], [0.375, 0.375]),
    }
    readings = {line["name"]: line["customdata"][0]["text"] for line in found["series"]}
    assert readings["precision"] == "precision undefined: no findings above the threshold at epoch 2"
    assert readings["sensitivity"] == "sensitivity 0.500 (n = 4 malignant lesions) at epoch 2"
    assert [shape["x0"] for shape in found["layout"]["shapes"]] == [4]
    assert [line["y"] for line in false["series"]] == [[1.25, 1.25]]
    losses = json.loads(client.get(f"{RUN}curves.json").content)
    assert [line["name"] for line in losses["series"]] == ["training", "validation"]


def test_the_newest_numbers_stand_beside_the_state_and_undefined_is_never_nought(run: Run, client: Client) -> None:
    services.record_measures(run=run, epoch=2, measures={"validation_sensitivity": Measure(0.25, 4)}, attempt=1)
    services.record_measures(run=run, epoch=4, measures=MEASURES, attempt=1)

    page = client.get(f"{RUN}status/").content.decode()

    assert "sensitivity 0.500 (n = 4 malignant lesions)" in page and "0.250" not in page
    assert "precision undefined: no findings above the threshold" in page and "at epoch 4" in page


def test_an_arm_that_measures_none_says_where_to_ask_for_it(
    project: Project, researcher: User, version: DatasetVersion, client: Client
) -> None:
    changes = {"measure_every": 0}
    experiment_records.launch(project, researcher, version, ratios=(0.0,), changes=changes)

    page = client.get(RUN).content.decode()

    assert "This arm measures none" in page and 'id="found"' not in page


def test_averaged_weights_are_named(
    project: Project, researcher: User, version: DatasetVersion, client: Client
) -> None:
    changes = {"measure_every": 1, "weight_averaging": 0.9}
    experiment_records.launch(project, researcher, version, ratios=(0.0,), changes=changes)

    page = client.get(RUN).content.decode()

    assert "after every epoch, with the averaged weights, which are those kept" in page


def test_runs_side_by_side_show_the_numbers_and_those_of_the_epoch_kept(experiment: Experiment, client: Client) -> None:
    for run in Run.objects.filter(arm__experiment=experiment):
        Run.objects.filter(pk=run.pk).update(best_epoch=4)
        for epoch in (2, 4):
            measures = MEASURES | {"validation_sensitivity": Measure(0.25 * (1 + run.seed), 4)}
            services.record_measures(run=run, epoch=epoch, measures=measures, attempt=1)

    answer = client.get(COMPARE)

    figures = {one["name"]: one["figure"]["data"] for one in answer.context["measured"]}
    assert set(figures) == set(MEASURED)
    assert [trace["y"] for trace in figures["validation_sensitivity"]] == [[0.25, 0.25], [0.5, 0.5]]
    rows = {row.label: row.values for part in answer.context["comparison"].differing for row in part.rows}
    assert rows["Validation sensitivity of that epoch"] == [
        "0.250 (n = 4 malignant lesions)",
        "0.500 (n = 4 malignant lesions)",
    ]
    same = {row.label: row.values[0] for row in answer.context["comparison"].same}
    assert same["Validation precision of that epoch"] == "undefined: no findings above the threshold"


@pytest.mark.parametrize("differs", ["protocol", "version"])
def test_numbers_under_other_rules_or_on_other_views_are_not_set_side_by_side(
    project: Project, researcher: User, experiment: Experiment, client: Client, differs: str
) -> None:
    first = Run.objects.get(arm__experiment=experiment, seed=0)
    if differs == "version":
        exams = experiment_records.make_exams(project, 16, with_files=False)
        other_version = records.make_frozen_version(
            project, records.make_member(project, "curator"), exams, name="Other", test_share=0.5
        )
        other = experiment_records.launch(project, researcher, other_version, ratios=(0.0,))
    else:
        version = first.arm.experiment.version
        other = experiment_records.launch(
            project, researcher, version, ratios=(0.0,), protocol=Protocol(score_above=0.5)
        )
    second = Run.objects.get(arm__experiment=other)
    for run in (first, second):
        Run.objects.filter(pk=run.pk).update(best_epoch=4)
        services.record_measures(run=run, epoch=4, measures=MEASURES, attempt=1)
        run.refresh_from_db()

    answer = client.get("/study/experiments/compare/?run=1-0-0&run=2-0-0")

    said = {"protocol": "Their protocols differ", "version": "Their validation splits differ"}[differs]
    assert said in answer.content.decode() and answer.context["measured"] == []
    found = compare_runs([first, second])
    labels = {row.label for part in found.differing for row in part.rows} | {row.label for row in found.same}
    assert "Validation loss of that epoch" in labels
    assert not any(label.startswith("Validation sensitivity") for label in labels)
