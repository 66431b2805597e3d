"""A project with people in every role, and job kinds that exist only here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from webapp.accounts.models import Membership, Project, Role, User
from webapp.jobs import registry, services
from webapp.jobs.context import JobContext
from webapp.jobs.models import Job
from webapp.jobs.registry import job_kind


@pytest.fixture
def project(db: None) -> Project:
    return Project.objects.create(slug="alpha", name="Alpha")


@pytest.fixture
def person(project: Project) -> Callable[[str], User]:
    """Make a member with a role; "outsider" is no member."""

    def make(role: str) -> User:
        user = User.objects.create_user(username=role, password="quiet-reading-room")
        if role != "outsider":
            Membership.objects.create(project=project, user=user, role=Role(role))
        return user

    return make


@pytest.fixture
def kind() -> Iterator[Callable[..., str]]:
    """Register a function as a kind for one test; returns the kind's name."""
    names: list[str] = []

    def register(function: Callable[[JobContext], dict | None], **rules: object) -> str:
        name = f"test-{len(names)}"
        job_kind(name, label="Test work", **rules)(function)
        names.append(name)
        return name

    yield register
    for name in names:
        del registry._kinds[name]


@pytest.fixture
def submit(project: Project, kind: Callable[..., str]) -> Callable[..., Job]:
    """Submit a job of a function (or of one that does nothing)."""

    def make(function: Callable[[JobContext], dict | None] = lambda context: None, **options: object) -> Job:
        rules = {
            key: options.pop(key) for key in ("attempts", "time_limit", "on_state", "spoken_errors") if key in options
        }
        values = {"project": project, "name": "Work", "payload": {}, "created_by": None} | options
        return services.submit(kind=kind(function, **rules), **values)

    return make
