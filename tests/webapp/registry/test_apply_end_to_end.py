"""A really trained model, registered by its run, applied, cancelled, resumed, and refused with other weights."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.webapp import experiment_records, records, registry_records
from webapp.core import files
from webapp.experiments.models import Prediction, Run
from webapp.jobs import services as jobs
from webapp.jobs.execution import run_all_here, run_here
from webapp.registry import applying, services
from webapp.registry.models import AppliedFinding, ModelApplication, RegisteredModel

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def stop_after(views: int, monkeypatch: pytest.MonkeyPatch, then: Any) -> threading.Event:
    """An event that is set when so many views are done."""
    stop, found, count = threading.Event(), applying._find, []

    def find(*arguments: Any) -> None:
        found(*arguments)
        count.append(1)
        if len(count) == views:
            then()
            stop.set()

    monkeypatch.setattr(applying, "_find", find)
    return stop


def numbers(rows: Any) -> list[tuple[float, ...]]:
    return sorted((one.view_id, one.rank, one.x1, one.y1, one.x2, one.y2, one.score, one.malignancy) for one in rows)


def test_a_run_leaves_a_model_that_finds_on_other_cases_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    project = records.make_project()
    researcher = records.make_member(project, "researcher")
    version = experiment_records.make_version(project, 16, external=2, with_files=True)
    experiment_records.launch(project, researcher, version, ratios=(0.0,))
    assert [job.error for job in run_all_here()] == [""]
    run = Run.objects.get()

    model = RegisteredModel.objects.get(run=run)
    artifact = run.artifacts.get(name="best.safetensors")
    assert (model.weights_file, model.weights_sha256, model.weights_size) == (
        artifact.file,
        artifact.sha256,
        artifact.size,
    )
    assert model.best_epoch == run.best_epoch == 1 and model.environment["device_type"] == "cpu"
    assert model.operating_points["view"]["rows"] == version.version_views.filter(split="validation").count()

    application = registry_records.start(model, researcher)
    job = application.job
    assert job is not None

    stop = stop_after(3, monkeypatch, lambda: jobs.cancel(actor=researcher, job=job))
    assert run_here(job, stop=stop).state == "cancelled"
    assert application.views.filter(state="done").count() == 3
    first = numbers(AppliedFinding.objects.all())
    monkeypatch.undo()
    hidden = application.views.order_by("-pk")[0].view.images.get(kind="recombined")
    path = files.absolute(hidden.file)
    kept = path.read_bytes()
    path.unlink()

    services.set_stage(actor=researcher, model=model, stage="retired", reason="Superseded.")
    jobs.retry(actor=researcher, job=job)
    job.refresh_from_db()
    refused = run_here(job)
    assert refused.state == "failed" and "was retired before this was done" in refused.error
    assert application.views.filter(state="done").count() == 3
    services.set_stage(actor=researcher, model=model, stage="candidate", reason="Needed to go on.")
    jobs.retry(actor=researcher, job=job)
    job.refresh_from_db()
    assert run_here(job).state == "done", job.error
    application.refresh_from_db()

    assert application.finished is not None
    assert application.summary["views"] == application.size - 1 and application.summary["unreadable"] == 1
    assert application.summary["findings"] == AppliedFinding.objects.count()
    assert job.events.filter(kind="resumed", text__contains="after 3 of").exists()
    assert numbers(AppliedFinding.objects.filter(applied_view__in=application.views.order_by("pk")[:3])) == first
    read = application.views.filter(state="done")
    assert numbers(AppliedFinding.objects.exclude(applied_view__split="train").select_related("applied_view")) == (
        numbers(Prediction.objects.filter(run=run, view__in=read.values("view")))
    )
    (unreadable,) = application.views.filter(state="unreadable")
    assert unreadable.reason
    path.write_bytes(kept)

    weights = files.absolute(model.weights_file)
    other = registry_records.start(model, researcher)
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00\x01")
    assert other.job is not None
    failed = run_here(other.job)
    assert failed.state == "failed" and "have changed since it was registered" in failed.error
    weights.unlink()
    jobs.retry(actor=researcher, job=failed)
    failed.refresh_from_db()
    again = run_here(failed)
    assert again.state == "failed" and "are missing" in again.error
    assert not ModelApplication.objects.get(pk=other.pk).views.exclude(state="pending").exists()
