"""Time on an item: a row for each visit, the total over all of them wherever a time is shown."""

from __future__ import annotations

import csv
import io
import math
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.webapp.reviews.reading import address, client_of, read
from webapp.accounts.models import Project, User
from webapp.experiments.models import Run
from webapp.reviews import selectors, services
from webapp.reviews.models import Answer, Reveal, ReviewQueue, Visit

pytestmark = pytest.mark.django_db
KEY = UUID("6f1c6a0e-1111-4222-8333-944445555566")


def test_the_time_of_an_item_is_that_of_all_visits(queue: ReviewQueue, radiologist: User) -> None:
    client = client_of(radiologist)
    item = queue.items.all()[0]

    client.post(address("time", 1, 1), {"seconds": "20", "visit": uuid4()})
    client.post(address("reveal", 1, 1), {"seconds": "12.5", "visit": uuid4()})
    client.post(address("answer", 1, 1), {"state": "answered", "reason": "dense", "seconds": "4", "visit": uuid4()})
    client.post(address("time", 1, 1), {"seconds": "3", "visit": uuid4()})

    assert Reveal.objects.get().seconds == 32.5
    assert Answer.objects.get().seconds == 36.5
    assert [(one.seconds, one.revealed) for one in Visit.objects.all()] == [
        (20, False),
        (12.5, False),
        (4, True),
        (3, True),
    ]
    answer = Answer.objects.get()
    assert selectors.times([answer])[item.pk, radiologist.pk] == selectors.Times(39.5, 32.5, Reveal.objects.get().time)
    assert selectors.readers(queue)[0].seconds == 39.5
    listed = client.get(address("answers", queue=1, reader=radiologist.pk)).content.decode()
    assert "40 s" in listed


def test_a_stretch_that_arrives_twice_counts_once(queue: ReviewQueue, radiologist: User) -> None:
    client = client_of(radiologist)
    for _ in range(2):
        assert client.post(address("time", 1, 1), {"seconds": "20", "visit": KEY}).status_code == 204
    client.post(address("reveal", 1, 1), {"seconds": "20", "visit": KEY})

    assert [one.seconds for one in Visit.objects.all()] == [20]
    with pytest.raises(IntegrityError), transaction.atomic():
        Visit.objects.create(item=queue.items.all()[0], reader=radiologist, key=KEY, seconds=1, revealed=False)


@pytest.mark.parametrize(("sent", "kept"), [("1e9", [1800.0]), ("-4", []), ("nan", []), ("soon", []), ("", [])])
def test_what_is_no_time_is_not_kept_and_a_long_one_is_cut(
    queue: ReviewQueue, radiologist: User, sent: str, kept: list[float]
) -> None:
    assert client_of(radiologist).post(address("time", 1, 1), {"seconds": sent}).status_code == 204
    assert [one.seconds for one in Visit.objects.all()] == kept


def test_a_time_that_is_no_number_is_none(queue: ReviewQueue, radiologist: User) -> None:
    services.record_visit(actor=radiologist, item=queue.items.all()[0], seconds=math.inf)
    assert not Visit.objects.exists()


def test_the_export_has_every_time_and_both_runs(
    queue: ReviewQueue, radiologist: User, first_arm: Run, second_arm: Run, project: Project
) -> None:
    gained = services.create_queue(
        actor=radiologist,
        project=project,
        run=second_arm,
        test_set="internal_test",
        kind="gained",
        against=first_arm,
    )
    read(radiologist, gained, ["dense"])
    services.record_visit(actor=radiologist, item=gained.items.all()[0], seconds=7.25)

    written = client_of(radiologist).get(address("csv", gained.number)).content.decode()
    row = next(iter(csv.DictReader(io.StringIO(written))))

    item = gained.items.select_related("view__exam__patient").get(position=1)
    reveal = Reveal.objects.get(item=item)
    assert (row["arm"], row["beside_arm"]) == (first_arm.arm.name, second_arm.arm.name)
    assert (row["seconds"], row["seconds_in_all"], row["seconds_before_reveal"]) == ("3.0", "10.2", "1.0")
    assert row["revealed"] == reveal.time.isoformat()
    assert (row["patient"], row["items"]) == (item.view.exam.patient.pseudonym, str(gained.size))
    assert (row["dataset"], row["version"]) == (first_arm.arm.experiment.version.dataset.name, "1")


def test_the_list_of_queues_asks_as_often_for_many_as_for_one(
    queue: ReviewQueue, radiologist: User, second: User, first_arm: Run, project: Project
) -> None:
    read(radiologist, queue, ["dense"])

    def queries() -> int:
        client = client_of(radiologist)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            page = client.get(address("list"))
        assert page.status_code == 200
        return len(captured)

    one = queries()
    wanted: dict[str, Any] = {"project": project, "run": first_arm, "test_set": "internal_test", "kind": "missed"}
    for score in (0.2, 0.3, 0.4, 0.5, 0.6):
        more = services.create_queue(actor=radiologist, score_above=score, **wanted)
        read(radiologist, more, ["dense"] * 2)
        read(second, more, ["small"] * more.size)

    assert queries() == one
    entry = client_of(second).get(address("list")).context["entries"][0]
    assert (entry["readers"], entry["finished"], entry["own"].finished) == (2, 1, True)


def test_the_page_of_a_queue_asks_as_often_for_two_readers_as_for_one(
    queue: ReviewQueue, radiologist: User, second: User
) -> None:
    client = client_of(radiologist)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(address("queue", 1))
        return len(captured)

    read(radiologist, queue, ["dense"] * queue.size)
    queries()
    one = queries()
    read(second, queue, ["small"] * queue.size)
    assert queries() == one


def test_times_measured_before_visits_were_kept_become_one_visit(queue: ReviewQueue, radiologist: User) -> None:
    item = queue.items.all()[0]
    reveal = Reveal.objects.create(item=item, reader=radiologist, seconds=11.0)
    answer = Answer.objects.create(
        item=item, reader=radiologist, revision=1, state="answered", reason="dense", seconds=25.0
    )
    assert answer.time > reveal.time

    import_module("webapp.reviews.migrations.0002_visits").one_visit_for_what_was_measured(apps, None)

    visit = Visit.objects.get()
    assert (visit.item, visit.reader, visit.seconds, visit.revealed) == (item, radiologist, 25.0, True)
    assert visit.time == answer.time
