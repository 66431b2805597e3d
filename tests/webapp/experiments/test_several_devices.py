"""A run on several devices: offered where there are several GPUs, and trained by as many processes."""

from __future__ import annotations

import pytest

from tests.webapp import experiment_records, records
from webapp.experiments import devices
from webapp.experiments.models import Run
from webapp.jobs.execution import run_all_here
from webapp.jobs.models import Job


def test_several_gpus_are_offered_together_and_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "graphics_cards", lambda: ("GPU A", "GPU B"))
    assert list(devices.devices()) == ["cpu", "cuda:0,1", "cuda:0", "cuda:1"]
    assert list(devices.single_devices()) == ["cpu", "cuda:0", "cuda:1"]
    monkeypatch.setattr(devices, "graphics_cards", lambda: ("GPU A",))
    assert list(devices.devices()) == ["cpu", "cuda:0"]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_job_trains_on_two_processes_and_finishes_its_run() -> None:
    project = records.make_project()
    researcher = records.make_member(project, "researcher")
    version = experiment_records.make_version(project, 12, with_files=True)
    experiment_records.launch(project, researcher, version, ratios=(0.0,))
    # Two processes on the processor stand for two GPUs; the form offers them on GPUs alone.
    Job.objects.filter(kind="experiments.run").update(device="cpu*2")

    (job,) = run_all_here()

    assert (job.state, job.error) == ("done", "")
    run = Run.objects.get()
    assert run.state == "done"
    assert run.record["environment"]["processes"] == 2
    assert run.metric_points.filter(name="training_loss").count() == 1
    assert run.metric_points.get(name="memory_bytes").value > 1e7
