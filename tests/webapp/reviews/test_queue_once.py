"""The same question is asked once: a second queue of a definition leads to the first, also at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from tests.webapp.reviews.reading import address, client_of, read
from webapp.accounts.models import Project, User
from webapp.core.models import AuditEvent
from webapp.experiments.models import Run
from webapp.results import models as results
from webapp.reviews import selection, services
from webapp.reviews.models import Answer, ReviewItem, ReviewQueue

pytestmark = pytest.mark.django_db


def wanted(run: Run, **other: Any) -> dict[str, Any]:
    return {"project": run.arm.experiment.project, "run": run, "test_set": "internal_test", "kind": "missed"} | other


def test_asking_again_leads_to_the_queue_there(queue: ReviewQueue, second: User, first_arm: Run) -> None:
    with pytest.raises(services.QueueExists, match="Review 1 was made before") as refused:
        services.create_queue(actor=second, **wanted(first_arm))

    assert refused.value.queue == queue
    assert ReviewQueue.objects.count() == 1
    assert AuditEvent.objects.filter(action="reviews.create_queue").count() == 1
    # what it holds is shown, so the look counts
    assert results.TestSetLook.objects.filter(person=second, test_set="internal_test").count() == 1


def test_the_form_opens_the_queue_there_and_says_so(queue: ReviewQueue, second: User, first_arm: Run) -> None:
    client = client_of(second)
    posted = {"run": first_arm.pk, "test_set": "internal_test", "kind": "missed", "group": "malignant"}

    answered = client.post(address("new"), posted, follow=True)

    assert answered.redirect_chain == [(address("queue", queue.number), 302)]
    assert "Review 1 was made before from the same run" in answered.content.decode()


def test_another_definition_is_another_queue(
    queue: ReviewQueue, radiologist: User, first_arm: Run, second_arm: Run
) -> None:
    definitions = [
        wanted(first_arm, score_above=0.9),
        wanted(first_arm, group="malignant_cluster"),
        wanted(first_arm, test_set="external_test"),
        wanted(first_arm, kind="false"),
        wanted(second_arm),
        wanted(second_arm, kind="gained", against=first_arm),
    ]

    numbers = [services.create_queue(actor=radiologist, **one).number for one in definitions]

    assert numbers == [2, 3, 4, 5, 6, 7]
    with pytest.raises(services.QueueExists, match="Review 7"):
        services.create_queue(actor=radiologist, **definitions[-1])


@pytest.mark.parametrize("compared", [False, True])
def test_the_database_holds_one_of_a_definition(
    queue: ReviewQueue, radiologist: User, first_arm: Run, second_arm: Run, compared: bool
) -> None:
    if compared:
        queue = services.create_queue(actor=radiologist, **wanted(second_arm, kind="gained", against=first_arm))
    queue.pk, queue.number = None, 9

    with pytest.raises(IntegrityError), transaction.atomic():
        queue.save(force_insert=True)


@pytest.mark.django_db(transaction=True)
def test_two_people_at_the_same_time_make_one_queue(
    project: Project, radiologist: User, second: User, first_arm: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, rows = Barrier(2), selection.rows

    def rows_of_both(*asked: Any) -> Any:
        found = rows(*asked)
        both.wait(timeout=60)  # neither has looked for the other's queue yet
        return found

    monkeypatch.setattr(selection, "rows", rows_of_both)

    def make(actor: User) -> tuple[str, int]:
        try:
            return "made", services.create_queue(actor=actor, **wanted(first_arm)).number
        except services.QueueExists as error:
            return "there", error.queue.number
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        came_out = list(threads.map(make, (radiologist, second)))

    assert sorted(came_out) == [("made", 1), ("there", 1)]
    queue = ReviewQueue.objects.get(project=project)
    assert ReviewItem.objects.count() == queue.size


@pytest.mark.django_db(transaction=True)
def test_queues_made_twice_before_stay_with_their_answers(
    queue: ReviewQueue, radiologist: User, second: User, first_arm: Run
) -> None:
    read(radiologist, queue, ["dense"])
    try:
        call_command("migrate", "reviews", "0003", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute(_COPY)
    finally:
        call_command("migrate", "reviews", verbosity=0)

    assert list(ReviewQueue.objects.order_by("number").values_list("number", "repeated")) == [(1, False), (2, True)]
    assert Answer.objects.get().item.queue == queue
    with pytest.raises(services.QueueExists, match="Review 1"):
        services.create_queue(actor=second, **wanted(first_arm))


_COLUMNS = (
    'project_id, kind, run_id, against_id, test_set, "group", score_above, protocol_hash, test_set_digest, size, '
    "created_by_id, created"
)
_COPY = f"INSERT INTO reviews_reviewqueue (number, {_COLUMNS}) SELECT 2, {_COLUMNS} FROM reviews_reviewqueue"
