"""Long work of this app."""

from __future__ import annotations

from typing import Any

from webapp.cases.importing.errors import ImportStopped
from webapp.cases.models import ImportBatch
from webapp.cases.services import JOB_KIND
from webapp.jobs.context import JobContext
from webapp.jobs.errors import JobStopped
from webapp.jobs.registry import job_kind


@job_kind(JOB_KIND, label="Import")
def import_upload(context: JobContext) -> dict[str, Any]:
    """Import the files of an upload."""
    from webapp.cases.importing.run import run_upload  # OpenCV and the DICOM codecs: the web process starts without

    batch = ImportBatch.objects.select_related("project", "site", "created_by").get(pk=context.payload["batch"])
    try:
        report = run_upload(batch=batch, progress=context.progress, should_stop=context.should_stop)
    except ImportStopped as error:
        if context.should_stop():
            raise JobStopped from error
        raise
    return {key: value for key, value in report.as_dict().items() if key != "failed"}
