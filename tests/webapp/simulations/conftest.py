"""A project with a frozen version of small pictures: two sites, lesion-free left breasts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.webapp import experiment_records, records
from webapp.accounts.models import Project, User
from webapp.datasets.models import DatasetVersion
from webapp.jobs.execution import run_all_here
from webapp.simulations import services
from webapp.simulations.models import SimulationBatch


@dataclass(frozen=True)
class Study:
    project: Project
    researcher: User
    radiologist: User
    observer: User
    version: DatasetVersion

    def simulate(self, benign: int = 1, malignant: int = 1, *, run: bool = True, **options: Any) -> SimulationBatch:
        """A batch, made where `run`."""
        batch = services.create_batch(
            actor=self.researcher,
            project=self.project,
            version=self.version,
            wanted={"benign": benign, "malignant": malignant},
            seed=options.pop("seed", 7),
            **options,
        )
        if run:
            run_all_here()
            batch.refresh_from_db()
        return batch


@pytest.fixture
def study(db: None, settings: Any, tmp_path: Path) -> Study:
    settings.FILES_ROOT = tmp_path / "files"
    project = records.make_project()
    return Study(
        project,
        records.make_member(project, "researcher", "rita"),
        records.make_member(project, "radiologist", "ralf"),
        records.make_member(project, "observer", "olga"),
        experiment_records.make_version(project, 12, external=2, with_files=True),
    )
