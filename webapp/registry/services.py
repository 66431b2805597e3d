"""Decisions about models, notes on them, and applying them to cases."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.core import audit
from webapp.core.errors import UserError
from webapp.experiments import devices
from webapp.jobs import services as jobs
from webapp.registry import selectors, weights
from webapp.registry.looks import look_counters
from webapp.registry.models import AppliedView, HistoryEntry, ModelApplication, RegisteredModel, Stage
from webapp.registry.standing import Plan

LONGEST_TEXT = 1000
VERBS = {Stage.PROMOTED: "promote", Stage.RETIRED: "retire", Stage.CANDIDATE: "return"}


@transaction.atomic
def set_stage(*, actor: User, model: RegisteredModel, stage: str, reason: str) -> HistoryEntry:
    """Promote, retire, or make a model a candidate again; the reason is kept.

    Raises
    ------
    UserError
        If the stage is unknown or already in force, or no reason is given.
    """
    permissions.require(actor, model.project, permissions.LAUNCH)
    if stage not in Stage.values:
        raise UserError("Choose candidate, promoted or retired.", field="stage")
    # one decision at a time
    Project.objects.select_for_update().get(pk=model.project_id)
    if selectors.stage_of(model) == stage:
        raise UserError(f"Model {model.number} is {Stage(stage).label.lower()} already.", field="stage")
    if stage == Stage.PROMOTED:
        weights.require_intact(model)
    return _write(actor, model, HistoryEntry.Kind.STAGE, stage, reason, f"registry.{VERBS[Stage(stage)]}")


@transaction.atomic
def annotate(*, actor: User, model: RegisteredModel, text: str) -> HistoryEntry:
    """Add a note.

    Raises
    ------
    UserError
        If it is empty or too long.
    """
    permissions.require(actor, model.project, permissions.LAUNCH)
    return _write(actor, model, HistoryEntry.Kind.NOTE, "", text, "registry.annotate")


def _write(actor: User, model: RegisteredModel, kind: str, stage: str, text: str, action: str) -> HistoryEntry:
    words = text.strip()
    if not words:
        raise UserError("Write a note first." if not stage else "Give the reason: it is kept.", field="reason")
    if len(words) > LONGEST_TEXT:
        raise UserError(f"At most {LONGEST_TEXT} characters.", field="reason")
    entry = HistoryEntry.objects.create(
        model=model, kind=kind, stage=stage, text=words, actor_id=actor.pk, actor_name=actor.username
    )
    audit.record(actor=actor, action=action, project=model.project, target=model, reason=words)
    return entry


def record_download(*, actor: User, model: RegisteredModel) -> None:
    """Write down that a person took the weights."""
    permissions.require(actor, model.project, permissions.LAUNCH)
    audit.record(
        actor=actor, action="registry.download", project=model.project, target=model, sha256=model.weights_sha256
    )


def count_look(*, actor: User, application: ModelApplication) -> None:
    """Write down that a person opened findings on the test sets of the model's own experiment."""
    for count in look_counters.values():
        count(actor, application.model.run.arm.experiment, f"application {application.number}")


@transaction.atomic
def apply_model(
    *, actor: User, project: Project, model: RegisteredModel, plan: Plan, words: str, device: str = "cpu"
) -> ModelApplication:
    """Start a job that runs the model on the planned views.

    Parameters
    ----------
    plan : Plan
        Of `standing.plan` for this model, made in the same request.
    words : str
        Which cases were meant, as people read it.

    Raises
    ------
    UserError
        If nothing is left to apply it to, the model is retired, its weights are missing or altered, or the device is
        not there.
    """
    permissions.require(actor, project, permissions.LAUNCH)
    if model.project_id != project.pk:
        raise UserError("Choose a model of this project.", field="model")
    if selectors.stage_of(model) == Stage.RETIRED:
        raise UserError(f"Model {model.number} is retired: make it a candidate again to use it.", field="model")
    if not plan.views:
        reasons = "; ".join(f"{number} {reason}" for reason, number in plan.left_out.items())
        raise UserError(f"No view is left: {reasons or 'none was chosen'}.", field="source")
    if device not in devices.single_devices():
        raise UserError(f"Device {device} is not on this machine.", field="device")
    if weights.state(model) != weights.INTACT:
        weights.require_intact(model)
    # one application at a time takes the next number
    Project.objects.select_for_update().get(pk=project.pk)
    last = ModelApplication.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0
    application = ModelApplication.objects.create(
        project=project,
        number=last + 1,
        model=model,
        selection={"words": words, "left_out": plan.left_out},
        size=len(plan.views),
        created_by=actor,
    )
    AppliedView.objects.bulk_create(
        (
            AppliedView(
                application=application,
                view_id=one.view_id,
                origin=one.origin,
                split=one.split,
                trained_on=one.trained_on,
            )
            for one in plan.views
        ),
        batch_size=500,
    )
    application.job = jobs.submit(
        kind="registry.apply",
        project=project,
        name=f"{model} on {len(plan.views)} view{'' if len(plan.views) == 1 else 's'}"[:200],
        payload={"application": application.pk},
        created_by=actor,
        device=device,
    )
    application.save(update_fields=["job"])
    audit.record(actor=actor, action="registry.apply", project=project, target=application, views=len(plan.views))
    return application
