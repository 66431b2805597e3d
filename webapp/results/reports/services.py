"""Asking for a report, and writing down who took one."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from webapp.accounts import permissions
from webapp.accounts.models import User
from webapp.core import audit
from webapp.core.errors import UserError
from webapp.experiments import selectors as experiments
from webapp.experiments.models import Experiment
from webapp.jobs import services as jobs
from webapp.jobs.models import ACTIVE
from webapp.results.models import Report
from webapp.results.reports import basis, registry


def request_report(*, actor: User, experiment: Experiment) -> tuple[Report, bool]:
    """The report for what the records say now; made only where there is none yet.

    Returns
    -------
    report : Report
        With its file, or with the job that makes it.
    new : bool
        Whether work was queued.

    Raises
    ------
    NotAllowed
        If the person may not launch work here.
    UserError
        While runs are open.
    """
    permissions.require(actor, experiment.project, permissions.LAUNCH)
    if not experiments.all_runs_ended(experiment):
        raise UserError("The test sets are locked until every run has ended.")
    snapshot = basis.snapshot(experiment)
    digest = registry.inputs_hash(experiment, snapshot["looks"])
    try:
        with transaction.atomic():
            return _start(actor, experiment, snapshot, digest)
    except IntegrityError:
        # asked for twice at once: the other request has made the row
        return Report.objects.get(experiment=experiment, inputs_hash=digest), False


def _start(
    actor: User, experiment: Experiment, snapshot: dict[str, dict[str, int]], digest: str
) -> tuple[Report, bool]:
    report = Report.objects.select_for_update().filter(experiment=experiment, inputs_hash=digest).first()
    if report is not None and (report.file or (report.job is not None and report.job.state in ACTIVE)):
        return report, False
    if report is None:
        report = Report.objects.create(
            experiment=experiment,
            inputs_hash=digest,
            snapshot=snapshot,
            requested_by=actor,
            requested_name=actor.username,
            created=timezone.now(),
        )
    # a job that failed or was cancelled is left to the list of jobs, and a new one takes its place
    report.job = jobs.submit(
        kind="results.report",
        project=experiment.project,
        name=f"Report of {experiment}",
        payload={"report": report.pk},
        created_by=actor,
    )
    report.save(update_fields=["job"])
    audit.record(actor=actor, action="results.report", project=experiment.project, target=report, inputs_hash=digest)
    return report, True


def record_download(*, actor: User, report: Report) -> None:
    """Write down that a person took a report."""
    audit.record(
        actor=actor,
        action="results.report_download",
        project=report.experiment.project,
        target=report,
        sha256=report.sha256,
    )
