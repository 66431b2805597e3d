"""Fixtures for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# a busy machine is no failure: no example has a time limit (what the profile for CI says stays)
settings.register_profile(
    "untimed", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the real images for internal tests; skips with the reason where it is absent."""
    folder = Path(os.environ.get("CEM_SHARED_DATA", ROOT.parent / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"real test images absent: {folder.name} (set CEM_SHARED_DATA)")
    return folder


@pytest.fixture(autouse=True)
def database_guards_step_aside_for_flush(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests that commit are cleaned by deleting all rows, which the guards would refuse.

    The guards are dropped after such a test; the flush itself ends with the migration signal that installs them anew.
    """
    transactional = {"transactional_db", "live_server"} & set(request.fixturenames) or any(
        mark.kwargs.get("transaction") for mark in request.node.iter_markers("django_db")
    )
    if not transactional:
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    from django.db import connection

    from webapp.core import guards

    guards.remove(connection)
