"""The event stream over a real server: replay, permissions, the end at sign-out."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.services import free_port
from tests.webapp.jobs.installation import Installation

pytestmark = pytest.mark.slow
TIMEOUT_SECONDS = 120


class Reader:
    """Reads server-sent events of one connection."""

    def __init__(self, port: int, path: str, *, session: str = "", last: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        headers = {"Accept": "text/event-stream"}
        if session:
            headers["Cookie"] = f"sessionid={session}"
        if last:
            headers["Last-Event-ID"] = last
        self._connection.request("GET", path, headers=headers)
        self.response = self._connection.getresponse()

    def block(self) -> dict[str, str] | None:
        """The next block of lines; None at the end of the stream. A comment has the key ""."""
        fields: dict[str, str] = {}
        while line := self.response.readline().decode():
            if line == "\n":
                return fields
            key, _, value = line.rstrip("\n").partition(": ")
            fields[key.rstrip(":") if value else key] = value
        return None

    def event(self, name: str) -> tuple[str, Any]:
        """Id and content of the next event of this name."""
        while (block := self.block()) is not None:
            if block.get("event") == name:
                return block.get("id", ""), json.loads(block["data"])
        raise AssertionError(f"the stream ended without an event {name!r}")

    def close(self) -> None:
        self.response.close()
        self._connection.close()


def refusal(port: int, path: str, *, session: str = "") -> int:
    """Status of an answer that is no stream."""
    reader = Reader(port, path, session=session)
    reader.response.read()
    reader.close()
    return reader.response.status


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, int]]:
    station = Installation(tmp_path_factory.mktemp("station"), {})
    port = free_port()
    station.start("web", "--port", str(port), CEMLAB_JOB_STREAM_PING="0.5")

    def answers() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("GET", "/health/")
            return connection.getresponse().status == 200
        except ConnectionError:
            return False
        finally:
            connection.close()

    station.wait_for(answers, "the web process answers")
    yield station, port
    station.close()


def member(station: Installation, name: str, role: str | None = "observer") -> str:
    """A signed-in person; the key of the session."""
    return str(
        station.ask(
            "from django.contrib.auth import SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY\n"
            "from django.contrib.sessions.backends.db import SessionStore\n"
            f"user, _ = User.objects.get_or_create(username={name!r})\n"
            f"role = {role!r}\n"
            "if role: Membership.objects.update_or_create(project=project(), user=user, defaults={'role': role})\n"
            "session = SessionStore()\n"
            "session[SESSION_KEY] = str(user.pk)\n"
            "session[BACKEND_SESSION_KEY] = 'django.contrib.auth.backends.ModelBackend'\n"
            "session[HASH_SESSION_KEY] = user.get_session_auth_hash()\n"
            "session.create()\n"
            "result = session.session_key"
        )
    )


def rename(station: Installation, number: int, message: str) -> None:
    station.ask(
        f"from webapp.jobs import transitions\ntransitions.change(Job.objects.filter(pk={number}), message={message!r})"
    )


def test_a_page_gets_everything_first_and_then_each_change(server: tuple[Installation, int]) -> None:
    station, port = server
    number = station.submit("test-steps", payload={"steps": 1})
    reader = Reader(port, "/alpha/jobs/stream", session=member(station, "olive"))
    assert reader.response.status == 200
    assert reader.response.headers["Content-Type"] == "text/event-stream"
    assert reader.response.headers["X-Accel-Buffering"] == "no"
    assert "default-src 'none'" in reader.response.headers["Content-Security-Policy"]
    _, first = reader.event("jobs")
    assert number in [job["id"] for job in first["jobs"]]
    rename(station, number, "epoch 2 of 9")
    while (change := reader.event("job"))[1]["message"] != "epoch 2 of 9":
        pass
    assert change[1]["id"] == number and change[0].isdigit()
    reader.close()


def test_a_page_that_was_away_gets_what_changed_meanwhile(server: tuple[Installation, int]) -> None:
    station, port = server
    number = station.submit("test-steps", payload={"steps": 1})
    session = member(station, "olive")
    reader = Reader(port, "/alpha/jobs/stream", session=session)
    last, _ = reader.event("jobs")
    reader.close()
    station.ask(f"services.cancel(actor=None, job=Job.objects.get(pk={number}))")
    again = Reader(port, "/alpha/jobs/stream", session=session, last=last)
    _, replay = again.event("jobs")
    assert {job["id"]: job["state"] for job in replay["jobs"]}[number] == "cancelled"
    again.close()


def test_an_old_ending_is_replayed_only_to_a_page_that_was_away_since(server: tuple[Installation, int]) -> None:
    station, port = server
    number = station.submit("test-steps", payload={"steps": 1})
    station.ask(
        f"services.cancel(actor=None, job=Job.objects.get(pk={number}))\n"
        "from datetime import timedelta\nfrom django.utils import timezone\n"
        f"Job.objects.filter(pk={number}).update(updated=timezone.now() - timedelta(hours=1))"
    )
    now = station.ask("from webapp.jobs import clock\nresult = int(clock.now() * 1000)")
    session = member(station, "olive")
    for last, expected in ((str(now), False), (str(now - 2 * 3600 * 1000), True), ("nonsense", False)):
        reader = Reader(port, "/alpha/jobs/stream", session=session, last=last)
        _, content = reader.event("jobs")
        assert (number in [job["id"] for job in content["jobs"]]) is expected
        reader.close()


def test_only_members_may_listen_and_only_to_their_project(server: tuple[Installation, int]) -> None:
    station, port = server
    session = member(station, "olive")
    assert refusal(port, "/alpha/jobs/stream") == 401
    assert refusal(port, "/alpha/jobs/stream", session=member(station, "stranger", None)) == 404
    assert refusal(port, "/nowhere/jobs/stream", session=session) == 404
    other = station.ask(
        "other = Project.objects.create(slug='beta', name='Beta')\n"
        "result = services.submit(kind='test-steps', project=other, name='Secret', payload={}, created_by=None).pk"
    )
    reader = Reader(port, "/alpha/jobs/stream", session=session)
    _, first = reader.event("jobs")
    assert other not in [job["id"] for job in first["jobs"]]
    own = station.submit("test-steps", payload={"steps": 1})
    rename(station, other, "secret step")
    rename(station, own, "own step")
    seen = []
    while not seen or seen[-1]["message"] != "own step":
        seen.append(reader.event("job")[1])
    assert other not in [job["id"] for job in seen]
    reader.close()


@pytest.mark.parametrize(
    "end",
    [
        "from django.contrib.sessions.models import Session\nSession.objects.filter(pk={session!r}).delete()",
        "Membership.objects.filter(user__username='leaver').delete()",
        "user = User.objects.get(username='leaver')\nuser.set_password('another one')\nuser.save()",
    ],
    ids=["sign-out", "membership ends", "password changes"],
)
def test_the_stream_ends_when_the_person_may_not_listen_any_longer(server: tuple[Installation, int], end: str) -> None:
    station, port = server
    session = member(station, "leaver")
    reader = Reader(port, "/alpha/jobs/stream", session=session)
    reader.event("jobs")
    station.ask(end.format(session=session))
    reader.event("signed-out")
    assert reader.block() is None
    reader.close()


def test_a_quiet_stream_is_kept_alive(server: tuple[Installation, int]) -> None:
    station, port = server
    reader = Reader(port, "/alpha/jobs/stream", session=member(station, "olive"))
    while True:
        block = reader.block()
        assert block is not None
        if "" in block:
            assert block[""] == "ping"
            break
    reader.close()
