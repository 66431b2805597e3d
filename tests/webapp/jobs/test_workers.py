"""Real workers, killed at the worst moment: the work continues from its checkpoint and is done once.

Every test runs on the embedded set-up (SQLite, file broker) and on PostgreSQL with Redis.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.services import (  # fixtures
    free_port,
    postgresql_server,
    production_services,
    redis_url,
)
from tests.webapp.jobs.installation import Installation

__all__ = ["postgresql_server", "production_services", "redis_url"]
pytestmark = pytest.mark.slow


@pytest.fixture(params=["embedded", "production"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    services = request.getfixturevalue("production_services") if request.param == "production" else {}
    station = Installation(tmp_path, services)
    yield station
    station.close()


def alive(process: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def held_at_step_two(station: Installation) -> tuple[int, int]:
    """A job that has done two of four steps and waits; its number and its process."""
    number = station.submit("test-steps", payload={"steps": 4, "hold": 2})
    _, process, _ = station.wait_for_note("step 2")
    station.wait_for(lambda: station.job(number)["state"] == "running", "running")
    return number, int(process)


def assert_done_once_from_the_checkpoint(station: Installation, number: int, attempts: int = 2) -> None:
    job = station.wait_for_state(number, "done")
    steps = [line.split(" ", 2)[2] for line in station.lines()]
    assert steps.count("from 3") == 1, "the next attempt began after the checkpoint"
    assert [steps.count(f"step {step}") for step in (1, 2, 3, 4)] == [1, 1, 1, 1]
    assert steps.count("completed") == 1
    assert station.side_effects() == 1
    assert (job["attempt"], job["fraction"]) == (attempts, 1.0)
    assert station.texts(number).count("Done.") == 1
    assert job["result"] == {"torch_in_worker": False}


def test_a_worker_takes_a_job_from_the_queue_and_finishes_it(installation: Installation) -> None:
    installation.start("work")
    number = installation.submit("test-steps", payload={"steps": 3})
    installation.wait_for_state(number, "done")
    assert installation.texts(number) == ["Queued.", "Started.", "Done."]
    assert installation.side_effects() == 1


def test_kill_9_of_the_job_process(installation: Installation) -> None:
    installation.start("work")
    number, process = held_at_step_two(installation)
    os.kill(process, signal.SIGKILL)
    installation.go.touch()
    assert_done_once_from_the_checkpoint(installation, number)
    assert any("The process was killed (signal 9)" in text for text in installation.texts(number))


def test_kill_9_of_the_worker_takes_the_job_process_with_it_and_another_worker_continues(
    installation: Installation,
) -> None:
    worker = installation.start("work", CEMLAB_JOB_LEASE="10")
    number, process = held_at_step_two(installation)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    installation.wait_for(lambda: not alive(process), "the job's process died with its worker")
    installation.go.touch()
    installation.start("work")
    assert_done_once_from_the_checkpoint(installation, number)
    assert any("lost contact" in text for text in installation.texts(number))


def test_sigterm_to_a_worker_writes_a_checkpoint_and_hands_the_job_on(installation: Installation) -> None:
    worker = installation.start("work")
    number, _ = held_at_step_two(installation)
    worker.send_signal(signal.SIGTERM)
    worker.wait()
    job = installation.job(number)
    assert (job["state"], job["attempts_allowed"]) == ("queued", 4), "a polite stop costs no attempt"
    installation.go.touch()
    installation.start("work")
    assert_done_once_from_the_checkpoint(installation, number)


def test_serve_heals_after_kill_9_of_web_worker_and_leaves_nothing_behind(installation: Installation) -> None:
    port = free_port()
    server = installation.start("serve", "--port", str(port), "--workers-gpu", "0")
    installation.wait_for(lambda: "CEMLab is ready at" in installation.output(), "ready")
    number, process = held_at_step_two(installation)
    children = [int(child) for child in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()]
    assert len(children) == 2
    commands = {child: Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[2].decode() for child in children}
    web = next(child for child, command in commands.items() if command == "web")
    worker = next(child for child, command in commands.items() if command == "work")

    os.kill(web, signal.SIGKILL)
    installation.wait_for(lambda: installation.output().count("web ended (status -9)") == 1, "web restarted")
    assert alive(process), "the job does not notice that the web process died"
    os.kill(worker, signal.SIGKILL)
    installation.wait_for(lambda: not alive(process), "the job's process died with its worker")
    installation.go.touch()
    assert_done_once_from_the_checkpoint(installation, number)

    second = installation.submit(
        "test-steps", payload={"steps": 4, "hold": 2, "go": str(installation.folder / "never")}
    )
    installation.wait_for(
        lambda: len(installation.lines()) > 8 and installation.job(second)["state"] == "running", "second"
    )
    group = [int(child) for child in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()]
    server.send_signal(signal.SIGTERM)
    server.wait()
    assert not any(alive(child) for child in group)
    assert installation.job(second)["state"] == "queued"


def test_a_supervisor_killed_by_force_leaves_no_orphans(installation: Installation) -> None:
    server = installation.start("serve", "--port", str(free_port()), "--workers-gpu", "0")
    installation.wait_for(lambda: "CEMLab is ready at" in installation.output(), "ready")
    _, process = held_at_step_two(installation)
    children = [int(child) for child in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()]
    server.send_signal(signal.SIGKILL)
    server.wait()
    installation.wait_for(lambda: not any(alive(one) for one in [*children, process]), "no orphans")


def test_cancelling_a_running_job_lets_it_write_a_checkpoint_first(installation: Installation) -> None:
    installation.start("work")
    number, _ = held_at_step_two(installation)
    installation.ask(f"services.cancel(actor=None, job=Job.objects.get(pk={number}))")
    installation.wait_for_state(number, "cancelled")
    assert installation.lines()[-1].endswith("stopped")
    assert installation.texts(number)[-1] == "Cancelled; its last checkpoint stays."
    installation.ask(f"services.retry(actor=None, job=Job.objects.get(pk={number}))")
    installation.go.touch()
    assert_done_once_from_the_checkpoint(installation, number)


def test_a_job_that_does_not_listen_is_ended_by_force(installation: Installation) -> None:
    installation.start("work", CEMLAB_JOB_GRACE="1")
    number = installation.submit("test-patient")
    _, process, _ = installation.wait_for_note("begin")
    installation.ask(f"services.cancel(actor=None, job=Job.objects.get(pk={number}))")
    installation.wait_for_state(number, "cancelled")
    assert installation.texts(number)[-1] == "Cancelled; it was ended by force."
    assert not alive(int(process))


def test_a_time_limit_fails_the_job_with_words(installation: Installation) -> None:
    installation.start("work", CEMLAB_JOB_GRACE="1")
    number = installation.submit("test-stubborn")
    job = installation.wait_for_state(number, "failed")
    assert "longer than" in job["error"]


def test_a_job_that_always_dies_is_given_up_after_its_attempts(installation: Installation) -> None:
    installation.start("work")
    number = installation.submit("test-dies")
    job = installation.wait_for_state(number, "failed")
    assert job["attempt"] == 2
    assert "It was tried 2 times, which is the limit." in job["error"]
    assert len(installation.lines()) == 2


def test_duplicated_messages_are_refused_and_lost_ones_sent_again(installation: Installation) -> None:
    number = installation.submit("test-steps", payload={"steps": 3, "hold": 2})
    installation.ask(f"from webapp.jobs import delivery\nfor _ in range(5): delivery.send({number}, 'cpu')")
    lost = installation.submit("test-steps", payload={"steps": 1})
    installation.ask(
        "from webapp.celery import app\n"
        "with app.connection_for_write() as broker: broker.default_channel._purge('cpu')\n"
        f"from webapp.jobs import delivery\nfor _ in range(5): delivery.send({number}, 'cpu')"
    )
    installation.start("work", "--concurrency", "2")
    installation.start("work", "--concurrency", "2")
    installation.wait_for_state(lost, "done")
    installation.wait_for_note("step 2")
    installation.go.touch()
    job = installation.wait_for_state(number, "done")
    assert job["attempt"] == 1
    assert [line.split(" ", 2)[2] for line in installation.lines()].count("step 2") == 1
    assert installation.side_effects() == 2


def test_trainings_on_one_device_run_one_after_the_other_and_followers_last(installation: Installation) -> None:
    first = installation.submit("test-training", device="cpu")
    second = installation.submit("test-training", device="cpu")
    follower = installation.submit("test-steps", payload={"steps": 1}, after=second)
    assert installation.job(follower)["state"] == "waiting"
    installation.start("work", "--concurrency", "2")
    installation.start("work", "--concurrency", "2")
    for number in (first, second, follower):
        installation.wait_for_state(number, "done")
    notes = [line.split(" ", 2) for line in installation.lines()]
    trainings = [(process, text) for _, process, text in notes if text in {"begin", "end"}]
    assert [text for _, text in trainings] == ["begin", "end", "begin", "end"], "never two at a time"
    assert trainings[0][0] == trainings[1][0] != trainings[2][0] == trainings[3][0]
    order = installation.ask(f"result = Job.objects.get(pk={second}).ended <= Job.objects.get(pk={follower}).started")
    assert order, "a follower starts when its predecessor is done"


def test_two_devices_work_side_by_side(installation: Installation) -> None:
    for device in ("cuda:0", "cuda:1"):
        installation.submit("test-steps", queue="gpu", device=device, payload={"steps": 2, "hold": 1})
    installation.start("work", "--queues", "gpu", "--concurrency", "2")
    installation.wait_for(lambda: len([line for line in installation.lines() if "step 1" in line]) == 2, "both")


def test_the_claim_is_won_by_exactly_one_of_many_processes(installation: Installation) -> None:
    number = installation.submit("test-steps", payload={"steps": 1})
    code = (
        "import django, sys, time; django.setup()\n"
        "from webapp.jobs import lease\n"
        "sys.stdin.readline()\n"
        f"print(sum(lease.claim({number}, lease.new_token()) for _ in range(20)))"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env=installation.environment,
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    wins = [int(racer.communicate("go\n")[0]) for racer in racers]
    assert sorted(wins) == [0, 0, 0, 1]
    assert installation.job(number)["attempt"] == 1


def test_a_broker_that_is_away_does_not_fail_the_request_and_the_job_runs_later(
    installation: Installation, tmp_path: Path
) -> None:
    if "CELERY_BROKER_URL" in installation.environment:
        installation.ask(
            "from webapp.celery import app\nimport celery\n"
            f"app.conf.broker_url = app.conf.broker_write_url = 'redis://127.0.0.1:{free_port()}/0'\n"
            "app.set_current(); app.__dict__.pop('amqp', None); app._pool = None"
        )
    else:
        installation.ask("from webapp.celery import app")
        (tmp_path / "data" / "broker" / "messages").rename(tmp_path / "away")
    number = installation.submit("test-steps", payload={"steps": 1})
    assert installation.job(number)["state"] == "queued"
    installation.start("work")
    installation.wait_for_state(number, "done")


def test_pages_and_workers_do_not_import_torch(installation: Installation) -> None:
    loaded = installation.ask(
        "import sys\nimport webapp.asgi, webapp.jobs.tasks, webapp.jobs.reaper\nfrom django.urls import get_resolver\n"
        "get_resolver().url_patterns\nresult = sorted({'torch', 'torchvision', 'radiomics'} & set(sys.modules))"
    )
    assert loaded == []


def test_time_is_the_databases(installation: Installation) -> None:
    seconds = installation.ask("from webapp.jobs import clock\nresult = [clock.now(), clock.now()]")
    assert seconds[0] <= seconds[1]
    assert re.fullmatch(r"\d{10}", str(int(seconds[0])))
    assert abs(seconds[0] - time.time()) < 3600
