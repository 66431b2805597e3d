"""Starting simulations and judging their results."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Max

from simulation.errors import InvalidSettings
from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.core import audit
from webapp.core.errors import UserError
from webapp.datasets.models import DatasetVersion
from webapp.jobs import services as jobs
from webapp.simulations.hosts import host_breasts
from webapp.simulations.models import SimulationBatch, SyntheticView

if TYPE_CHECKING:
    from simulation.settings import SimulationSettings

MAXIMUM_CASES = 5000


@transaction.atomic
def create_batch(
    *,
    actor: User,
    project: Project,
    version: DatasetVersion,
    wanted: dict[str, int],
    seed: int,
    settings: SimulationSettings | None = None,
) -> SimulationBatch:
    """Start the simulation of `wanted` cases ({"benign": n, "malignant": n}) for a frozen version.

    Raises
    ------
    UserError
        If the version is a draft or of another project, nothing or too much is wanted, or no training breast can
        be a host.
    """
    from simulation.settings import SimulationSettings  # with SciPy behind it

    permissions.require(actor, project, permissions.LAUNCH)
    if version.dataset.project_id != project.pk:
        raise UserError("Choose a dataset version of this project.", field="version")
    if version.state != DatasetVersion.State.FROZEN:
        raise UserError(f"{version} is a draft: freeze it before clusters are simulated for it.", field="version")
    total = wanted["benign"] + wanted["malignant"]
    if min(wanted.values()) < 0 or not 0 < total <= MAXIMUM_CASES:
        raise UserError(f"Ask for 1 to {MAXIMUM_CASES} synthetic cases in all.", field="wanted_malignant")
    if not 0 <= seed < 2**32:
        raise UserError("The seed is a whole number from 0 to 4294967295.", field="seed")
    if not host_breasts(version):
        raise UserError("No training patient of this version has a complete view to host a cluster.", field="version")
    try:
        resolved = settings or SimulationSettings()
    except InvalidSettings as error:
        raise UserError(str(error), field="settings") from error
    number = (SimulationBatch.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0) + 1
    batch = SimulationBatch.objects.create(
        project=project,
        version=version,
        number=number,
        seed=seed,
        settings_used=asdict(resolved),
        wanted_benign=wanted["benign"],
        wanted_malignant=wanted["malignant"],
        created_by=actor,
    )
    batch.job = jobs.submit(
        kind="simulations.batch",
        project=project,
        name=f"Simulation {number}: {total} synthetic cases for {version}"[:200],
        payload={"batch": batch.pk},
        created_by=actor,
    )
    batch.save(update_fields=["job"])
    audit.record(actor=actor, action="simulations.create_batch", project=project, target=batch, wanted=wanted)
    return batch


@transaction.atomic
def judge(*, actor: User, synthetic_view: SyntheticView, accept: bool) -> SyntheticView:
    """Accept or reject a synthetic case: all views of the case get the same verdict.

    Raises
    ------
    UserError
        If an arm trains on it already: an arm never changes once fixed.
    """
    project = synthetic_view.batch.project
    if not (permissions.may(actor, project, permissions.LAUNCH) or permissions.may(actor, project, permissions.REVIEW)):
        permissions.require(actor, project, permissions.REVIEW)
    case = SyntheticView.objects.filter(
        batch=synthetic_view.batch,
        malignancy=synthetic_view.malignancy,
        case_number=synthetic_view.case_number,
    )
    if not accept and case.filter(arms__isnull=False).exists():
        raise UserError("An experiment arm trains on this case already, so it can no longer be rejected.")
    quality = SyntheticView.Quality.ACCEPTED if accept else SyntheticView.Quality.REJECTED
    case.update(quality=quality)
    audit.record(actor=actor, action="simulations.judge", project=project, target=synthetic_view, quality=quality)
    synthetic_view.refresh_from_db()
    return synthetic_view
