"""A project and its curator."""

from __future__ import annotations

import pytest

from tests.webapp import records
from webapp.accounts.models import Project, User


@pytest.fixture
def project() -> Project:
    return records.make_project()


@pytest.fixture
def curator(project: Project) -> User:
    return records.make_member(project, "curator")
