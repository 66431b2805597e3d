"""A training process killed outright: the run goes on from its checkpoint and is evaluated once.

On the embedded set-up (SQLite, file broker) and on PostgreSQL with Redis.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import postgresql_server, production_services, redis_url
from tests.webapp.jobs.installation import Installation

__all__ = ["postgresql_server", "production_services", "redis_url"]
pytestmark = pytest.mark.slow
EPOCHS = 12


@pytest.fixture(params=["embedded", "production"])
def installation(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    # loading torch alone takes a minute where many share a processor
    monkeypatch.setattr("tests.webapp.jobs.installation.WAIT_SECONDS", 900)
    services = request.getfixturevalue("production_services") if request.param == "production" else {}
    station = Installation(tmp_path, services)
    yield station
    station.close()


def training_process(station: Installation, number: int) -> int | None:
    """The process of the job, among those whose data folder is this installation's."""
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            of_job = b"run_job" in words and str(number).encode() in words
            if of_job and str(station.folder).encode() in (entry / "environ").read_bytes():
                return int(entry.name)
        except OSError:
            continue
    return None


def points(station: Installation) -> list[list[Any]]:
    """Epoch and attempt of every stored validation loss."""
    rows: list[list[Any]] = station.ask(
        "from webapp.experiments.models import MetricPoint\n"
        "result = [list(row) for row in MetricPoint.objects.filter(name='validation_loss').order_by('epoch')"
        ".values_list('epoch', 'attempt')]"
    )
    return rows


def test_kill_9_of_the_training_process(installation: Installation) -> None:
    number = installation.ask(f"from tests.webapp.experiments import train_job\nresult = train_job.start({EPOCHS})")
    installation.start("work")
    installation.wait_for(lambda: len(points(installation)) >= 2, "two epochs")
    process = training_process(installation, number)
    assert process is not None
    os.kill(process, signal.SIGKILL)
    before = points(installation)

    job = installation.wait_for_state(number, "done")

    after = points(installation)
    assert job["attempt"] == 2
    assert [epoch for epoch, _ in after] == list(range(1, EPOCHS + 1))
    assert {attempt for _, attempt in after} == {1, 2}
    assert [attempt for _, attempt in after] == sorted(attempt for _, attempt in after)
    first_again = min(epoch for epoch, attempt in after if attempt == 2)
    assert first_again >= len(before), "at most the epoch under way is repeated"
    texts = installation.texts(number)
    assert any("killed (signal 9)" in text for text in texts)
    assert "Training goes on from the last checkpoint of an earlier attempt." in texts
    assert texts.count("Done.") == 1
    state = installation.ask(
        "from webapp.experiments.models import Run\nfrom webapp.results.models import Evaluation\n"
        "run = Run.objects.get()\n"
        "result = [run.state, run.record['attempts'], Evaluation.objects.count(), run.artifacts.count()]"
    )
    assert state == ["done", 2, 1, 5]
