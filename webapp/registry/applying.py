"""Running a model on the views of an application. Runs in a job's own process."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.utils import timezone

from detection.configuration import MaskRCNNConfiguration
from detection.detector import Detector, TrainingOutcome
from detection.errors import UnreadableSample
from detection.finding import Finding
from imaging.errors import ImagingError
from imaging.reading import read_pair
from webapp.core.errors import UserError
from webapp.experiments.sample_sets import unannotated_sample
from webapp.jobs.context import JobContext
from webapp.jobs.errors import JobStopped
from webapp.registry import selectors, weights
from webapp.registry.models import AppliedFinding, AppliedView, ModelApplication, RegisteredModel, Stage

State = AppliedView.State
LONGEST_REASON = 300


def perform(application: ModelApplication, context: JobContext) -> dict[str, Any]:
    """Find lesions on every view that is not done yet; each view is stored as soon as it is done.

    Raises
    ------
    UserError
        If the model is retired, its weights are missing or altered, or no view could be read.
    JobStopped
        When asked to stop; the views that are done stay.
    """
    model = application.model
    if selectors.stage_of(model) == Stage.RETIRED:
        raise UserError(
            f"Model {model.number} was retired before this was done. Make it a candidate again, then resume: "
            "views that are done stay."
        )
    path = weights.require_intact(model)
    views = AppliedView.objects.filter(application=application)
    with context.atomic():
        # what could not be read before may have been restored
        views.filter(state=State.UNREADABLE).update(state=State.PENDING, reason="")
    pending = list(
        views.filter(state=State.PENDING).select_related("view").prefetch_related("view__images").order_by("pk")
    )
    done = application.size - len(pending)
    if done:
        context.event("resumed", f"Goes on after {done} of {application.size} views.")
    detector = load(model, path, context.attempt_directory / "model", context.job.device)
    started = time.monotonic()
    for applied in pending:
        if context.should_stop():
            raise JobStopped("stopped between two views")
        context.progress(done / application.size, f"view {done + 1} of {application.size}")
        _find(applied, detector, context)
        done += 1
    readable = views.filter(state=State.DONE).count()
    if not readable:
        first = views.filter(state=State.UNREADABLE).values_list("reason", flat=True).first()
        raise UserError(f"None of the {application.size} views could be read. The first: {first}")
    summary = {
        "views": readable,
        "unreadable": application.size - readable,
        "findings": AppliedFinding.objects.filter(applied_view__application=application).count(),
        "weights_sha256": model.weights_sha256,
        "device": context.job.device,
        "seconds": round(time.monotonic() - started, 1),
    }
    with context.completing(summary):
        ModelApplication.objects.filter(pk=application.pk).update(summary=summary, finished=timezone.now())
    return summary


def load(model: RegisteredModel, path: Path, folder: Path, device: str) -> Detector:
    """The detector of a registered model, from its weights and its record alone.

    Parameters
    ----------
    path : Path
        The verified weights.
    folder : Path
        Receives what the detector family opens: configuration, outcome and a link to the weights.
    """
    # Imported here: torch is loaded by the job's process alone.
    from detection.registry import family

    folder.mkdir(parents=True, exist_ok=True)
    outcome = TrainingOutcome(
        curve=(),
        best_epoch=model.best_epoch or 0,
        weights="weights.safetensors",
        weights_sha256=model.weights_sha256,
        record={"model": model.number},
    )
    (folder / "configuration.json").write_text(MaskRCNNConfiguration.from_dict(model.configuration).to_json())
    (folder / "outcome.json").write_text(outcome.to_json())
    link = folder / outcome.weights
    link.unlink(missing_ok=True)
    link.symlink_to(path)
    return family(model.family).load(folder, device)


def _find(applied: AppliedView, detector: Detector, context: JobContext) -> None:
    try:
        sample = unannotated_sample(applied.view)
        pair = read_pair(
            sample.low_energy,
            sample.recombined,
            laterality=sample.laterality,
            view_position=sample.view_position,
            spacing_mm=sample.spacing_mm,
        )
        found = detector.predict(pair)
    except (ImagingError, UnreadableSample, UserError) as error:
        context.log(f"view {applied.view_id}: {error}")
        with context.atomic():
            AppliedView.objects.filter(pk=applied.pk).update(state=State.UNREADABLE, reason=str(error)[:LONGEST_REASON])
        return
    with context.atomic():
        AppliedFinding.objects.bulk_create(_row(applied, rank, finding) for rank, finding in enumerate(found))
        AppliedView.objects.filter(pk=applied.pk).update(
            state=State.DONE, highest_score=max((finding.score for finding in found), default=None)
        )


def _row(applied: AppliedView, rank: int, finding: Finding) -> AppliedFinding:
    x1, y1, x2, y2 = finding.box
    return AppliedFinding(
        applied_view=applied,
        rank=rank,
        x1=x1,
        y1=y1,
        x2=x2,
        y2=y2,
        score=finding.score,
        malignancy=finding.malignancy,
        lesion_type=finding.lesion_type,
        contour=[list(point) for point in finding.contour] if finding.contour else None,
    )
