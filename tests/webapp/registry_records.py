"""Registered models and applications for tests: real rows through the services, with findings of the test's choice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from django.utils import timezone

from detection.finding import Finding
from webapp.accounts.models import User
from webapp.cases.models import View
from webapp.core import files
from webapp.experiments.models import Run, RunArtifact
from webapp.jobs.models import Job
from webapp.registry import applying, services, standing
from webapp.registry.models import AppliedFinding, AppliedView, ModelApplication, RegisteredModel
from webapp.registry.registration import register_complete_run


def leave_weights(run: Run, content: bytes = b"weights of a detector") -> RunArtifact:
    """The weights file that a complete run has."""
    name = f"runs/{run.pk}/best.safetensors"
    files.write(name, content)
    return RunArtifact.objects.create(
        run=run,
        name="best.safetensors",
        file=name,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def register(run: Run) -> RegisteredModel:
    """The model of a run that `experiment_records.finish` ended."""
    leave_weights(run)
    return register_complete_run(run)


def start(model: RegisteredModel, actor: User, *, synthetic: bool = True) -> ModelApplication:
    """An application to every view of the project, its job in the queue."""
    views = View.objects.filter(exam__project=model.project)
    return services.apply_model(
        actor=actor,
        project=model.project,
        model=model,
        plan=standing.plan(model, views, synthetic=synthetic),
        words="all cases of the project",
    )


def finish(application: ModelApplication, findings: Callable[[AppliedView], list[Finding]]) -> ModelApplication:
    """End an application as `applying.perform` does, without a detector."""
    for applied in application.views.select_related("view").order_by("pk"):
        found = findings(applied)
        AppliedFinding.objects.bulk_create(applying._row(applied, rank, one) for rank, one in enumerate(found))
        AppliedView.objects.filter(pk=applied.pk).update(
            state="done", highest_score=max((one.score for one in found), default=None)
        )
    summary = {
        "views": application.size,
        "unreadable": 0,
        "findings": AppliedFinding.objects.filter(applied_view__application=application).count(),
        "weights_sha256": application.model.weights_sha256,
        "device": "cpu",
        "seconds": 1.0,
    }
    ModelApplication.objects.filter(pk=application.pk).update(summary=summary, finished=timezone.now())
    Job.objects.filter(pk=application.job_id).update(state="done", fraction=1.0)
    application.refresh_from_db()
    return application


def by_place(applied: AppliedView) -> list[Finding]:
    """Findings on right breasts only, with a score that depends on the view."""
    if applied.view.laterality != "R":
        return []
    score = (applied.view_id * 37 % 100) / 100
    return [
        Finding((150.0, 140.0, 200.0, 190.0), score, 0.8, "cluster", ((150.0, 140.0), (200.0, 140.0), (200.0, 190.0))),
        Finding((20.0, 20.0, 40.0, 40.0), score / 2, 0.3, "mass"),
    ]
