"""The one Celery task: a job's number in, an attempt out."""

from __future__ import annotations

from django.db import close_old_connections

from webapp.celery import app
from webapp.jobs.attempt import attempt
from webapp.jobs.delivery import TASK


@app.task(name=TASK, ignore_result=True)
def run(job_id: int) -> None:
    """Work on the job if it is still there to be worked on."""
    close_old_connections()
    try:
        attempt(job_id)
    finally:
        close_old_connections()
