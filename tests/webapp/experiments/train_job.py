"""What the console of an installation needs to start a tiny experiment (see test_killed_training.py)."""

from __future__ import annotations

from tests.webapp import experiment_records, records
from webapp.experiments.models import Run


def start(epochs: int) -> int:
    """An experiment with one arm without synthetic cases; the number of its training job."""
    project = records.make_project()
    version = experiment_records.make_version(project, 10, external=0, with_files=True)
    researcher = records.make_member(project, "researcher")
    experiment_records.launch(project, researcher, version, ratios=(0.0,), changes={"epochs": epochs})
    number = Run.objects.get().job_id
    assert number is not None
    return int(number)
