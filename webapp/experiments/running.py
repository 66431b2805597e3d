"""One run from beginning to end: sample sets, training, predictions, evaluation. Runs in a job's own process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from detection.configuration import MaskRCNNConfiguration
from detection.detector import Detector, TrainingOutcome
from detection.errors import DetectionError, Interrupted
from detection.evaluation.protocol import Protocol
from detection.finding import Finding
from detection.sample_set import SampleSet
from detection.view_cache import ViewCache
from imaging.reading import read_pair
from webapp.core import files
from webapp.core.errors import UserError
from webapp.datasets.models import Split
from webapp.experiments import reproducibility, sample_sets, services
from webapp.experiments.evaluators import evaluators
from webapp.experiments.following import TRAINING_SHARE, Follower
from webapp.experiments.models import Prediction, Run, RunArtifact, RunState
from webapp.jobs.context import JobContext
from webapp.jobs.errors import JobStopped

PREDICTED_SPLITS = (Split.VALIDATION, Split.INTERNAL_TEST, Split.EXTERNAL_TEST)


def perform(run: Run, context: JobContext) -> dict[str, Any]:
    """Train, predict and evaluate; continues from the last checkpoint after an interruption.

    Raises
    ------
    UserError, DetectionError
        With words for the run page.
    JobStopped
        When asked to stop, after a checkpoint.
    """
    with context.atomic():
        services.set_run_state(run=run, state=RunState.RUNNING)
    version = run.arm.experiment.version
    if version.content_hash != run.arm.experiment.reproducibility.get("data_hash"):
        raise UserError("The dataset version is not the one the experiment was started with.")
    made_with = reproducibility.of_run()
    folder = context.work_directory / "training"
    folder.mkdir(parents=True, exist_ok=True)
    synthetic = services.choose_synthetic_views(arm=run.arm)
    training = sample_sets.training_set(version, Split.TRAIN, synthetic)
    validation = sample_sets.training_set(version, Split.VALIDATION)
    training.write(context.work_directory / "training-samples.json")
    validation.write(context.work_directory / "validation-samples.json")
    context.log(
        f"{len(training.samples)} training views ({len(synthetic)} synthetic), {len(validation.samples)} for validation"
    )
    detector, outcome = _train(run, context, training, validation, folder)
    sets = {
        str(split): SampleSet(split, tuple(sample_sets.acquired_samples(version, split))) for split in PREDICTED_SPLITS
    }
    findings = _predict(context, detector, sets)
    writers = [evaluator(run, sets, findings) for evaluator in evaluators.values()]
    artifacts = _publish(run, context, outcome, made_with)
    result = {"best_epoch": outcome.best_epoch, "weights_sha256": outcome.weights_sha256}
    with context.completing(result):
        _write(run, outcome, made_with, findings, artifacts, writers, context)
    shutil.rmtree(folder, ignore_errors=True)
    return result


def _train(
    run: Run, context: JobContext, training: SampleSet, validation: SampleSet, folder: Path
) -> tuple[Detector, TrainingOutcome]:
    # Imported here: torch is loaded by the job's process alone.
    from detection.registry import family

    stored = run.arm.configuration
    configuration = MaskRCNNConfiguration.from_values(stored["values"] | {"seed": run.seed})
    detector = family(run.arm.family)()

    if any((folder / "checkpoints").glob("*.pt")):
        context.event("resumed", "Training goes on from the last checkpoint of an earlier attempt.")
    try:
        outcome = detector.fit(
            training,
            validation,
            configuration,
            directory=folder,
            progress=Follower(run, context, folder),
            should_stop=context.should_stop,
            device=context.job.device,
            cache=settings.PREPARED_VIEWS,
            protocol=Protocol.from_json(run.arm.experiment.protocol),
        )
    except Interrupted as stopped:
        raise JobStopped(str(stopped)) from stopped
    except DetectionError as error:
        with context.atomic():
            services.record_failure(run=run, error=error)
        raise
    context.log(f"training complete, best epoch {outcome.best_epoch}")
    ViewCache(settings.PREPARED_VIEWS).prune(settings.PREPARED_VIEWS_BYTES)
    return type(detector).load(folder, context.job.device), outcome


def _predict(
    context: JobContext, detector: Detector, sets: dict[str, SampleSet]
) -> dict[str, dict[str, list[Finding]]]:
    total = sum(len(samples.samples) for samples in sets.values())
    done = 0
    findings: dict[str, dict[str, list[Finding]]] = {}
    for split, samples in sets.items():
        findings[split] = {}
        for sample in samples.samples:
            if context.should_stop():
                raise JobStopped("stopped while predicting")
            pair = read_pair(
                sample.low_energy,
                sample.recombined,
                laterality=sample.laterality,
                view_position=sample.view_position,
                spacing_mm=sample.spacing_mm,
            )
            findings[split][sample.sample_id] = detector.predict(pair)
            done += 1
            context.progress(
                TRAINING_SHARE + (1 - TRAINING_SHARE) * done / total, f"finding lesions on view {done} of {total}"
            )
    return findings


def _publish(run: Run, context: JobContext, outcome: TrainingOutcome, made_with: dict[str, Any]) -> list[RunArtifact]:
    """Copy what is worth keeping into the run's folder; rows are written when the run completes."""
    training = context.work_directory / "training"
    attempt = context.attempt_directory
    folder = f"runs/{run.pk}"
    (attempt / "outcome.json").write_text(outcome.to_json())
    (attempt / "record.json").write_text(
        json.dumps(
            run.arm.experiment.reproducibility | {"arm": run.arm.name, "seed": run.seed, "run": made_with}, indent=1
        )
    )
    shutil.copy2(training / outcome.weights, attempt / outcome.weights)
    for name in ("training-samples.json", "validation-samples.json"):
        shutil.copy2(context.work_directory / name, attempt / name)
    artifacts = []
    names = (outcome.weights, "outcome.json", "record.json", "training-samples.json", "validation-samples.json")
    for name in names:
        path = context.publish(attempt / name, files.absolute(f"{folder}/{name}"))
        artifacts.append(
            RunArtifact(
                run=run, name=name, file=f"{folder}/{name}", size=path.stat().st_size, sha256=files.sha256(path)
            )
        )
    return artifacts


def _write(
    run: Run,
    outcome: TrainingOutcome,
    made_with: dict[str, Any],
    findings: dict[str, dict[str, list[Finding]]],
    artifacts: list[RunArtifact],
    writers: list[Callable[[], None]],
    context: JobContext,
) -> None:
    Prediction.objects.filter(run=run).delete()
    Prediction.objects.bulk_create(
        (
            _prediction(run, split, sample, rank, finding)
            for split, by_sample in findings.items()
            for sample, found in by_sample.items()
            for rank, finding in enumerate(found)
        ),
        batch_size=500,
    )
    RunArtifact.objects.filter(run=run).delete()
    RunArtifact.objects.bulk_create(artifacts)
    Run.objects.filter(pk=run.pk).update(
        best_epoch=outcome.best_epoch,
        record=outcome.record
        | made_with
        # what the training says of itself counts before what is installed now: it may have ended in an earlier attempt
        | {
            "attempts": context.job.attempt,
            "environment": made_with["environment"] | outcome.record["environment"],
        },
    )
    # what higher apps write may read files and record of the run
    for write in writers:
        write()
    services.set_run_state(run=run, state=RunState.DONE)


def _prediction(run: Run, split: str, sample: str, rank: int, finding: Finding) -> Prediction:
    x1, y1, x2, y2 = finding.box
    return Prediction(
        run=run,
        view_id=sample_sets.view_id(sample),
        split=split,
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
