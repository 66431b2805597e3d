"""What the console of an installation needs to start a tiny experiment (see test_killed_training.py)."""

from __future__ import annotations

from tests.webapp import experiment_records, records
from webapp.experiments.design import ArmDesign, ExperimentDesign
from webapp.experiments.models import Run
from webapp.experiments.services import launch


def start(epochs: int) -> int:
    """An experiment with one arm without synthetic cases; the number of its training job."""
    project = records.make_project()
    version = experiment_records.make_version(project, 10, external=0, with_files=True)
    changes = experiment_records.TINY | {"epochs": epochs}
    design = ExperimentDesign(
        "Killed",
        "It comes back.",
        "sensitivity:malignant:internal_test",
        (ArmDesign("Real", "cpu-quick", 0, 0, changes),),
    )
    launch(actor=records.make_member(project, "researcher"), project=project, version=version, design=design)
    number = Run.objects.get().job_id
    assert number is not None
    return int(number)
