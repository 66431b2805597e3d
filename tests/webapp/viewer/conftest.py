"""Fixtures of the viewer's tests."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.webapp import records
from tests.webapp.viewer.constructed import Constructed, construct
from webapp.accounts.models import Project, User


@pytest.fixture
def project(db: None) -> Project:
    return records.make_project()


@pytest.fixture
def case(project: Project) -> Constructed:
    return construct(project)


@pytest.fixture
def observer(project: Project) -> User:
    return records.make_member(project, "observer")


@pytest.fixture
def outsider(db: None) -> User:
    return records.make_member(None, "observer")


@pytest.fixture
def client_of_observer(observer: User) -> Client:
    client = Client()
    client.force_login(observer)
    return client
