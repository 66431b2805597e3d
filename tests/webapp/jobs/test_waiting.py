"""Why a job waits and about when it may start, as pages say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.test import Client

from webapp.accounts.models import Project
from webapp.jobs import lease, registry
from webapp.jobs.models import Job
from webapp.jobs.waiting import reason, reasons

pytestmark = pytest.mark.django_db


@pytest.fixture
def needing(submit) -> Callable[..., Job]:
    """Submit a job that needs its device for itself."""

    def make(**options: object) -> Job:
        job = submit(**{"queue": "gpu", "device": "cuda:0"} | options)
        registry._kinds[job.kind] = replace(registry._kinds[job.kind], uses_device=True)
        return job

    return make


def run(job: Job, seconds_left: float | None = None) -> Job:
    assert lease.claim(job.pk, lease.new_token())
    Job.objects.filter(pk=job.pk).update(seconds_left=seconds_left)
    return job


def test_behind_a_training_on_its_device_a_job_says_which_and_how_long(needing) -> None:
    run(needing(name="Training A"), 1500)
    first, second = needing(), needing()
    assert reasons([first, second]) == {
        first.pk: "Waits for cuda:0, which is used by “Training A”. It may start in about 25 min.",
        second.pk: "Waits for cuda:0, which is used by “Training A”. 1 earlier job goes first. "
        "It starts in 25 min at the earliest.",
    }


def test_where_the_training_cannot_say_how_long_no_time_is_guessed(needing) -> None:
    run(needing(name="Training A"))
    assert reason(needing()).endswith("“Training A”. How long is not known yet.")


def test_a_job_that_nothing_keeps_from_starting_says_nothing(submit, needing) -> None:
    assert reason(needing()) == ""
    running = run(submit(name="Runs"), 60)
    running.refresh_from_db()
    assert reasons([running]) == {}
    assert reason(None) == ""


def test_a_free_device_does_not_help_while_the_workers_are_busy(needing) -> None:
    run(needing(name="Long", device="cuda:0"), 7200)
    run(needing(name="Short", device="cuda:1"), 600)
    said = reason(needing(device="cpu"))
    assert "for a worker of the gpu queue, busy with “Long” and 1 other job." in said
    assert said.endswith("It may start in about 10 min."), "one worker is enough"


def test_a_job_on_several_devices_waits_for_the_last_of_them(needing) -> None:
    run(needing(device="cuda:0"), 7200)
    run(needing(device="cuda:1"), 600)
    assert reason(needing(device="cuda:0,1")).endswith("It may start in about 2 h 00.")
    run(needing(device="cuda:2"), None)
    assert reason(needing(device="cuda:1,2")).endswith("How long is not known yet.")


def test_work_of_another_project_counts_and_is_not_named(needing) -> None:
    other = Project.objects.create(slug="beta", name="Beta")
    run(needing(project=other, name="Secret study"), 1500)
    needing(project=other, name="Another secret")
    said = reason(needing())
    assert said == (
        "Waits for cuda:0, which is used by work of another project. 1 earlier job goes first. "
        "It starts in 25 min at the earliest."
    )


def test_a_queue_of_any_length_is_read_with_one_query(needing, django_assert_num_queries) -> None:
    run(needing(), 60)
    jobs = [needing() for _ in range(4)]
    with django_assert_num_queries(1):
        assert len(reasons(jobs)) == 4
    with django_assert_num_queries(0):
        assert reasons([]) == {}


def test_the_list_and_the_page_of_a_job_say_it(needing, person) -> None:
    run(needing(name="Training A"), 1500)
    job = needing()
    client = Client()
    client.force_login(person("observer"))
    for address in ("/alpha/jobs/", f"/alpha/jobs/{job.pk}/", f"/alpha/jobs/{job.pk}/status/"):
        page = client.get(address).content.decode()
        assert page.count("used by “Training A”. It may start in about 25 min.") == 1
