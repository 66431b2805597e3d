"""What experiments add to the pages around them: rail entry and the panel of running work."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from webapp.accounts import permissions
from webapp.accounts.models import Project
from webapp.core.registry import NavigationEntry, Panel, home_panels, navigation
from webapp.experiments import selectors
from webapp.experiments.models import Experiment, Run, RunState

SHOWN = 4


def experiment_count(project: Project) -> int:
    """Experiments of the project."""
    return Experiment.objects.filter(project=project).count()


def running_now(request: Any, project: Project, subject: Any) -> dict[str, Any] | None:
    """Runs under way, and how many wait; left out where nothing was ever started and nobody here may start."""
    open_runs = selectors.runs_of(request.user, project).filter(state__in=[RunState.RUNNING, RunState.QUEUED])
    running = list(open_runs.filter(state=RunState.RUNNING).order_by("started")[:SHOWN])
    waiting = list(open_runs.filter(state=RunState.QUEUED).order_by("job_id")[: SHOWN - len(running)])
    may_launch = permissions.role_may(getattr(request, "role", None), permissions.LAUNCH)
    if not may_launch and not experiment_count(project):
        return None
    return {
        "rows": [_row(run) for run in [*running, *waiting] if run.job is not None],
        "more": open_runs.count() - len(running) - len(waiting),
        "may_launch": may_launch,
    }


def _row(run: Run) -> dict[str, Any]:
    assert run.job is not None
    experiment = run.arm.experiment
    return {
        "id": run.job.pk,
        "name": f"Experiment {experiment.number}, {run}",
        "state": run.job.state,
        "fraction": run.job.fraction,
        "message": run.job.message,
        "seconds_left": run.job.seconds_left,
        "url": reverse(
            "experiments:run", args=[experiment.project.slug, experiment.number, run.arm.position, run.seed]
        ),
    }


def register() -> None:
    """Put experiments on the rail and on the project home."""
    navigation.register(
        "experiments",
        NavigationEntry(
            section="Experiments",
            label="Experiments",
            icon="experiments",
            url_name="experiments:list",
            key="e",
            position=50,
            count=experiment_count,
        ),
    )
    home_panels.register("experiments", Panel("experiments/_running_now.html", running_now, area="side", position=10))
