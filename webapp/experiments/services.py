"""Designing and launching experiments; writing what runs produce."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from detection.evaluation.protocol import Protocol
from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.core import audit
from webapp.core.errors import UserError
from webapp.datasets.models import DatasetVersion
from webapp.experiments import devices, reproducibility, selectors
from webapp.experiments.design import ExperimentDesign
from webapp.experiments.models import Arm, ArmSyntheticView, Experiment, MetricPoint, Run, RunArtifact, RunState
from webapp.jobs import services as jobs
from webapp.jobs.models import Job
from webapp.simulations import services as simulations
from webapp.simulations.models import SyntheticView


@transaction.atomic
def launch(
    *, actor: User, project: Project, version: DatasetVersion, design: ExperimentDesign, simulation_seed: int = 0
) -> Experiment:
    """Freeze a design and start it: one simulation for all arms, then one run per arm and seed.

    Raises
    ------
    UserError
        If the design is not valid, the version is not frozen, the device is missing, synthetic clusters are asked
        for where no training patient has a real one, or the record that makes it reproducible is incomplete.
    """
    permissions.require(actor, project, permissions.LAUNCH)
    design.check()
    if version.dataset.project_id != project.pk:
        raise UserError("Choose a dataset version of this project.", field="version")
    if version.state != DatasetVersion.State.FROZEN:
        raise UserError(f"{version} is a draft: freeze it before it is used.", field="version")
    if design.device not in devices.devices():
        raise UserError(
            f"Device {design.device} is not on this machine: {', '.join(devices.devices())} can be used.",
            field="device",
        )
    _require_test_set(version, design.primary_endpoint)
    record = reproducibility.record(version, list(design.seeds))
    wanted = _wanted(version, design)
    number = (Experiment.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0) + 1
    batch = None
    if any(wanted.values()):
        batch = simulations.create_batch(
            actor=actor, project=project, version=version, wanted=wanted, seed=simulation_seed
        )
    experiment = Experiment.objects.create(
        project=project,
        number=number,
        name=design.name.strip(),
        hypothesis=design.hypothesis.strip(),
        primary_endpoint=design.primary_endpoint,
        version=version,
        protocol=Protocol().to_json(),
        seeds=list(design.seeds),
        device=design.device,
        batch=batch,
        state=Experiment.State.FROZEN,
        reproducibility=record,
        created_by=actor,
        frozen_at=timezone.now(),
    )
    for position, arm_design in enumerate(design.arms):
        arm = Arm.objects.create(
            experiment=experiment,
            position=position,
            name=arm_design.name.strip(),
            preset=arm_design.preset,
            configuration=arm_design.configuration().to_dict(),
            ratio_benign=arm_design.ratio_benign,
            ratio_malignant=arm_design.ratio_malignant,
        )
        for seed in design.seeds:
            _start_run(actor=actor, arm=arm, seed=seed, after=batch.job if batch else None)
    audit.record(actor=actor, action="experiments.launch", project=project, target=experiment)
    return experiment


def _require_test_set(version: DatasetVersion, endpoint: str) -> None:
    test_set = endpoint.split(":")[2]
    if not version.version_views.filter(split=test_set).exists():
        raise UserError(
            f"The primary endpoint is measured on the {test_set.replace('_', ' ')}, which this version does not have.",
            field="primary_endpoint",
        )


def _wanted(version: DatasetVersion, design: ExperimentDesign) -> dict[str, int]:
    """The largest number of cases any arm needs, per class."""
    patients = selectors.cluster_patients(version)
    wanted = {"benign": 0, "malignant": 0}
    for arm in design.arms:
        cases = selectors.wanted_cases(patients, arm.ratio_benign, arm.ratio_malignant)
        if (arm.ratio_benign or arm.ratio_malignant) and not any(cases.values()):
            raise UserError(
                f"{arm.name}: no training patient has a real cluster of that class, so the ratio gives no synthetic "
                f"case (benign {patients['benign']}, malignant {patients['malignant']} patients).",
                field="arms",
            )
        wanted = {malignancy: max(count, cases[malignancy]) for malignancy, count in wanted.items()}
    return wanted


def _start_run(*, actor: User, arm: Arm, seed: int, after: Job | None) -> Run:
    run = Run.objects.create(arm=arm, seed=seed)
    run.job = jobs.submit(
        kind="experiments.run",
        project=arm.experiment.project,
        name=f"{arm.experiment}, {arm.name}, seed {seed}"[:200],
        payload={"run": run.pk},
        created_by=actor,
        after=after,
        device=arm.experiment.device,
    )
    run.save(update_fields=["job"])
    return run


def choose_synthetic_views(*, arm: Arm) -> list[SyntheticView]:
    """The synthetic views the arm trains on: the first n accepted or unseen cases of each class, fixed on first use.

    Raises
    ------
    UserError
        If the batch has fewer cases than the arm's ratio asks for.
    """
    with transaction.atomic():
        locked = Arm.objects.select_for_update().get(pk=arm.pk)
        chosen = list(SyntheticView.objects.filter(arms=locked).order_by("pk"))
        batch = locked.experiment.batch
        if chosen or batch is None:
            return chosen
        patients = selectors.cluster_patients(locked.experiment.version)
        cases = selectors.wanted_cases(patients, locked.ratio_benign, locked.ratio_malignant)
        for malignancy, count in cases.items():
            usable = batch.synthetic_views.filter(malignancy=malignancy).exclude(quality=SyntheticView.Quality.REJECTED)
            numbers = sorted(set(usable.values_list("case_number", flat=True)))[:count]
            if len(numbers) < count:
                raise UserError(
                    f"{locked.name} asks for {count} synthetic {malignancy} cases and {batch} has {len(numbers)}. "
                    "Simulate more, or lower the ratio."
                )
            chosen += usable.filter(case_number__in=numbers).order_by("pk")
        ArmSyntheticView.objects.bulk_create(ArmSyntheticView(arm=locked, synthetic_view=entry) for entry in chosen)
    return chosen


def set_run_state(*, run: Run, state: str, error: str = "") -> None:
    """Move a run on; times are set with the states."""
    values: dict[str, Any] = {"state": state, "error": error}
    if state == RunState.RUNNING:
        values["ended"] = None
        if run.started is None:
            values["started"] = timezone.now()
    elif state != RunState.QUEUED:
        values["ended"] = timezone.now()
    Run.objects.filter(pk=run.pk).update(**values)
    run.refresh_from_db()


def record_metrics(*, run: Run, epoch: int, metrics: dict[str, float], attempt: int) -> None:
    """Store the numbers of an epoch; an epoch repeated after an interruption replaces its own numbers."""
    for name, value in metrics.items():
        MetricPoint.objects.update_or_create(
            run=run, name=name, epoch=epoch, defaults={"value": value, "attempt": attempt}
        )


def record_download(*, actor: User, artifact: RunArtifact) -> None:
    """Write down that a person took a file of a run."""
    audit.record(
        actor=actor,
        action="experiments.download",
        project=artifact.run.arm.experiment.project,
        target=artifact,
        name=f"{artifact.run.arm.experiment}, {artifact.run}: {artifact.name}",
        sha256=artifact.sha256,
    )
