"""What an observer, an outsider and an anonymous visitor can reach is tested for every URL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction
from django.http import HttpResponseBase
from django.test import AsyncClient, Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.webapp.access_table import TABLE, Row
from tests.webapp.world import World, address_values, make_world
from webapp.accounts.models import User
from webapp.experiments.models import Run
from webapp.jobs.models import Job


def names(patterns: list[Any], space: str = "") -> Iterator[str]:
    """Full names of all addresses."""
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield f"{space}{pattern.name}"
        else:
            assert isinstance(pattern, URLResolver)
            yield from names(pattern.url_patterns, f"{space}{pattern.namespace}:" if pattern.namespace else space)


@pytest.fixture
def world(db: None, settings: Any, tmp_path: Any) -> World:
    settings.FILES_ROOT = tmp_path / "files"
    return make_world()


@pytest.fixture
def values(world: World) -> dict[str, Any]:
    waiting = Run.objects.select_related("arm__experiment").get(job=world.queued)
    return address_values(world) | {
        "one": 1,
        "frozen": world.frozen.pk,
        "run": world.run.pk,
        "open": waiting.arm.experiment.number,
        "stopped": waiting.arm.experiment.number,
    }


class _Undo(Exception):
    """Ends a transaction whose writes are not wanted."""


def ask(row: Row, name: str, values: dict[str, Any], person: User | None, method: str) -> tuple[int, str]:
    """Status and Location of an answer; what it wrote is undone."""

    def looked_up(value: Any) -> Any:
        return values[value[1:]] if isinstance(value, str) and value.startswith("@") else value

    query = "&".join(f"{key}={looked_up(value)}" for key, value in row.query.items())
    address = reverse(name, kwargs={key: values[known] for key, known in row.values.items()}) + f"?{query}"
    data: Any = {key: looked_up(value) for key, value in row.data.items()}
    options = {}
    if name.startswith("api:") and method == "POST":
        data, options = json.dumps(data), {"content_type": "application/json"}
    elif "body" in data:
        data, options = data["body"], {"content_type": "application/octet-stream"}
    answered: list[tuple[int, str]] = []
    try:
        with transaction.atomic():
            response = _send(row, address, person, method, data, options)
            answered.append((response.status_code, response.headers.get("Location", "")))
            if response.streaming and not row.asynchronous:
                b"".join(response)  # type: ignore[arg-type]  # reading to the end closes the file
            raise _Undo
    except _Undo:
        return answered[0]


def _send(row: Row, address: str, person: User | None, method: str, data: Any, options: Any) -> HttpResponseBase:
    client: Any = AsyncClient() if row.asynchronous else Client(raise_request_exception=False)
    if person is not None:
        client.force_login(person)
    send: Callable[..., Any] = getattr(client, method.lower())
    if row.asynchronous:
        send = async_to_sync(send)
    answer: HttpResponseBase = send(address, data, **options) if method == "POST" else send(address)
    return answer


def rows() -> Iterator[tuple[str, Row]]:
    for name, listed in TABLE.items():
        for row in listed:
            yield name, row


def inside(row: Row) -> bool:
    """Whether the address belongs to a project."""
    return "project" in row.values


def stop_job_where_it_is_retried(name: str, values: dict[str, Any]) -> None:
    if name == "experiments:retry":
        Job.objects.filter(pk=values["job"]).update(state="failed")


def test_every_address_has_a_row() -> None:
    known = set(names(get_resolver().url_patterns))
    assert known - set(TABLE) == set(), "addresses without a row in tests/webapp/access_table.py"
    assert set(TABLE) - known == set(), "rows of addresses that no longer exist"


def test_anonymous_visitors_are_sent_to_sign_in_or_refused(world: World, values: dict[str, Any]) -> None:
    wrong = []
    for name, row in rows():
        status, location = ask(row, name, values, None, row.method)
        if row.anonymous == 0:
            right = status in row.answers
        elif row.anonymous == 302:
            right = status == 302 and location.startswith("/sign-in/?next=/")
        else:
            right = status == row.anonymous
        if not right:
            wrong.append((name, row.method, status, location))
    assert not wrong, "\n".join(map(str, wrong))


def test_outsiders_find_nothing(world: World, values: dict[str, Any]) -> None:
    """Also with an object's true address, and although they are admins of another project."""
    found = [
        (name, row.method, ask(row, name, values, world.people["outsider"], row.method)[0])
        for name, row in rows()
        if inside(row)
    ]
    assert not [each for each in found if each[2] != 404], "\n".join(str(each) for each in found if each[2] != 404)


def test_objects_cannot_be_reached_through_another_project(world: World, values: dict[str, Any]) -> None:
    elsewhere = values | {"project": "elsewhere"}
    found = [
        (name, row.method, ask(row, name, elsewhere, world.people["outsider"], row.method)[0])
        for name, row in rows()
        if len(row.values) > 1
    ]
    assert not [each for each in found if each[2] != 404], "\n".join(str(each) for each in found if each[2] != 404)


def test_members_read_everything_that_takes_no_role(world: World, values: dict[str, Any]) -> None:
    wrong = []
    for name, row in rows():
        if row.role == "observer":
            for role in ("observer", "admin"):
                status, location = ask(row, name, values, world.people[role], row.method)
                if status not in row.answers:
                    wrong.append((name, role, status, location))
    assert not wrong, "\n".join(map(str, wrong))


def test_observers_write_nothing(world: World, values: dict[str, Any]) -> None:
    wrong = []
    for name, row in rows():
        if row.role != "observer":
            stop_job_where_it_is_retried(name, values)
            status, _ = ask(row, name, values, world.people["observer"], row.method)
            if status != 403:
                wrong.append((name, row.method, status))
    assert not wrong, "\n".join(map(str, wrong))


def test_the_role_that_may_can(world: World, values: dict[str, Any]) -> None:
    wrong = []
    for name, row in rows():
        if row.role != "observer":
            for role in {row.role, "admin"}:
                stop_job_where_it_is_retried(name, values)
                status, location = ask(row, name, values, world.people[role], row.method)
                refused = row.answers == (302,) and location.startswith("/sign-in/")
                if status not in row.answers or refused:
                    wrong.append((name, row.method, role, status, location))
    assert not wrong, "\n".join(map(str, wrong))


def test_other_methods_are_refused(world: World, values: dict[str, Any]) -> None:
    wrong = []
    for name, row in rows():
        if row.refused:
            status, _ = ask(row, name, values, world.people["admin"], row.refused)
            if status != 405:
                wrong.append((name, row.refused, status))
    assert not wrong, "\n".join(map(str, wrong))
