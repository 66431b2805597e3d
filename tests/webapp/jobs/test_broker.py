"""Messages as files: each is delivered to exactly one reader, whole."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
from kombu import Connection, Queue
from kombu.transport.virtual import Channel as VirtualChannel

from webapp.jobs import broker

PRODUCER = """
import sys
from kombu import Connection
from pathlib import Path
from webapp.jobs import broker
folder, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Connection(f"{broker.SCHEME}://", transport_options=broker.options(Path(folder))) as connection:
    queue = connection.SimpleQueue("cpu")
    for number in range(count):
        queue.put(f"{name}-{number}")
"""
CONSUMER = """
import sys
from queue import Empty
from kombu import Connection
from pathlib import Path
from webapp.jobs import broker
with Connection(f"{broker.SCHEME}://", transport_options=broker.options(Path(sys.argv[1]))) as connection:
    queue = connection.SimpleQueue("cpu")
    while True:
        try:
            message = queue.get(timeout=6)
        except Empty:
            break
        print(message.payload)
        message.ack()
"""


def connect(folder: Path) -> Connection:
    return Connection(f"{broker.SCHEME}://", transport_options=broker.options(folder))


def test_messages_come_in_order_and_are_gone_once_taken(tmp_path) -> None:
    with connect(tmp_path) as connection:
        queue = connection.SimpleQueue("cpu")
        for number in range(3):
            queue.put(number)
        assert queue.qsize() == 3
        messages = [queue.get(timeout=2) for _ in range(3)]
        assert [message.payload for message in messages] == [0, 1, 2]
        for message in messages:
            message.ack()
        assert queue.qsize() == 0
    assert list((tmp_path / "messages").iterdir()) == []


def test_a_reader_that_ends_politely_gives_back_what_it_has_not_acknowledged(tmp_path) -> None:
    with connect(tmp_path) as connection:
        queue = connection.SimpleQueue("cpu")
        queue.put("work")
        queue.get(timeout=2)
    with connect(tmp_path) as connection:
        assert connection.SimpleQueue("cpu").get(timeout=2).payload == "work"


def test_queues_do_not_see_each_others_messages(tmp_path) -> None:
    with connect(tmp_path) as connection:
        connection.SimpleQueue("gpu").put("for the gpu")
        assert connection.SimpleQueue("cpu").qsize() == 0
        assert connection.SimpleQueue("gpu").qsize() == 1


def test_nothing_is_lost_or_doubled_between_processes(tmp_path) -> None:
    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), *arguments], stdout=subprocess.PIPE, text=True
        )

    producers = [start(PRODUCER, name, "150") for name in "ab"]
    consumers = [start(CONSUMER) for _ in range(2)]
    for producer in producers:
        producer.communicate()
        assert producer.returncode == 0
    received = [line for consumer in consumers for line in consumer.communicate()[0].split()]
    assert sorted(received) == sorted(f"{name}-{number}" for name in "ab" for number in range(150))


def test_bindings_made_at_the_same_time_are_all_kept(tmp_path) -> None:
    with connect(tmp_path) as first, connect(tmp_path) as second:
        for number in range(10):
            for connection in (first, second):
                Queue(
                    f"q{number}-{id(connection)}", exchange="work", routing_key="x", channel=connection.channel()
                ).declare()
        names = {row.queue for row in first.default_channel.get_table("work")}
    assert len(names) == 20
    json.loads((tmp_path / "control" / "work.exchange").read_text())


def test_a_full_disk_leaves_no_half_message(tmp_path, monkeypatch) -> None:
    def full(self: Path, content: bytes) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with connect(tmp_path) as connection:
        channel = connection.default_channel
        assert isinstance(channel, VirtualChannel)
        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            channel._put("cpu", {"job": 1})
    assert list((tmp_path / "messages").iterdir()) == []
