"""Starting simulations: batches for arms, controls, trials and repetitions."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Max

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.core import audit
from webapp.core.errors import UserError
from webapp.datasets.models import DatasetVersion
from webapp.jobs import services as jobs
from webapp.simulations.hosts import HostFilter, choose_hosts, host_breasts
from webapp.simulations.models import SimulationBatch, SyntheticView

if TYPE_CHECKING:
    from simulation.settings import SimulationSettings

MAXIMUM_CASES = 5000
LARGEST_SEED = 2**32 - 1
Purpose = SimulationBatch.Purpose


@transaction.atomic
def create_batch(
    *,
    actor: User,
    project: Project,
    version: DatasetVersion,
    wanted: dict[str, int],
    seed: int,
    settings: SimulationSettings | None = None,
    preset: str = "",
    hosts: HostFilter | None = None,
    trial: bool = False,
) -> SimulationBatch:
    """Start the simulation of `wanted` cases ({"benign": n, "malignant": n}) for a frozen version.

    Parameters
    ----------
    settings : SimulationSettings, optional
        The defaults where None.
    preset : str
        Name the settings started from, for the record.
    hosts : HostFilter, optional
        Which training breasts may be hosts; all where None.
    trial : bool
        A look at a single case, never offered to arms.

    Raises
    ------
    UserError
        If the version is a draft or of another project, nothing or too much is wanted, or no training breast can
        be a host; `field` names what to change.
    """
    from simulation.settings import SimulationSettings  # with SciPy behind it

    permissions.require(actor, project, permissions.LAUNCH)
    _require_frozen(project, version)
    total = wanted["benign"] + wanted["malignant"]
    if min(wanted.values()) < 0 or not 0 < total <= MAXIMUM_CASES:
        raise UserError(f"Ask for 1 to {MAXIMUM_CASES} synthetic cases in all.", field="wanted_malignant")
    if not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"The seed is a whole number from 0 to {LARGEST_SEED}.", field="seed")
    wanted_hosts = hosts or HostFilter()
    candidates = host_breasts(version)
    if not candidates:
        raise UserError("No training patient of this version has a complete view to host a cluster.", field="version")
    chosen = choose_hosts(candidates, wanted_hosts)
    if not chosen.hosts:
        reasons = ", ".join(f"{count} {reason}" for reason, count in chosen.left_out.items())
        raise UserError(f"No host breast is left: {reasons}. Allow more hosts.", field="hosts")
    return _start(
        actor=actor,
        project=project,
        version=version,
        seed=seed,
        preset=preset,
        purpose=Purpose.TRIAL if trial else Purpose.ARMS,
        host_filter=wanted_hosts.to_json(),
        settings_used=asdict(settings or SimulationSettings()),
        wanted=wanted,
    )


@transaction.atomic
def create_control(*, actor: User, batch: SimulationBatch) -> SimulationBatch:
    """Start the insert-off control of a batch: its hosts, places and outlines, with nothing inserted.

    The control of a batch that exists already is handed back: it would be the same.

    Raises
    ------
    UserError
        If the batch is itself a trial or a control.
    """
    permissions.require(actor, batch.project, permissions.LAUNCH)
    if batch.purpose != Purpose.ARMS:
        raise UserError(f"{batch} has no control: only a simulation for arms has one.", field="simulation")
    made = batch.controls.exclude(job__state__in=["failed", "cancelled"]).first()
    if made is not None:
        return made
    return _start(
        actor=actor,
        project=batch.project,
        version=batch.version,
        seed=batch.seed,
        preset="insert-off",
        purpose=Purpose.CONTROL,
        host_filter=batch.host_filter,
        settings_used=batch.settings_used | {"insertion": "off"},
        wanted={"benign": batch.wanted_benign, "malignant": batch.wanted_malignant},
        control_of=batch,
    )


@transaction.atomic
def repeat_case(*, actor: User, synthetic_view: SyntheticView, settings: SimulationSettings) -> SimulationBatch:
    """Simulate one case again with other settings: same host, seed and variant, in a trial of its own."""
    batch = synthetic_view.batch
    permissions.require(actor, batch.project, permissions.LAUNCH)
    return _start(
        actor=actor,
        project=batch.project,
        version=batch.version,
        seed=batch.seed,
        preset=batch.preset,
        purpose=Purpose.TRIAL,
        host_filter=batch.host_filter,
        settings_used=asdict(settings),
        wanted={"benign": 0, "malignant": 0} | {synthetic_view.malignancy: 1},
        repeats=synthetic_view,
    )


def _require_frozen(project: Project, version: DatasetVersion) -> None:
    if version.dataset.project_id != project.pk:
        raise UserError("Choose a dataset version of this project.", field="version")
    if version.state != DatasetVersion.State.FROZEN:
        raise UserError(f"{version} is a draft: freeze it before clusters are simulated for it.", field="version")


def _start(*, actor: User, project: Project, wanted: dict[str, int], **values: Any) -> SimulationBatch:
    """Number the batch, write it, queue its job. A control waits for the batch whose cases it repeats."""
    number = (SimulationBatch.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0) + 1
    batch = SimulationBatch.objects.create(
        project=project,
        number=number,
        wanted_benign=wanted["benign"],
        wanted_malignant=wanted["malignant"],
        created_by=actor,
        **values,
    )
    source = batch.control_of
    batch.job = jobs.submit(
        kind="simulations.batch",
        project=project,
        name=_job_name(batch, sum(wanted.values()))[:200],
        payload={"batch": batch.pk},
        created_by=actor,
        after=source.job if source is not None else None,
    )
    batch.save(update_fields=["job"])
    audit.record(
        actor=actor,
        action="simulations.create_batch",
        project=project,
        target=batch,
        wanted=wanted,
        purpose=str(batch.purpose),
    )
    return batch


def _job_name(batch: SimulationBatch, total: int) -> str:
    if batch.control_of is not None:
        return f"Simulation {batch.number}: insert-off control of {batch.control_of}"
    if batch.repeats is not None:
        return f"Simulation {batch.number}: {batch.repeats} of {batch.repeats.batch} again"
    if batch.purpose == Purpose.TRIAL:
        return f"Simulation {batch.number}: one case to look at"
    return f"Simulation {batch.number}: {total} synthetic cases for {batch.version}"
