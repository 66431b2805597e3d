"""The job that performs a run."""

from __future__ import annotations

from typing import Any

from detection.errors import DetectionError
from imaging.errors import ImagingError
from webapp.experiments import services
from webapp.experiments.models import Run, RunState
from webapp.jobs.context import JobContext
from webapp.jobs.models import Job, JobState
from webapp.jobs.registry import job_kind

STATES = {
    JobState.QUEUED: RunState.QUEUED,
    JobState.WAITING: RunState.QUEUED,
    JobState.FAILED: RunState.FAILED,
    JobState.CANCELLED: RunState.CANCELLED,
}


def follow_job(job: Job) -> None:
    """The run is where its job is; running and done are written by the run itself, with its results."""
    run = Run.objects.filter(job=job).first()
    state = STATES.get(JobState(job.state))
    if run is not None and state is not None and run.state != state:
        services.set_run_state(run=run, state=state, error=job.error)


@job_kind(
    "experiments.run",
    label="Training",
    queue="gpu",
    spoken_errors=(DetectionError, ImagingError),
    on_state=follow_job,
)
def perform_run(context: JobContext) -> dict[str, Any]:
    """Payload: {"run": primary key}."""
    from webapp.experiments.running import perform

    run = Run.objects.select_related("arm__experiment__version", "arm__experiment__batch").get(
        pk=context.payload["run"]
    )
    return perform(run, context)
