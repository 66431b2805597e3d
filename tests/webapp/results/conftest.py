"""A project with an ended experiment of three arms, and a client of its researcher."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client

from tests.webapp import experiment_records, records
from tests.webapp.experiment_records import finish_all, seen
from webapp.accounts.models import Project, User
from webapp.datasets.models import DatasetVersion
from webapp.experiments.models import Experiment
from webapp.results import stored
from webapp.results.cases import CaseList


def listed(client: Client, url: str) -> CaseList:
    """The cases that a mark of a figure opens in the viewer."""
    assert url.endswith("&open=first")
    cases: CaseList = client.get(url.removesuffix("&open=first")).context["page"].paginator.object_list
    return cases


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()
    stored.forget()


@pytest.fixture
def project() -> Project:
    return records.make_project()


@pytest.fixture
def researcher(project: Project) -> User:
    return records.make_member(project, "researcher")


@pytest.fixture
def version(project: Project) -> DatasetVersion:
    return experiment_records.make_version(project, 48, external=40)


@pytest.fixture
def experiment(project: Project, researcher: User, version: DatasetVersion) -> Experiment:
    return experiment_records.launch(project, researcher, version, ratios=(0.0, 1.0, 2.0))


@pytest.fixture
def ended(experiment: Experiment) -> Experiment:
    return finish_all(experiment, lambda run: seen(0.4 + 0.2 * run.arm.position, also_wrong=True))


@pytest.fixture
def client(researcher: User) -> Client:
    client = Client()
    client.force_login(researcher)
    return client
