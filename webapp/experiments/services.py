"""Designing and launching experiments; writing what runs produce."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from detection.detector import Measure
from detection.errors import DetectionError
from detection.finding import Finding
from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.core import audit
from webapp.core.errors import NotNow, UserError
from webapp.datasets.models import DatasetVersion
from webapp.experiments import devices, reproducibility
from webapp.experiments.design import ArmDesign, ExperimentDesign
from webapp.experiments.models import (
    Arm,
    ArmSyntheticView,
    Experiment,
    MetricPoint,
    Run,
    RunArtifact,
    RunSample,
    RunState,
)
from webapp.jobs import services as jobs
from webapp.jobs.models import Job
from webapp.simulations import amounts
from webapp.simulations import services as simulations
from webapp.simulations.models import SimulationBatch, SyntheticView
from webapp.simulations.selectors import usable_cases

SAMPLES_KEPT = 12
"""Epochs of a run whose sample predictions are kept."""


@transaction.atomic
def freeze(
    *,
    actor: User,
    project: Project,
    version: DatasetVersion,
    design: ExperimentDesign,
    simulation_seed: int = 0,
    simulation: SimulationBatch | None = None,
) -> Experiment:
    """Fix a design before any result is visible; from here on the database refuses to change it.

    Parameters
    ----------
    simulation : SimulationBatch, optional
        A finished simulation of this version to take the cases from, its rejected ones left out; where None, the
        launch makes a new one with `simulation_seed`. Arms with the insert-off control get the control of either.

    Raises
    ------
    UserError
        If the design is not valid, the version is not frozen, the device is missing, synthetic clusters are asked
        for where no training patient has a real one, or the record that makes it reproducible would be incomplete.
    """
    permissions.require(actor, project, permissions.LAUNCH)
    design.check()
    if version.dataset.project_id != project.pk:
        raise UserError("Choose a dataset version of this project.", field="version")
    if version.state != DatasetVersion.State.FROZEN:
        raise UserError(f"{version} is a draft: freeze it before it is used.", field="version")
    _require_device(design.device)
    _require_test_set(version, design.primary_endpoint)
    reproducibility.record(version, list(design.seeds))
    wanted = _wanted(version, design.arms)
    if simulation is not None:
        _require_enough(simulation, version, wanted)
    # one design at a time takes the next number
    Project.objects.select_for_update().get(pk=project.pk)
    number = (Experiment.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0) + 1
    compared = design.compared
    experiment = Experiment.objects.create(
        project=project,
        number=number,
        name=design.name.strip(),
        hypothesis=design.hypothesis.strip(),
        primary_endpoint=design.primary_endpoint,
        comparison=None if compared is None else {"arm": compared[0], "reference": compared[1]},
        margin=design.margin,
        version=version,
        protocol=design.protocol.to_json(),
        seeds=list(design.seeds),
        device=design.device,
        simulation_seed=simulation_seed,
        batch=simulation if any(wanted.values()) else None,
        created_by=actor,
    )
    Arm.objects.bulk_create(
        Arm(
            experiment=experiment,
            position=position,
            name=arm_design.name.strip(),
            preset=arm_design.preset,
            configuration=arm_design.configuration().to_dict(),
            ratio_benign=arm_design.ratio_benign,
            ratio_malignant=arm_design.ratio_malignant,
            synthetic_source=arm_design.synthetic_source,
        )
        for position, arm_design in enumerate(design.arms)
    )
    experiment.state = Experiment.State.FROZEN
    experiment.frozen_at = timezone.now()
    experiment.save(update_fields=["state", "frozen_at"])
    audit.record(actor=actor, action="experiments.freeze", project=project, target=experiment)
    return experiment


@transaction.atomic
def launch(*, actor: User, experiment: Experiment) -> Experiment:
    """Launch a frozen design: record what makes it reproducible, one simulation for all arms, a run per arm and seed.

    Raises
    ------
    NotNow
        If it was launched already.
    UserError
        If it is not frozen; if code version, data hash, seeds or environment cannot be recorded; if the device or the
        cases of the simulation are gone.
    """
    permissions.require(actor, experiment.project, permissions.LAUNCH)
    locked = Experiment.objects.select_for_update().get(pk=experiment.pk)
    if locked.state != Experiment.State.FROZEN:
        raise UserError(f"{locked} is a draft: freeze its design before it is launched.")
    if locked.launched_at is not None:
        raise NotNow(f"{locked} was launched already: freeze a design of its own to run it again.")
    _require_device(locked.device)
    locked.reproducibility = reproducibility.record(locked.version, locked.seeds)
    arms = list(locked.arms.order_by("position"))
    wanted = _wanted(locked.version, arms)
    if locked.batch is not None:
        _require_enough(locked.batch, locked.version, wanted)
    elif any(wanted.values()):
        locked.batch = simulations.create_batch(
            actor=actor, project=locked.project, version=locked.version, wanted=wanted, seed=locked.simulation_seed
        )
    if locked.batch is not None and any(arm.synthetic_source == Arm.Source.CONTROL for arm in arms):
        locked.control_batch = simulations.create_control(actor=actor, batch=locked.batch)
    locked.launched_at = timezone.now()
    locked.save(update_fields=["reproducibility", "batch", "control_batch", "launched_at"])
    for arm in arms:
        source = locked.control_batch if arm.synthetic_source == Arm.Source.CONTROL else locked.batch
        for seed in locked.seeds:
            _start_run(actor=actor, arm=arm, seed=seed, after=source.job if source else None)
    audit.record(actor=actor, action="experiments.launch", project=locked.project, target=locked)
    return locked


def _require_device(device: str) -> None:
    known = devices.devices()
    if device not in known:
        raise UserError(f"Device {device} is not on this machine: {', '.join(known)} can be used.", field="device")


def _require_test_set(version: DatasetVersion, endpoint: str) -> None:
    test_set = endpoint.split(":")[2]
    if not version.version_views.filter(split=test_set).exists():
        raise UserError(
            f"The primary endpoint is measured on the {test_set.replace('_', ' ')}, which this version does not have.",
            field="primary_endpoint",
        )


def _wanted(version: DatasetVersion, arms: Iterable[Arm | ArmDesign]) -> dict[str, int]:
    """The largest number of cases any arm needs, per class."""
    patients = amounts.cluster_patients(version)
    wanted = {"benign": 0, "malignant": 0}
    for arm in arms:
        cases = amounts.wanted_cases(patients, arm.ratio_benign, arm.ratio_malignant)
        if (arm.ratio_benign or arm.ratio_malignant) and not any(cases.values()):
            raise UserError(
                f"{arm.name}: no training patient has a real cluster of that class, so the ratio gives no synthetic "
                f"case (benign {patients['benign']}, malignant {patients['malignant']} patients).",
                field="arms",
            )
        wanted = {malignancy: max(count, cases[malignancy]) for malignancy, count in wanted.items()}
    return wanted


def _require_enough(simulation: SimulationBatch, version: DatasetVersion, wanted: dict[str, int]) -> None:
    """A simulation that another version, or too few cases, were made for is refused now and not when a run starts."""
    if simulation.version_id != version.pk:
        raise UserError(
            f"{simulation} was made for {simulation.version}, not for {version}: its hosts may not train here.",
            field="simulation",
        )
    if simulation.purpose != SimulationBatch.Purpose.ARMS or simulation.finished is None:
        raise UserError(f"{simulation} is not a finished simulation for arms.", field="simulation")
    usable = usable_cases(simulation)
    for malignancy, count in wanted.items():
        if usable[malignancy] < count:
            raise UserError(
                f"The arms ask for {count} synthetic {malignancy} cases and {simulation} has {usable[malignancy]} that "
                "are not rejected. Lower the ratios, or choose a new simulation.",
                field="simulation",
            )


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
    """The synthetic views the arm trains on: the first n cases of each class that are not rejected, fixed on first use.

    Cases rejected between start and training, and cases that no host accepted, are missing from the arm: it takes what
    is left and its record says so. An arm with the insert-off control takes the controls of the cases that a cluster
    arm of its ratio takes.

    Raises
    ------
    UserError
        If the batch has fewer cases than the arm's ratio asks for and neither rejections nor refusals account for it.
    """
    with transaction.atomic():
        locked = Arm.objects.select_for_update().get(pk=arm.pk)
        chosen = list(SyntheticView.objects.filter(arms=locked).order_by("pk"))
        batch = locked.experiment.batch
        if chosen or batch is None:
            return chosen
        patients = amounts.cluster_patients(locked.experiment.version)
        cases = amounts.wanted_cases(patients, locked.ratio_benign, locked.ratio_malignant)
        record: dict[str, Any] = {}
        for malignancy, count in cases.items():
            numbers, rejected = _case_numbers(batch, malignancy, count)
            unmade = sum(1 for case in batch.summary.get("unmade", []) if case["malignancy"] == malignancy)
            if len(numbers) + rejected + unmade < count:
                raise UserError(
                    f"{locked.name} asks for {count} synthetic {malignancy} cases and {batch} has {len(numbers)}. "
                    "Simulate more, or lower the ratio."
                )
            record[malignancy] = {"asked": count, "used": len(numbers), "rejected": rejected, "unmade": unmade}
            chosen += _views_of(locked, batch, malignancy, numbers)
        ArmSyntheticView.objects.bulk_create(ArmSyntheticView(arm=locked, synthetic_view=entry) for entry in chosen)
        Arm.objects.filter(pk=locked.pk).update(synthetic_record=record)
    return chosen


def _case_numbers(batch: SimulationBatch, malignancy: str, count: int) -> tuple[list[int], int]:
    """The first `count` usable cases of a class, and how many of the batch are rejected."""
    of_class = batch.synthetic_views.filter(malignancy=malignancy)
    every = set(of_class.values_list("case_number", flat=True))
    rejected = set(of_class.filter(quality=SyntheticView.Quality.REJECTED).values_list("case_number", flat=True))
    return sorted(every - rejected)[:count], len(rejected)


def _views_of(arm: Arm, batch: SimulationBatch, malignancy: str, numbers: list[int]) -> list[SyntheticView]:
    """Views of these cases, from the control where the arm asks for it."""
    source = batch
    if arm.synthetic_source == Arm.Source.CONTROL:
        if arm.experiment.control_batch is None:
            raise UserError(f"{arm.name} asks for an insert-off control and its experiment has none.")
        source = arm.experiment.control_batch
    return list(source.synthetic_views.filter(malignancy=malignancy, case_number__in=numbers).order_by("pk"))


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


def record_measures(*, run: Run, epoch: int, measures: Mapping[str, Measure], attempt: int) -> None:
    """Store what was measured on the validation split after an epoch; a repeated epoch replaces its own numbers."""
    for name, measure in measures.items():
        MetricPoint.objects.update_or_create(
            run=run,
            name=name,
            epoch=epoch,
            defaults={
                "value": measure.value,
                "n": measure.n,
                "undefined": measure.reason or "",
                "attempt": attempt,
            },
        )


def record_samples(*, run: Run, epoch: int, findings: Mapping[int, Sequence[Finding]]) -> None:
    """Store what was found on the sample views (by key) after an epoch, and forget all but the last epochs.

    The database refuses views outside the validation set.
    """
    with transaction.atomic():
        for view, found in findings.items():
            RunSample.objects.update_or_create(
                run=run, view_id=view, epoch=epoch, defaults={"findings": [asdict(finding) for finding in found]}
            )
        epochs = RunSample.objects.filter(run=run).order_by("-epoch").values_list("epoch", flat=True).distinct()
        RunSample.objects.filter(run=run).exclude(epoch__in=list(epochs[:SAMPLES_KEPT])).delete()


def record_failure(*, run: Run, error: DetectionError) -> None:
    """Keep what went wrong and what can be done apart from each other, for the page of the run."""
    failure = {"kind": type(error).__name__, "message": error.message, "advice": error.advice}
    locked = Run.objects.select_for_update().get(pk=run.pk)
    locked.record = locked.record | {"failure": failure}
    locked.save(update_fields=["record"])


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
