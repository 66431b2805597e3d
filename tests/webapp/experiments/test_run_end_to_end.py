"""A real run from the design to its numbers, in this process, on tiny pictures."""

from __future__ import annotations

import pytest

from detection.detector import Measure
from detection.evaluation.images import evaluated_images
from detection.evaluation.protocol import Protocol
from detection.finding import Finding
from detection.training.validation_numbers import validation_numbers
from tests.webapp import experiment_records, records
from webapp.core import files
from webapp.experiments import sample_sets
from webapp.experiments.models import ArmSyntheticView, Prediction, Run
from webapp.experiments.validation_numbers import MEASURED, basis
from webapp.jobs.execution import run_all_here
from webapp.results.models import Evaluation
from webapp.results.selectors import summary

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_an_experiment_simulates_trains_predicts_evaluates_and_opens_its_results() -> None:
    project = records.make_project()
    researcher = records.make_member(project, "researcher")
    version = experiment_records.make_version(project, 16, external=2, with_files=True)
    experiment = experiment_records.launch(project, researcher, version, changes={"sample_every": 1})

    jobs = run_all_here()

    assert [(job.kind, job.state, job.error) for job in jobs] == [
        ("simulations.batch", "done", ""),
        ("experiments.run", "done", ""),
        ("experiments.run", "done", ""),
    ]
    plain, synthetic = Run.objects.order_by("arm__position")
    assert plain.state == synthetic.state == "done" and plain.best_epoch == 1
    assert not ArmSyntheticView.objects.filter(arm=plain.arm).exists()
    assert ArmSyntheticView.objects.filter(arm=synthetic.arm).count() > 0
    assert set(ArmSyntheticView.objects.values_list("synthetic_view__split", flat=True)) == {"train"}
    assert "random" in str(plain.record["initial_weights"])
    assert plain.metric_points.filter(name="training_loss").count() == 1
    assert not plain.metric_points.filter(name="seconds_left").exists()
    pace = dict(plain.metric_points.exclude(name__contains="loss").values_list("name", "value"))
    assert pace["images_per_second"] > 0 and 0 <= pace["loading_share"] <= 1 and pace["memory_bytes"] > 1e6
    found: dict[str, list[Finding]] = {
        sample.sample_id: [
            Finding((one.x1, one.y1, one.x2, one.y2), one.score, one.malignancy, one.lesion_type)
            for one in Prediction.objects.filter(run=plain, view=sample_sets.view_id(sample.sample_id)).order_by("rank")
        ]
        for sample in sample_sets.acquired_samples(version, "validation")
    }
    images = evaluated_images(sample_sets.acquired_samples(version, "validation"), found)
    measured = {
        point.name: Measure(point.value, point.n, point.undefined or None)
        for point in plain.metric_points.filter(name__in=MEASURED)
    }
    assert measured == validation_numbers(images, Protocol())
    assert measured["validation_sensitivity"].n == plain.record["measured"]["lesions"] == basis(version).lesions
    sampled = set(plain.samples.values_list("view", flat=True))
    assert sampled and sampled <= set(version.version_views.filter(split="validation").values_list("view", flat=True))
    assert (
        plain.record["amount"]["steps"] > 0 and plain.record["source_hash"] == experiment.reproducibility["source_hash"]
    )
    assert {"scipy", "torch", "device_type"} <= plain.record["environment"].keys() and "commit" in plain.record
    for artifact in plain.artifacts.all():
        assert files.sha256(files.absolute(artifact.file)) == artifact.sha256
    assert {artifact.name for artifact in plain.artifacts.all()} >= {"best.safetensors", "record.json", "outcome.json"}
    assert not Prediction.objects.filter(view__origin="synthetic").exists()
    assert Prediction.objects.filter(split="train").count() == 0

    numbers = summary(experiment)
    assert [arm["synthetic_ratio"] for arm in numbers["arms"]] == [0.0, 1.0]
    for run, arm in zip((plain, synthetic), numbers["arms"], strict=True):
        (shown,) = arm["runs"]
        for test_set, words in (("internal_test", "internal"), ("external_test", "external")):
            stored = Evaluation.objects.get(run=run, test_set=test_set).result
            for measure in ("sensitivity", "precision", "auc"):
                assert shown["test_sets"][words][measure]["value"] == stored[measure]["malignant"]["value"]
                assert shown["test_sets"][words][measure]["n"] == stored[measure]["malignant"]["n"]
