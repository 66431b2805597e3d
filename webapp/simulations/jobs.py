"""The job that makes a batch."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from imaging.errors import ImagingError
from simulation.errors import SimulationError
from webapp.jobs.context import JobContext
from webapp.jobs.registry import job_kind
from webapp.simulations.models import SimulationBatch


@job_kind("simulations.batch", label="Simulation", queue="cpu", spoken_errors=(SimulationError, ImagingError))
def make_batch(context: JobContext) -> dict[str, Any]:
    """Payload: {"batch": primary key}."""
    from webapp.simulations.generation import generate

    batch = SimulationBatch.objects.select_related("version__dataset", "project", "control_of", "repeats__batch").get(
        pk=context.payload["batch"]
    )
    summary = generate(batch, context)
    with context.completing(summary):
        SimulationBatch.objects.filter(pk=batch.pk).update(summary=summary, finished=timezone.now())
    return summary
