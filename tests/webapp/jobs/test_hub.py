"""One poller serves all pages of a process; a page that cannot follow is let go."""

from __future__ import annotations

import asyncio

import pytest

from webapp.jobs import live


def test_the_poller_asks_once_for_all_listeners_and_ends_with_the_last(monkeypatch, settings) -> None:
    settings.JOB_POLL_SECONDS = 0.01
    rounds: list[list[int]] = []

    def changed(projects: list[int]) -> tuple[int, list[tuple[int, dict]]]:
        rounds.append(sorted(projects))
        return 7, [(1, {"id": 5, "version": 1}), (2, {"id": 6, "version": len(rounds)})]

    async def direct(function):
        return function()

    monkeypatch.setattr(live, "_changed", changed)
    monkeypatch.setattr(live, "in_database_thread", direct)

    async def scenario() -> None:
        hub = live.Hub()
        first = [hub.subscribe(1) for _ in range(50)]
        second = hub.subscribe(2)
        received = [await second.get() for _ in range(3)]
        assert all(b'"id": 6' in item for item in received), "each new version is told"
        assert {queue.qsize() for queue in first} == {1}, "an unchanged job is told once"
        assert rounds[0] == [1, 2]
        for queue in first:
            hub.unsubscribe(1, queue)
        hub.unsubscribe(2, second)
        assert hub._task is not None
        await asyncio.wait_for(hub._task, 60)
        assert hub.listeners == {}

    asyncio.run(scenario())
    assert 3 <= len(rounds) < 53


def test_a_page_that_cannot_follow_is_let_go_and_others_go_on(monkeypatch) -> None:
    monkeypatch.setattr(live, "QUEUE_LENGTH", 3)

    async def scenario() -> None:
        hub = live.Hub()
        slow, fast = asyncio.Queue(maxsize=3), asyncio.Queue(maxsize=30)
        hub.listeners[1] = {slow, fast}
        for number in range(5):
            hub._tell(1, str(number).encode())
        assert hub.listeners == {1: {fast}}
        assert [slow.get_nowait() for _ in range(slow.qsize())][-1] is None
        assert fast.qsize() == 5

    asyncio.run(scenario())


@pytest.mark.parametrize("content", [{"name": "a\nb\n\nevent: forged"}, {"name": "ü “”"}])
def test_no_text_can_break_out_of_its_message(content) -> None:
    lines = live.message("job", 3, content).decode().split("\n")
    assert lines[0] == "id: 3" and lines[1] == "event: job" and lines[2].startswith("data: ") and lines[3:] == ["", ""]
