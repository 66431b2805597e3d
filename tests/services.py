"""PostgreSQL and Redis of the tests' own: started for a session, on free ports, in temporary folders.

Import the fixtures where they are needed (``from tests.services import production_services``). Where the
programs are missing, tests are skipped, except under CI, where they fail.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

POSTGRESQL_FOLDERS = Path("/usr/lib/postgresql")
STARTUP_SECONDS = 60


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServiceMissing(Exception):
    """A program the production set-up needs is not installed."""


def _skip_or_fail(missing: ServiceMissing) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{missing}, and CI must not skip: see tests/system_packages.sh")
    pytest.skip(str(missing))


def _postgresql_programs() -> Path | None:
    versions = sorted(POSTGRESQL_FOLDERS.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if versions:
        return versions[-1].parent
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def _as_postgres(*arguments: str | Path) -> list[str]:
    """PostgreSQL refuses to run as root."""
    command = [str(argument) for argument in arguments]
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


@contextmanager
def running_redis() -> Iterator[str]:
    """A Redis server of its own; its address."""
    program = shutil.which("redis-server")
    if program is None:
        raise ServiceMissing("redis-server is not installed")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="cemlab-redis-") as folder:
        server = subprocess.Popen(
            [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_for(port, server)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait()


@contextmanager
def running_postgresql() -> Iterator[str]:
    """A PostgreSQL server of its own; its address without a database name."""
    programs = _postgresql_programs()
    if programs is None:
        raise ServiceMissing("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="cemlab-postgresql-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    port, data = free_port(), folder / "data"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "cwd": "/"}
    try:
        subprocess.run(
            _as_postgres(programs / "initdb", "-D", data, "-U", "cemlab", "-A", "trust", "--no-sync", "-E", "UTF8"),
            **quiet,
        )
        # tests roll back what they write: statistics taken in between would call every table empty and mislead plans
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -c autovacuum=off -k {folder}"
        subprocess.run(
            _as_postgres(programs / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start"), **quiet
        )
        try:
            yield f"postgres://cemlab@127.0.0.1:{port}"
        finally:
            subprocess.run(_as_postgres(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"), **quiet)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Address of a Redis server of this session."""
    try:
        with running_redis() as address:
            yield address
    except ServiceMissing as missing:
        _skip_or_fail(missing)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Address of a PostgreSQL server of this session, without a database name."""
    try:
        with running_postgresql() as address:
            yield address
    except ServiceMissing as missing:
        _skip_or_fail(missing)


@pytest.fixture
def production_services(postgresql_server: str, redis_url: str) -> Iterator[dict[str, str]]:
    """Environment of a production set-up: an empty PostgreSQL database and a Redis broker of this test's own.

    The database has no tables yet: run ``manage.py migrate`` with this environment.
    """
    import psycopg
    import redis

    name = f"test_{os.getpid()}_{time.monotonic_ns()}"
    with psycopg.connect(f"{postgresql_server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield {"DATABASE_URL": f"{postgresql_server}/{name}", "CELERY_BROKER_URL": redis_url}
    with psycopg.connect(f"{postgresql_server}/postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server on port {port} did not start")
            time.sleep(0.05)
