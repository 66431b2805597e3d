"""The job that makes a report."""

from __future__ import annotations

from typing import Any

from detection.evaluation.errors import EvaluationError
from webapp.jobs.context import JobContext
from webapp.jobs.registry import job_kind
from webapp.results.models import Report


@job_kind("results.report", label="Report", queue="cpu", spoken_errors=(EvaluationError,))
def make_report(context: JobContext) -> dict[str, Any]:
    """Payload: {"report": primary key}."""
    from webapp.results.reports.making import make

    return make(Report.objects.get(pk=context.payload["report"]), context)
