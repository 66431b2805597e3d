from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.webapp import experiment_records, records
from webapp.accounts.models import Project, User
from webapp.datasets.models import DatasetVersion
from webapp.experiments.models import Experiment

ROOT = "/api/v1/projects/study/"
Get = Callable[..., Any]


def design(version: DatasetVersion, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The body that freezes an experiment of one arm."""
    return {
        "version": version.pk,
        "name": "Ratios",
        "hypothesis": "Synthetic clusters raise sensitivity.",
        "primary_endpoint": "sensitivity:malignant:internal_test",
        "arms": [{"name": "Real", "preset": "cpu-quick", "changes": {"epochs": 2}}],
        "seeds": [3],
    } | (changes or {})


@pytest.fixture
def project() -> Project:
    return records.make_project()


@pytest.fixture
def researcher(project: Project) -> User:
    return records.make_member(project, "researcher", "ruth")


@pytest.fixture
def get(researcher: User) -> Get:
    """Read an address as the researcher."""
    client = Client()
    client.force_login(researcher)

    def read(address: str, status: int = 200) -> Any:
        response = client.get(ROOT + address)
        assert response.status_code == status, response.content
        return response.json()

    return read


@pytest.fixture
def version(project: Project) -> DatasetVersion:
    return experiment_records.make_version(project, 16, external=0)


@pytest.fixture
def experiment(project: Project, researcher: User, version: DatasetVersion) -> Experiment:
    return experiment_records.launch(project, researcher, version, ratios=(0.0,), seeds=(0, 1))
