"""Registering the model a run leaves, with everything needed to say what it is and to run it again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import Max

from detection.configuration import MaskRCNNConfiguration
from detection.evaluation.protocol import Protocol
from detection.finding import Finding
from detection.preset import differences, presets
from detection.sample_set import SampleSet
from webapp.accounts.models import Project, User
from webapp.core import audit
from webapp.core.errors import UserError
from webapp.datasets.models import Split
from webapp.experiments import sample_sets
from webapp.experiments.evaluators import Findings
from webapp.experiments.models import Prediction, Run, RunState
from webapp.registry import operating_points, training_counts
from webapp.registry.models import HistoryEntry, RegisteredModel, Stage

REGISTERED = "Registered when its run was complete."


def evaluate_run(run: Run, sets: dict[str, SampleSet], findings: Findings) -> Callable[[], None]:
    """Fix the operating points on the validation predictions of a run that is about to complete.

    Returns a function that registers the model; called in the transaction that completes the run, when its files and
    its record are written.
    """
    protocol = Protocol.from_json(run.arm.experiment.protocol)
    samples = sets[Split.VALIDATION].samples
    points = operating_points.of_validation(samples, findings[Split.VALIDATION], protocol)

    def write() -> None:
        run.refresh_from_db()
        _register(run, points)

    return write


def register_complete_run(run: Run) -> RegisteredModel:
    """Register the model of a run that was complete before there was a registry.

    Raises
    ------
    UserError
        If the run is not complete or left no weights.
    """
    if run.state != RunState.DONE:
        raise UserError(f"{run} is {run.get_state_display().lower()}: only complete runs leave a model.")
    found: dict[str, list[Finding]] = defaultdict(list)
    for one in Prediction.objects.filter(run=run, split=Split.VALIDATION).order_by("view_id", "rank"):
        found[sample_sets.sample_id(one.view_id)].append(
            Finding((one.x1, one.y1, one.x2, one.y2), one.score, one.malignancy, one.lesion_type)  # type: ignore[arg-type]
        )
    samples = sample_sets.acquired_samples(run.arm.experiment.version, Split.VALIDATION)
    points = operating_points.of_validation(samples, found, Protocol.from_json(run.arm.experiment.protocol))
    with transaction.atomic():
        return _register(run, points)


def _register(run: Run, points: dict[str, Any]) -> RegisteredModel:
    arm, experiment = run.arm, run.arm.experiment
    weights = run.artifacts.filter(name__endswith=".safetensors").first()
    if weights is None:
        raise UserError(f"{run} left no weights file: there is no model to register.")
    configuration = MaskRCNNConfiguration.from_dict(arm.configuration)
    own = MaskRCNNConfiguration.from_values(arm.configuration["values"] | {"seed": run.seed})
    preset = presets().get(arm.preset)
    kept = experiment.reproducibility
    # one registration at a time takes the next number
    project = Project.objects.select_for_update().get(pk=experiment.project_id)
    last = RegisteredModel.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0
    model = RegisteredModel.objects.create(
        project=project,
        number=last + 1,
        name=str(run)[:120],
        run=run,
        family=arm.family,
        preset=arm.preset,
        configuration=own.to_dict(),
        differences=[
            {"label": one.label, "unit": one.unit, "preset": _plain(one.preset_value), "value": _plain(one.value)}
            for one in (differences(preset, configuration) if preset else [])
        ],
        version=experiment.version,
        data_hash=kept.get("data_hash") or experiment.version.content_hash,
        training_counts=training_counts.count(run),
        # of the run where it says so: an installation may be updated between launch and run
        code={name: run.record.get(name, kept.get(name, "")) for name in ("commit", "source_hash")},
        environment=kept.get("environment", {}) | run.record.get("environment", {}),
        seed=run.seed,
        best_epoch=run.best_epoch,
        weights_file=weights.file,
        weights_sha256=weights.sha256,
        weights_size=weights.size,
        operating_points=points,
    )
    actor: User | None = run.job.created_by if run.job else None
    HistoryEntry.objects.create(
        model=model,
        kind=HistoryEntry.Kind.STAGE,
        stage=Stage.CANDIDATE,
        text=REGISTERED,
        actor_id=getattr(actor, "pk", None),
        actor_name=getattr(actor, "username", "") or "system",
    )
    audit.record(actor=actor, action="registry.register", project=project, target=model, sha256=weights.sha256)
    return model


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
