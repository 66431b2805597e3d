"""Claims, leases and the reaper."""

from __future__ import annotations

from dataclasses import replace

import pytest

from webapp.jobs import attempt, clock, delivery, execution, lease, reaper, registry, services, transitions
from webapp.jobs.estimate import TimeLeft
from webapp.jobs.models import DeviceLease, Job, JobState

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch) -> list[int]:
    """Messages that would have gone to the broker; none is pending there."""
    numbers: list[int] = []

    def send(number: int, queue: str) -> bool:
        numbers.append(number)
        return True

    monkeypatch.setattr(delivery, "send", send)
    monkeypatch.setattr(reaper, "pending_messages", lambda queue: 0)
    return numbers


def run_out(job: Job) -> None:
    """As if the worker had been silent for longer than the lease."""
    Job.objects.filter(pk=job.pk).update(lease_until=clock.now() - 1)


def test_a_job_is_claimed_once(submit) -> None:
    job = submit()
    assert [lease.claim(job.pk, lease.new_token()) for _ in range(3)] == [True, False, False]


def test_a_lease_that_ran_out_can_be_taken_over_and_fences_the_old_holder(submit) -> None:
    job = submit()
    old, new = lease.new_token(), lease.new_token()
    lease.claim(job.pk, old)
    assert lease.renew(job.pk, old)
    run_out(job)
    assert lease.claim(job.pk, new)
    assert not lease.renew(job.pk, old)
    assert transitions.end(lease.held(job.pk, old), JobState.DONE, text="Done.") is None
    job.refresh_from_db()
    assert (job.state, job.attempt, job.token) == (JobState.RUNNING, 2, new)
    assert "The worker lost contact; taken up again, attempt 2 of 3." in [event.text for event in job.events.all()]


def test_cancelled_ended_waiting_and_worn_out_jobs_cannot_be_claimed(submit) -> None:
    waiting = submit(after=submit())
    done = execution.run_here(submit())
    cancelled = services.cancel(actor=None, job=submit())
    worn = submit(attempts=1)
    lease.claim(worn.pk, lease.new_token())
    run_out(worn)
    assert not any(lease.claim(job.pk, lease.new_token()) for job in (waiting, done, cancelled, worn))


def test_a_device_serves_one_job_at_a_time(submit) -> None:
    first, second = submit(device="cuda:0"), submit(device="cuda:0")
    assert lease.acquire_device("cuda:0", first, "one")
    assert not lease.acquire_device("cuda:0", second, "two")
    assert lease.acquire_device("cuda:1", second, "two")
    assert not lease.release_device("cuda:0", "two")
    assert lease.release_device("cuda:0", "one")
    assert lease.acquire_device("cuda:0", second, "three")


def test_several_devices_are_taken_together_or_not_at_all(submit) -> None:
    one, both = submit(device="cuda:1"), submit(device="cuda:0,1")
    assert lease.acquire_device("cuda:1", one, "one")
    assert not lease.acquire_device("cuda:0,1", both, "both")
    assert lease.acquire_device("cuda:0", one, "third"), "what the others left is free"
    assert lease.release_device("cuda:1", "one")
    assert lease.release_device("cuda:0", "third")
    assert lease.acquire_device("cuda*2", both, "both")
    assert not lease.acquire_device("cuda:0", one, "one")
    assert lease.release_device("cuda*2", "both")
    assert lease.acquire_device("cuda:1", one, "one")


def test_a_freed_device_is_offered_to_jobs_that_want_it_with_others_too(submit, sent) -> None:
    jobs = [submit(queue="gpu", device=name) for name in ("cuda:1", "cuda:0,1", "cuda:0", "cuda:0")]
    for job in jobs:
        registry._kinds[job.kind] = replace(registry._kinds[job.kind], uses_device=True)
    sent.clear()
    attempt._offer("cuda:0,1")
    assert sent == [jobs[0].pk, jobs[1].pk, jobs[2].pk]
    sent.clear()
    attempt._offer("cuda:0")
    assert sent == [jobs[1].pk, jobs[2].pk]


