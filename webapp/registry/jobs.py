"""The job that applies a model."""

from __future__ import annotations

from typing import Any

from detection.errors import DetectionError
from imaging.errors import ImagingError
from webapp.jobs.context import JobContext
from webapp.jobs.registry import job_kind
from webapp.registry.models import ModelApplication


@job_kind("registry.apply", label="Model on cases", queue="gpu", spoken_errors=(DetectionError, ImagingError))
def perform_application(context: JobContext) -> dict[str, Any]:
    """Payload: {"application": primary key}."""
    from webapp.registry.applying import perform

    application = ModelApplication.objects.select_related("model__run__arm__experiment").get(
        pk=context.payload["application"]
    )
    return perform(application, context)
