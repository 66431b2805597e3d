"""Reviews over the API: the same blinding, locks and looks as on the pages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.webapp import records
from tests.webapp.reviews.queues import ended, experiment, first_arm, project, queue, radiologist, second
from tests.webapp.reviews.reading import client_of, read
from webapp.accounts.models import Project, User
from webapp.experiments.models import Experiment, Run
from webapp.results import models as results
from webapp.reviews import services
from webapp.reviews.models import Answer, Reveal, ReviewQueue, Visit

__all__ = ["ended", "experiment", "first_arm", "project", "queue", "radiologist", "second"]
pytestmark = pytest.mark.django_db
ROOT = "/api/v1/projects/study/"


def get(person: User, path: str, status: int = 200) -> Any:
    response = client_of(person).get(ROOT + path)
    assert response.status_code == status, response.content
    return response.json()


def post(person: User, path: str, body: dict[str, Any], status: int) -> Any:
    response = client_of(person).post(ROOT + path, json.dumps(body), content_type="application/json")
    assert response.status_code == status, response.content
    return response.json()


def test_a_queue_is_made_listed_and_read(radiologist: User, ended: Experiment) -> None:
    wanted = {"experiment": 1, "arm": 0, "seed": 0, "kind": "missed", "test_set": "internal_test"}

    made = post(radiologist, "reviews/", wanted, 201)

    assert made == get(radiologist, "reviews/1/")
    assert (made["number"], made["arm_name"], made["group"]) == (1, "Real + 0 %", "malignant")
    assert made["yours"] == {"answered": 0, "skipped": 0, "left": made["size"]}
    assert get(radiologist, "reviews/")["results"] == [{key: made[key] for key in made if key != "readers"}]
    refused = post(radiologist, "reviews/", wanted | {"seed": 77}, 400)
    assert refused == {"detail": "This project has no such run.", "field": "arm"}
    refused = post(radiologist, "reviews/", wanted | {"kind": "gained"}, 400)
    assert refused["field"] == "against_arm"


def test_the_same_queue_asked_for_again_is_the_one_there(queue: ReviewQueue, radiologist: User, second: User) -> None:
    wanted = {"experiment": 1, "arm": 0, "seed": 0, "kind": "missed", "test_set": "internal_test"}

    again = post(second, "reviews/", wanted, 200)

    assert again == get(second, "reviews/1/")
    assert (again["number"], again["created_by"]) == (queue.number, radiologist.username)
    assert post(second, "reviews/", wanted | {"score_above": 0.9}, 201)["number"] == 2
    assert post(second, "reviews/", wanted | {"score_above": queue.score_above}, 200)["number"] == 1
    assert get(second, "reviews/")["count"] == 2


def test_gained_lesions_name_both_runs(radiologist: User, ended: Experiment) -> None:
    wanted = {"experiment": 1, "arm": 1, "seed": 0, "kind": "gained", "test_set": "internal_test"}
    made = post(radiologist, "reviews/", wanted | {"against_arm": 0, "against_seed": 0}, 201)
    assert (made["arm"], made["against_arm"], made["against_seed"]) == (1, 0, 0)


def test_of_an_item_that_is_not_revealed_nothing_but_its_case_is_answered(
    queue: ReviewQueue, radiologist: User
) -> None:
    item = queue.items.select_related("view__exam", "lesion").all()[0]
    blind = {
        "position": 1,
        "case": item.view.exam.number,
        "state": "",
        "revealed": False,
        "seconds": 0.0,
        "truth": None,
    }
    assert get(radiologist, "reviews/1/items/1/") == blind
    assert get(radiologist, "reviews/1/items/")["results"][0] == blind

    shown = post(radiologist, "reviews/1/items/1/reveal/", {"seconds": 8}, 200)

    assert item.lesion is not None
    assert (shown["revealed"], shown["seconds"]) == (True, 8.0)
    assert (shown["truth"]["lesion"], shown["truth"]["outcome"]) == (item.lesion.pk, item.outcome)
    listed = get(radiologist, "reviews/1/items/")["results"]
    assert [one["truth"] is None for one in listed] == [False] + [True] * (queue.size - 1)
    assert Reveal.objects.get().seconds == 8.0


def test_who_does_not_review_reads_the_truth_and_cannot_answer(queue: ReviewQueue) -> None:
    researcher = User.objects.get(username="researcher")
    assert all(one["truth"] for one in get(researcher, "reviews/1/items/")["results"])
    post(researcher, "reviews/1/items/1/reveal/", {}, 403)
    post(researcher, "reviews/1/items/1/answer/", {"state": "skipped"}, 403)
    assert not Visit.objects.exists() and not Answer.objects.exists()


def test_answers_follow_the_reveal_and_a_change_is_a_revision(queue: ReviewQueue, radiologist: User) -> None:
    given = {"state": "answered", "reason": "dense", "note": "behind the nipple", "seconds": 3}
    assert "reveal" in post(radiologist, "reviews/1/items/1/answer/", given, 400)["detail"]
    post(radiologist, "reviews/1/items/1/reveal/", {}, 200)
    assert post(radiologist, "reviews/1/items/1/answer/", {"state": "answered"}, 400)["field"] == "reason"
    assert post(radiologist, "reviews/1/items/1/answer/", given | {"reason": "late"}, 400)["field"] == "reason"

    first = post(radiologist, "reviews/1/items/1/answer/", given, 201)
    post(radiologist, "reviews/1/items/1/answer/", given | {"reason": "small"}, 201)

    assert (first["revision"], first["seconds"], first["note"]) == (1, 3.0, "behind the nipple")
    listed = get(radiologist, "reviews/1/answers/")["results"]
    assert [(one["revision"], one["reason"], one["current"]) for one in listed] == [
        (1, "dense", False),
        (2, "small", True),
    ]
    assert get(radiologist, "reviews/1/answers/?current=true")["count"] == 1
    assert get(radiologist, "reviews/1/answers/?reason=edge")["count"] == 0


def test_answers_of_others_and_their_reasons_come_after_ones_own(
    queue: ReviewQueue, radiologist: User, second: User
) -> None:
    read(radiologist, queue, ["dense"] * queue.size)
    assert get(second, "reviews/1/answers/")["count"] == 0
    assert get(second, "reviews/1/reasons/")["reader"] is None
    get(second, "reviews/1/reasons/?reader=reader-a", 404)

    read(second, queue, ["small"] * queue.size)

    assert get(second, "reviews/1/answers/")["count"] == 2 * queue.size
    own = get(second, "reviews/1/reasons/")
    assert (own["reader"], own["n"]) == ("reader-b", queue.size)
    assert get(second, "reviews/1/reasons/?reader=reader-a")["blocks"][0]["reasons"][0]["reason"] == "dense"


def test_reasons_of_an_experiment_have_intervals_and_open_their_answers(queue: ReviewQueue, radiologist: User) -> None:
    read(radiologist, queue, ["dense"] * 3 + ["small"] * (queue.size - 3))

    found = get(radiologist, "experiments/1/reasons/?by=arm")

    block = found["blocks"][0]
    assert (found["kind"], block["name"], block["n"]) == ("missed", "Real + 0 %", queue.size)
    dense = next(one for one in block["reasons"] if one["reason"] == "dense")
    assert (dense["interval"]["numerator"], dense["interval"]["denominator"]) == (3, queue.size)
    assert dense["interval"]["low"] < dense["interval"]["value"] < dense["interval"]["high"]
    assert client_of(radiologist).get(dense["url"]).context["page"].paginator.count == 3
    get(radiologist, "experiments/1/reasons/?kind=lost", 404)
    get(radiologist, "experiments/1/reasons/?by=weather", 400)


def test_reading_a_review_is_a_look_counted_once(queue: ReviewQueue, project: Project) -> None:
    observer = records.make_member(project, "observer", "olga")
    for path in ("reviews/1/", "reviews/1/items/", "reviews/1/answers/", "reviews/1/reasons/"):
        get(observer, path)
    assert results.TestSetLook.objects.filter(person=observer).count() == 1
    get(observer, "reviews/")
    assert get(records.make_member(project, "observer", "otto"), "reviews/")["count"] == 1
    assert not results.TestSetLook.objects.filter(person__username="otto").exists()


def test_while_a_run_is_open_again_reviews_are_locked(queue: ReviewQueue, radiologist: User) -> None:
    Run.objects.filter(pk=Run.objects.order_by("-pk")[0].pk).update(state="queued")
    for path in (
        "reviews/1/",
        "reviews/1/items/",
        "reviews/1/items/1/",
        "reviews/1/reasons/",
        "experiments/1/reasons/",
    ):
        assert "locked" in get(radiologist, path, 409)["detail"]
    post(radiologist, "reviews/1/items/1/reveal/", {}, 409)


def test_lists_ask_as_often_for_many_as_for_one(queue: ReviewQueue, radiologist: User, project: Project) -> None:
    def queries(path: str) -> int:
        client = client_of(radiologist)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(ROOT + path).status_code == 200
        return len(captured)

    few = queries("reviews/?limit=1"), queries("reviews/1/items/?limit=1")
    wanted: dict[str, Any] = {"project": project, "run": queue.run, "test_set": "internal_test", "kind": "missed"}
    for score in (0.2, 0.3, 0.4):
        services.create_queue(actor=radiologist, score_above=score, **wanted)
    read(radiologist, queue, ["dense"] * queue.size)
    assert (queries("reviews/?limit=50"), queries("reviews/1/items/?limit=50")) == few
