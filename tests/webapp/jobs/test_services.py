"""Submitting, cancelling and retrying: who may, what follows, what is written down."""

from __future__ import annotations

import pytest
from django.db import transaction

from webapp.accounts.models import Project
from webapp.core.errors import NotAllowed, UserError
from webapp.core.models import AuditEvent
from webapp.jobs import delivery, execution, services
from webapp.jobs.models import Job, JobState

pytestmark = pytest.mark.django_db


def fail(context):
    raise UserError("It cannot be done.")


def test_the_message_is_sent_only_when_the_transaction_is_committed(
    submit, monkeypatch, django_capture_on_commit_callbacks
) -> None:
    sent = []
    monkeypatch.setattr(delivery, "send", lambda number, queue: sent.append((number, queue)))
    with django_capture_on_commit_callbacks() as callbacks:
        job = submit(queue="gpu")
        assert sent == []
    for callback in callbacks:
        callback()
    assert sent == [(job.pk, "gpu")]


def test_a_rolled_back_submission_leaves_neither_row_nor_message(submit, monkeypatch) -> None:
    sent = []
    monkeypatch.setattr(delivery, "send", lambda number, queue: sent.append(number))
    with pytest.raises(RuntimeError), transaction.atomic():
        submit()
        raise RuntimeError
    assert not Job.objects.exists() and sent == []


def test_unknown_kind_queue_and_foreign_predecessor_are_refused(submit, project) -> None:
    with pytest.raises(LookupError, match="no installed app registers"):
        services.submit(kind="nonsense", project=project, name="X", payload={}, created_by=None)
    with pytest.raises(UserError, match="Unknown queue 'tpu': expected one of cpu, gpu"):
        submit(queue="tpu")
    other = submit(project=Project.objects.create(slug="beta", name="Beta"))
    with pytest.raises(UserError, match="own project"):
        submit(after=other)


def test_followers_start_when_their_predecessor_is_done(submit) -> None:
    first = submit()
    second = submit(after=first)
    third = submit(after=second)
    assert (second.state, third.state) == (JobState.WAITING, JobState.WAITING)
    execution.run_all_here()
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.DONE}
    ended = list(Job.objects.order_by("pk").values_list("ended", flat=True))
    assert ended == sorted(ended)
    assert submit(after=third).state == JobState.QUEUED


def test_a_failed_predecessor_cancels_the_whole_chain_with_the_reason(submit) -> None:
    first = submit(fail, name="Train")
    second = submit(after=first, name="Predict")
    third = submit(after=second)
    execution.run_all_here()
    second.refresh_from_db()
    third.refresh_from_db()
    assert (second.state, third.state) == (JobState.CANCELLED, JobState.CANCELLED)
    assert second.error.startswith("Not started: “Train” failed, and this job needs its result.")
    assert "“Predict” was cancelled" in third.error
    assert submit(after=third).state == JobState.CANCELLED


def test_retrying_the_failed_one_brings_its_followers_back(submit) -> None:
    tries = []

    def function(context):
        tries.append(context.job.attempt)
        if len(tries) == 1:
            raise UserError("Not yet.")

    first = submit(function)
    last = submit(after=submit(after=first))
    execution.run_all_here()
    first.refresh_from_db()
    services.retry(actor=None, job=first)
    execution.run_all_here()
    last.refresh_from_db()
    assert last.state == JobState.DONE and tries == [1, 2]


def test_a_follower_a_person_cancelled_does_not_come_back_by_itself(submit) -> None:
    first = submit(fail)
    follower = submit(after=first)
    services.cancel(actor=None, job=follower)
    execution.run_all_here()
    first.refresh_from_db()
    services.retry(actor=None, job=first)
    follower.refresh_from_db()
    assert follower.state == JobState.CANCELLED


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.WAITING])
def test_a_job_that_has_not_started_is_cancelled_at_once(submit, state) -> None:
    job = submit(after=submit() if state == JobState.WAITING else None)
    assert job.state == state
    cancelled = services.cancel(actor=None, job=job)
    assert cancelled.state == JobState.CANCELLED
    assert execution.run_here(cancelled).state == JobState.CANCELLED


def test_an_ended_job_cannot_be_cancelled_and_a_done_one_not_retried(submit) -> None:
    job = execution.run_here(submit())
    with pytest.raises(UserError, match="has ended already"):
        services.cancel(actor=None, job=job)
    with pytest.raises(UserError, match="only failed or cancelled jobs can be retried"):
        services.retry(actor=None, job=job)


def test_a_job_whose_predecessor_failed_points_to_it(submit) -> None:
    first = submit(fail, name="Train")
    follower = submit(after=first)
    execution.run_all_here()
    follower.refresh_from_db()
    with pytest.raises(UserError, match="retry that one first"):
        services.retry(actor=None, job=follower)


@pytest.mark.parametrize("role", ["researcher", "curator", "admin"])
def test_those_who_launch_or_curate_may_cancel_and_retry(submit, person, role) -> None:
    actor = person(role)
    job = services.cancel(actor=actor, job=submit())
    assert services.retry(actor=actor, job=job).state == JobState.QUEUED
    assert list(AuditEvent.objects.filter(actor_id=actor.pk).order_by("id").values_list("action", flat=True)) == [
        "jobs.cancel",
        "jobs.retry",
    ]


@pytest.mark.parametrize("role", ["observer", "radiologist", "outsider"])
def test_others_may_not_unless_they_own_the_job_and_are_members(submit, person, role) -> None:
    actor = person(role)
    with pytest.raises(NotAllowed, match="does not let you cancel this job"):
        services.cancel(actor=actor, job=submit())
    own = submit(created_by=actor)
    if role == "outsider":
        with pytest.raises(NotAllowed):
            services.cancel(actor=actor, job=own)
    else:
        assert services.cancel(actor=actor, job=own).state == JobState.CANCELLED
