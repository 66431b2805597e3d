from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.webapp import experiment_records, records
from tests.webapp.experiment_records import finish_all, graded
from webapp.accounts.models import Project, User
from webapp.experiments.models import Experiment


@pytest.fixture(autouse=True)
def own_files(settings: Any, tmp_path: Any) -> None:
    settings.FILES_ROOT = tmp_path / "files"


@pytest.fixture
def project() -> Project:
    return records.make_project()


@pytest.fixture
def researcher(project: Project) -> User:
    return records.make_member(project, "researcher", "researcher")


@pytest.fixture
def experiment(project: Project, researcher: User) -> Experiment:
    version = experiment_records.make_version(project, 24, external=4)
    return experiment_records.launch(project, researcher, version, ratios=(0.0,), seeds=(0, 3))


@pytest.fixture
def ended(experiment: Experiment) -> Experiment:
    return finish_all(experiment, lambda run: graded(run.seed))


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
