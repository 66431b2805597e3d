from __future__ import annotations

import pytest
from django.test import Client

from tests.webapp import experiment_records, records
from webapp.accounts.models import Project, User
from webapp.datasets.models import DatasetVersion


@pytest.fixture
def project() -> Project:
    return records.make_project()


@pytest.fixture
def version(project: Project) -> DatasetVersion:
    return experiment_records.make_version(project)


@pytest.fixture
def researcher(project: Project) -> User:
    return records.make_member(project, "researcher")


@pytest.fixture
def client(researcher: User) -> Client:
    """A browser in which the researcher is signed in."""
    client = Client()
    client.force_login(researcher)
    return client