def test_a_device_of_a_dead_worker_becomes_free_when_its_lease_runs_out(submit) -> None:
    first, second = submit(), submit()
    assert lease.acquire_device("cpu", first, "one")
    DeviceLease.objects.update(lease_until=clock.now() - 1)
    assert lease.acquire_device("cpu", second, "two")


def test_a_job_for_a_busy_device_waits_in_its_queue_and_spends_no_attempt(submit, sent) -> None:
    lease.acquire_device("cuda:0", submit(queue="gpu", device="cuda:0"), "held")
    job = submit(queue="gpu", device="cuda:0")
    registry._kinds[job.kind] = replace(registry._kinds[job.kind], uses_device=True)
    attempt.attempt(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempt) == (JobState.QUEUED, 0)


def test_the_reaper_queues_a_silent_job_again_and_sends_it(submit, sent) -> None:
    job = submit()
    lease.claim(job.pk, lease.new_token())
    assert reaper.reap().expired == 0, "an alive lease is left alone"
    run_out(job)
    assert reaper.reap() == reaper.Reaped(expired=1, released=0, sent=1)
    job.refresh_from_db()
    assert (job.state, job.token, sent) == (JobState.QUEUED, "", [job.pk])
    assert any("lost contact" in event.text for event in job.events.all())


def test_the_reaper_gives_up_after_the_last_attempt_and_cancels_what_a_person_cancelled(submit, sent) -> None:
    worn, unwanted = submit(attempts=1), submit()
    for job in (worn, unwanted):
        lease.claim(job.pk, lease.new_token())
    services.cancel(actor=None, job=unwanted)
    for job in (worn, unwanted):
        run_out(job)
    reaper.reap()
    worn.refresh_from_db()
    unwanted.refresh_from_db()
    assert (worn.state, unwanted.state) == (JobState.FAILED, JobState.CANCELLED)
    assert worn.error.startswith("The worker lost contact. It was tried once, which is the limit.")


def test_lost_messages_are_sent_again_once_and_pending_ones_are_not_multiplied(
    submit, sent, monkeypatch, settings
) -> None:
    lost = [submit(), submit(), submit()]
    assert reaper.reap().sent == 3
    assert reaper.reap().sent == 0, "sent a moment ago"
    settings.JOB_RESEND_SECONDS = 0
    monkeypatch.setattr(reaper, "pending_messages", lambda queue: 2)
    sent.clear()
    assert reaper.reap().sent == 1
    assert sent == [lost[0].pk]


def test_the_reaper_releases_followers_whose_release_was_lost(submit, sent) -> None:
    first = submit()
    follower = submit(after=first)
    Job.objects.filter(pk=first.pk).update(state=JobState.DONE)
    assert reaper.reap().released == 1
    follower.refresh_from_db()
    assert follower.state == JobState.QUEUED


def test_leases_of_a_worker_known_to_be_dead_run_out_at_once(submit) -> None:
    job = submit()
    lease.claim(job.pk, lease.new_token())
    assert lease.expire_leases_of("elsewhere/1") == 0
    assert lease.expire_leases_of(lease.worker_name()) == 1
    assert lease.claim(job.pk, lease.new_token())


def test_time_left_appears_after_5_percent_or_20_seconds() -> None:
    fast = TimeLeft()
    assert fast.add(0, 0.0) is None
    assert fast.add(1, 0.04) is None
    assert fast.add(2, 0.05) == pytest.approx(38)
    slow = TimeLeft()
    slow.add(0, 0.0)
    assert slow.add(19, 0.01) is None
    assert slow.add(20, 0.01) == pytest.approx(1980)


def test_a_resumed_attempt_counts_only_its_own_pace() -> None:
    resumed = TimeLeft()
    resumed.add(100, 0.5)
    assert resumed.add(110, 0.6) == pytest.approx(40)
    assert resumed.add(150, 1.0) == 0
