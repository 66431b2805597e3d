"""Messages as files: a broker that needs no installed service.

kombu's own file transport creates a file and then fills it, so that a reader may move an empty message away
(measured: 5 to 9 of 4,500 lost), and its exchange table has the same flaw. Here every file is written aside and
renamed; a message is taken by rename inside the same folder tree, so that exactly one reader gets it.
"""

from __future__ import annotations

import fcntl
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any, ClassVar

from kombu.transport import TRANSPORT_ALIASES, filesystem, virtual
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps, loads

SCHEME = "cemlabfiles"


class Channel(filesystem.Channel):
    """Message and exchange files that are complete whenever they are visible."""

    def _messages(self, queue: str) -> list[Path]:
        suffix = f".{queue}.msg"
        return sorted(path for path in Path(self.data_folder_in).iterdir() if path.name.endswith(suffix))

    # kombu's own two base classes disagree on the name of the second parameter
    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]
        target = Path(self.data_folder_out) / f"{time.time_ns()}_{uuid.uuid4().hex}.{queue}.msg"
        _write(target, payload)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for path in self._messages(queue):
            mine = path.with_name(f".taken-{path.name}")
            try:
                path.rename(mine)
            except FileNotFoundError:
                continue  # another worker was faster
            content = mine.read_bytes()
            mine.unlink()
            return loads(bytes_to_str(content))
        raise Empty

    def _size(self, queue: str) -> int:
        return len(self._messages(queue))

    def _purge(self, queue: str) -> int:
        count = 0
        for path in self._messages(queue):
            try:
                path.unlink()
            except FileNotFoundError:
                continue
            count += 1
        return count

    def get_table(self, exchange: str) -> list[Any]:
        """Bindings of an exchange."""
        try:
            content = self._exchange_file(exchange).read_bytes()
        except FileNotFoundError:
            return []
        return [filesystem.exchange_queue_t(*row) for row in loads(bytes_to_str(content))]

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        row = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._locked_exchanges():
            table = self.get_table(exchange)
            if row not in table:
                _write(self._exchange_file(exchange), [*table, row])

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *_: Any, **__: Any) -> None:
        self._purge(queue)
        row = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._locked_exchanges():
            table = self.get_table(exchange)
            if row in table:
                _write(self._exchange_file(exchange), [other for other in table if other != row])

    @contextmanager
    def _locked_exchanges(self) -> Iterator[None]:
        self.control_folder.mkdir(parents=True, exist_ok=True)
        with (self.control_folder / ".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _write(target: Path, content: Any) -> None:
    """Whole or not at all; a full disk raises OSError and leaves nothing."""
    draft = target.with_name(f".{uuid.uuid4().hex}")
    try:
        draft.write_bytes(str_to_bytes(dumps(content)))
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


class Transport(filesystem.Transport):
    """kombu transport of the files above."""

    Channel = Channel
    _states: ClassVar[dict[str, virtual.BrokerState]] = {}

    def __init__(self, client: Any, **options: Any) -> None:
        """What a process knows of declared queues holds for one folder, not for all."""
        super().__init__(client, **options)
        folder = str(client.transport_options["control_folder"])
        self.state = self._states.setdefault(folder, virtual.BrokerState())


TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"


def options(folder: Path) -> dict[str, Any]:
    """Transport options for a broker in `folder`, which is created."""
    messages = folder / "messages"
    control = folder / "control"
    for path in (messages, control):
        path.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "control_folder": str(control),
        "polling_interval": 0.1,
    }
