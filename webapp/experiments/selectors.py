"""Reading experiments, runs and predictions."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from webapp.accounts.models import Project, User
from webapp.accounts.selectors import projects_of
from webapp.experiments.models import Arm, Experiment, Prediction, Run, RunState

ENDED = (RunState.DONE, RunState.FAILED, RunState.CANCELLED)


def experiments_of(user: User | AnonymousUser, project: Project) -> QuerySet[Experiment]:
    """Experiments of a project the person may see, newest first."""
    return (
        Experiment.objects.filter(project=project, project__in=projects_of(user))
        .select_related("version__dataset", "created_by", "batch__job", "control_batch__job")
        .order_by("-number")
    )


@dataclass(frozen=True)
class RunCounts:
    """Runs of an experiment by what became of them."""

    total: int
    done: int
    ended: int
    running: int

    @property
    def open(self) -> bool:
        """Whether there are runs and every one has ended, so that the test sets may be opened."""
        return 0 < self.total == self.ended


def run_counts(experiment: Experiment) -> RunCounts:
    """Count the runs of an experiment fetched by `with_arms`."""
    states = [run.state for arm in experiment.arms.all() for run in arm.runs.all()]
    return RunCounts(
        total=len(states),
        done=states.count(RunState.DONE),
        ended=sum(state in ENDED for state in states),
        running=states.count(RunState.RUNNING),
    )


def with_arms(experiments: QuerySet[Experiment]) -> QuerySet[Experiment]:
    """Fetch arms and runs along, in the order of the design."""
    return experiments.prefetch_related(
        Prefetch("arms", Arm.objects.order_by("position")),
        Prefetch("arms__runs", Run.objects.order_by("seed").select_related("job")),
    )


def runs_of(user: User | AnonymousUser, project: Project) -> QuerySet[Run]:
    """Runs of a project the person may see."""
    return Run.objects.filter(
        arm__experiment__project=project, arm__experiment__project__in=projects_of(user)
    ).select_related("arm__experiment__version__dataset", "job")


def predictions_of(user: User | AnonymousUser, project: Project) -> QuerySet[Prediction]:
    """Predictions of a project the person may see."""
    return Prediction.objects.filter(
        run__arm__experiment__project=project, run__arm__experiment__project__in=projects_of(user)
    )


def all_runs_ended(experiment: Experiment) -> bool:
    """Whether the test sets may be opened: the experiment was launched, and no run is queued or running."""
    runs = Run.objects.filter(arm__experiment=experiment)
    return runs.exists() and not runs.exclude(state__in=ENDED).exists()


def run_open_beside() -> Exists:
    """Condition on runs: one of their experiment is queued or running; `all_runs_ended` for many at once."""
    of_same = Run.objects.filter(arm__experiment=OuterRef("arm__experiment"))
    return Exists(of_same.exclude(state__in=ENDED))
