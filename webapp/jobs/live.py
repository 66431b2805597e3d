"""Server-sent events of jobs: one poller a process, fanned out to one bounded queue a page.

A message is the whole state of a job, so that one too many does no harm and replay needs no event store: a page
that comes back with `Last-Event-ID` (milliseconds of the database's clock) gets every job that changed since.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection

from webapp.jobs import clock, selectors

logger = logging.getLogger(__name__)

OVERLAP_SECONDS = 30.0
"""Rounds look back further than the last one: a row may be committed later than it was written."""
LONGEST_REPLAY_SECONDS = 24 * 3600.0
QUEUE_LENGTH = 200
RETRY_MILLISECONDS = 2000

Value = TypeVar("Value")
_database = ThreadPoolExecutor(max_workers=1, thread_name_prefix="job-stream")


async def in_database_thread(function: Callable[[], Value]) -> Value:
    """Run a query outside the event loop, in the one thread that all streams of the process share."""

    def clean() -> Value:
        close_old_connections()
        try:
            return function()
        except DatabaseError:
            connection.close()
            raise
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(_database, clean)


def message(event: str, identity: int, content: Any) -> bytes:
    """One server-sent event."""
    return f"id: {identity}\nevent: {event}\ndata: {json.dumps(content)}\n\n".encode()


class Hub:
    """Who listens to which project, and the poller that serves them."""

    def __init__(self) -> None:
        self.listeners: dict[int, set[asyncio.Queue[bytes | None]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._seen: dict[int, int] = {}

    def subscribe(self, project_id: int) -> asyncio.Queue[bytes | None]:
        """Start to listen; the poller starts with the first listener and ends with the last."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=QUEUE_LENGTH)
        self.listeners.setdefault(project_id, set()).add(queue)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._poll())
        return queue

    def unsubscribe(self, project_id: int, queue: asyncio.Queue[bytes | None]) -> None:
        """Stop listening."""
        queues = self.listeners.get(project_id, set())
        queues.discard(queue)
        if not queues:
            self.listeners.pop(project_id, None)

    async def _poll(self) -> None:
        while self.listeners:
            projects = list(self.listeners)
            try:
                identity, rows = await in_database_thread(partial(_changed, projects))
            except DatabaseError as error:
                logger.warning("job stream: database does not answer (%s)", type(error).__name__)
            else:
                for project_id, row in rows:
                    if self._seen.get(row["id"]) != row["version"]:
                        self._tell(project_id, message("job", identity, row))
                self._seen = {row["id"]: row["version"] for _, row in rows}
            await asyncio.sleep(settings.JOB_POLL_SECONDS)

    def _tell(self, project_id: int, content: bytes) -> None:
        for queue in list(self.listeners.get(project_id, ())):
            try:
                queue.put_nowait(content)
            except asyncio.QueueFull:
                # too slow to follow: end the stream, the page comes back with what it has seen last
                self.unsubscribe(project_id, queue)
                queue.get_nowait()
                queue.put_nowait(None)


hub = Hub()


def _changed(projects: list[int]) -> tuple[int, list[tuple[int, dict[str, Any]]]]:
    identity = int(clock.now() * 1000)
    jobs = selectors.live(projects, seconds=OVERLAP_SECONDS)
    return identity, [(job.project_id, selectors.row(job)) for job in jobs]


def _snapshot(project_id: int, last: int | None) -> tuple[int, dict[str, Any]]:
    now = clock.now()
    away = 0.0 if last is None else max(0.0, now - last / 1000)
    seconds = min(away, LONGEST_REPLAY_SECONDS) + OVERLAP_SECONDS
    jobs = selectors.active_or_changed(project_id, seconds=seconds)
    return int(now * 1000), {"jobs": [selectors.row(job) for job in jobs]}


async def stream(project_id: int, last: int | None, allowed: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Messages for one page until it goes away or may not listen any longer.

    Parameters
    ----------
    project_id : int
        Only jobs of this project are sent.
    last : int or None
        `Last-Event-ID`: what changed since is sent first.
    allowed : callable
        Asked at every ping whether the person is still signed in and a member.
    """
    queue = hub.subscribe(project_id)
    try:
        yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
        identity, content = await in_database_thread(lambda: _snapshot(project_id, last))
        yield message("jobs", identity, content)
        ping_at = time.monotonic() + settings.JOB_STREAM_PING_SECONDS
        while True:
            item: bytes | None = b""
            with contextlib.suppress(TimeoutError):
                item = await asyncio.wait_for(queue.get(), max(0.01, ping_at - time.monotonic()))
            if item is None:
                return
            if item:
                yield item
            if time.monotonic() >= ping_at:
                if not await in_database_thread(allowed):
                    yield b"event: signed-out\ndata: {}\n\n"
                    return
                yield b": ping\n\n"
                ping_at = time.monotonic() + settings.JOB_STREAM_PING_SECONDS
    finally:
        hub.unsubscribe(project_id, queue)
