"""Reviews: a fixed queue, nothing shown before the reveal, answers kept, readers blind to each other."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from tests.webapp import records
from tests.webapp.experiment_records import finish, seen
from tests.webapp.reviews.reading import address, client_of, read
from webapp.accounts.models import Project, User
from webapp.core.errors import NotAllowed, UserError
from webapp.core.models import AuditEvent
from webapp.experiments.models import Experiment, Run
from webapp.results import models as results
from webapp.results.models import Evaluation
from webapp.reviews import breakdown, selectors, services
from webapp.reviews.models import Answer, Reveal, ReviewItem, ReviewQueue, Visit

pytestmark = pytest.mark.django_db


# what a queue holds


def test_the_queue_holds_every_missed_lesion_with_the_reason_of_the_evaluation(
    queue: ReviewQueue, first_arm: Run
) -> None:
    evaluation = Evaluation.objects.get(run=first_arm, test_set="internal_test")
    missed = {
        (int(one["sample_id"].removeprefix("view-")), int(one["lesion_id"])): one["reason"]
        for one in evaluation.result["lesions"]
        if one["outcome"] == "FN" and one["malignancy"] == "malignant"
    }

    assert {(one.view_id, one.lesion_id): one.outcome for one in queue.items.all()} == missed
    assert [one.position for one in queue.items.all()] == list(range(1, len(missed) + 1))
    assert (queue.protocol_hash, queue.test_set_digest) == (
        evaluation.protocol_hash,
        evaluation.result["test_set_digest"],
    )


def test_a_higher_threshold_misses_more_and_says_low_score(
    project: Project, radiologist: User, first_arm: Run, queue: ReviewQueue
) -> None:
    higher = services.create_queue(
        actor=radiologist, project=project, run=first_arm, test_set="internal_test", kind="missed", score_above=0.9
    )

    assert higher.size > queue.size
    assert "low score" in set(higher.items.values_list("outcome", flat=True))


def test_gained_and_lost_are_what_one_of_two_arms_found(
    project: Project, radiologist: User, second_arm: Run, first_arm: Run, queue: ReviewQueue
) -> None:
    other = second_arm
    gained = services.create_queue(
        actor=radiologist, project=project, run=other, test_set="internal_test", kind="gained", against=first_arm
    )
    missed = {(one.view_id, one.lesion_id) for one in queue.items.all()}
    still = services.create_queue(
        actor=radiologist, project=project, run=other, test_set="internal_test", kind="missed"
    )

    assert {(one.view_id, one.lesion_id) for one in gained.items.all()} == missed - {
        (one.view_id, one.lesion_id) for one in still.items.all()
    }
    assert gained.finder == first_arm
    with pytest.raises(UserError, match="no lesions lost"):
        services.create_queue(
            actor=radiologist, project=project, run=other, test_set="internal_test", kind="lost", against=first_arm
        )


# the lock and who may


def test_while_a_run_is_open_no_queue_is_made(project: Project, radiologist: User, experiment: Experiment) -> None:
    run = Run.objects.filter(arm__experiment=experiment).order_by("pk")[0]
    finish(run, seen(0.3))

    with pytest.raises(UserError, match="locked until every run"):
        services.create_queue(actor=radiologist, project=project, run=run, test_set="internal_test", kind="missed")
    assert not selectors.reviewable_runs(radiologist, project).exists()
    assert results.TestSetLook.objects.count() == 0


def test_making_a_queue_is_a_look_once_for_each_person_and_test_set(queue: ReviewQueue, radiologist: User) -> None:
    client_of(radiologist).get(address("queue", 1))

    look = results.TestSetLook.objects.get()
    assert (look.person, look.test_set) == (radiologist, "internal_test")
    assert AuditEvent.objects.filter(action="reviews.create_queue").count() == 1


def test_curators_and_observers_make_none_and_researchers_do(project: Project, first_arm: Run) -> None:
    wanted: dict[str, Any] = {"project": project, "run": first_arm, "test_set": "internal_test", "kind": "missed"}
    for role in ("observer", "curator"):
        with pytest.raises(NotAllowed):
            services.create_queue(actor=records.make_member(project, role), **wanted)

    assert services.create_queue(actor=User.objects.get(username="researcher"), **wanted).number == 1


def test_the_form_is_filled_from_the_list_of_results_and_makes_the_queue(radiologist: User, first_arm: Run) -> None:
    client = client_of(radiologist)
    asked = {"run": first_arm.pk, "test_set": "external_test", "group": "malignant", "outcome": "missed"}
    form = client.get(address("new", **asked)).context["form"]
    assert (str(form["run"].value()), form["test_set"].value(), form["kind"].value()) == (
        str(first_arm.pk),
        "external_test",
        "missed",
    )

    answered = client.post(
        address("new"),
        {"run": first_arm.pk, "test_set": "internal_test", "kind": "missed", "group": "malignant"},
    )

    assert answered["Location"] == address("queue", 1)


# what the database refuses


def test_a_queue_its_items_and_its_answers_never_change(
    queue: ReviewQueue, radiologist: User, project: Project
) -> None:
    read(radiologist, queue, ["dense"])
    elsewhere = records.make_exam(project).views.all()[0]
    refused = [
        lambda: ReviewQueue.objects.update(score_above=0.5),
        lambda: ReviewItem.objects.update(outcome="other"),
        lambda: Reveal.objects.update(seconds=0),
        lambda: Visit.objects.update(seconds=1),
        lambda: Answer.objects.update(reason="small"),
        lambda: ReviewItem.objects.create(
            queue=queue, position=queue.size + 1, view=queue.items.all()[0].view, finding=5, outcome=""
        ),
        lambda: Answer.objects.create(
            item=queue.items.all()[0], reader=radiologist, revision=9, state="answered", reason="small", seconds=0
        ),
        lambda: Answer.objects.create(
            item=queue.items.all()[1], reader=radiologist, revision=1, state="answered", reason="", seconds=0
        ),
    ]
    for write in refused:
        with pytest.raises(IntegrityError), transaction.atomic():
            write()
    ReviewItem.objects.filter(queue=queue, position=queue.size).delete()
    with pytest.raises(IntegrityError, match="not in the test set"), transaction.atomic():
        ReviewItem.objects.create(queue=queue, position=queue.size, view=elsewhere, finding=0, outcome="")


# reading


def test_nothing_of_the_truth_is_on_the_page_or_fetched_before_the_reveal(
    queue: ReviewQueue, radiologist: User
) -> None:
    client = client_of(radiologist)
    page = client.get(address("item", 1, 1)).content.decode()
    lesion = queue.items.all()[0].lesion
    assert lesion is not None
    assert "Why was it missed" not in page and f'data-review-lesion="{lesion.pk}"' not in page
    assert client.get(address("layers", 1, 1)).json()["views"] == {}

    client.post(address("reveal", 1, 1), {"seconds": "12.5"})

    shown = client.get(address("layers", 1, 1)).json()
    assert [one["id"] for one in shown["lesions"]] == [lesion.pk]
    assert "Why was it missed" in client.get(address("item", 1, 1)).content.decode()
    assert Reveal.objects.get().seconds == 12.5
    assert AuditEvent.objects.filter(action="reviews.reveal").count() == 1
    assert AuditEvent.objects.filter(action="viewer.open_case").count() == 2


def test_a_reason_before_the_reveal_is_refused_and_a_skip_is_not(queue: ReviewQueue, radiologist: User) -> None:
    client = client_of(radiologist)
    refused = client.post(address("answer", 1, 1), {"state": "answered", "reason": "dense"})
    assert (refused.status_code, Answer.objects.count()) == (409, 0)

    moved = client.post(address("answer", 1, 1), {"state": "skipped"}, headers={"HX-Request": "true"})

    assert moved["HX-Redirect"] == address("item", 1, 2)


def test_a_changed_answer_is_a_new_revision_and_taking_back_reopens_the_item(
    queue: ReviewQueue, radiologist: User
) -> None:
    item = queue.items.all()[0]
    read(radiologist, queue, ["dense"])
    services.answer(actor=radiologist, item=item, state="answered", reason="small", note="faint", seconds=1e9)
    services.answer(actor=radiologist, item=item, state="answered", reason="small", note="faint", seconds=3)
    assert selectors.progress(queue, radiologist).answered == 1

    services.answer(actor=radiologist, item=item, state="withdrawn")

    assert [(one.revision, one.state, one.reason, one.current) for one in Answer.objects.all()] == [
        (1, "answered", "dense", False),
        (2, "answered", "small", False),
        (3, "withdrawn", "", True),
    ]
    assert Answer.objects.get(revision=2).seconds == 1 + 2 + 1800
    assert selectors.own_answer(item, radiologist) is None
    with pytest.raises(UserError, match="no answer to take back"):
        services.answer(actor=radiologist, item=item, state="withdrawn")


def test_reading_goes_on_at_the_first_untouched_item_and_comes_back_to_skipped_ones(
    queue: ReviewQueue, radiologist: User
) -> None:
    items = list(queue.items.all())
    services.answer(actor=radiologist, item=items[0], state="skipped")
    assert selectors.progress(queue, radiologist).following == 2
    read(radiologist, queue, ["dense"] * len(items))
    services.answer(actor=radiologist, item=items[0], state="skipped")

    progress = selectors.progress(queue, radiologist)

    assert progress.finished and progress.following == 1


def test_readers_see_each_other_only_after_their_own_answer(
    queue: ReviewQueue, radiologist: User, second: User
) -> None:
    items = list(queue.items.all())
    read(radiologist, queue, ["dense"] * len(items))
    page = client_of(second).get(address("queue", 1))
    assert page.context["n"] == 0
    assert selectors.others_answers(items[0], second) == []

    read(second, queue, ["small"])

    assert [one.reason for one in selectors.others_answers(items[0], second)] == ["dense"]
    assert selectors.others_answers(items[1], second) == []
    assert {row["reader"] for row in exported(second)} == {"reader-b"}
    read(second, queue, ["small"] * len(items))
    assert {row["reader"] for row in exported(second)} == {"reader-a", "reader-b"}


def test_who_skips_an_item_does_not_read_what_others_said_of_it(
    queue: ReviewQueue, radiologist: User, second: User
) -> None:
    items = list(queue.items.all())
    read(radiologist, queue, ["dense"] * len(items))
    read(second, queue, ["small"] * len(items))
    services.answer(actor=second, item=items[0], state="skipped")

    assert "1" not in {row["position"] for row in exported(second) if row["reader"] == "reader-a"}
    assert selectors.others_answers(items[0], second) == []


def exported(person: User) -> list[dict[str, str]]:
    written = client_of(person).get(address("csv", 1)).content.decode()
    return list(csv.DictReader(io.StringIO(written)))


# what comes of it


def test_shares_have_intervals_over_patients_and_each_opens_its_answers(
    queue: ReviewQueue, radiologist: User, first_arm: Run
) -> None:
    reasons = ["dense"] * 3 + ["small"] * (queue.size - 3)
    read(radiologist, queue, reasons)
    client = client_of(radiologist)

    page = client.get(address("experiment", 1))

    by_arm, by_site = page.context["parts"]
    dense, small = (
        next(row for row in by_arm["blocks"][0]["rows"] if row["reason"] == one) for one in ("dense", "small")
    )
    assert (dense["interval"]["numerator"], small["interval"]["numerator"]) == (3, queue.size - 3)
    patients = {item.view.exam.patient_id for item in queue.items.select_related("view__exam")}
    assert dense["interval"]["units"] == len(patients) == by_arm["blocks"][0]["patients"]
    assert dense["interval"]["method"].endswith("bootstrap of patients")
    assert dense["interval"]["low"] < 3 / queue.size < dense["interval"]["high"]
    assert by_site["blocks"][0]["name"] == "A"
    assert client.get(dense["url"]).context["page"].paginator.count == 3
    assert (by_arm["figure"] is not None) == (queue.size >= 10)


def test_a_lesion_in_two_queues_of_an_arm_counts_once_with_the_newest_answer(
    queue: ReviewQueue, radiologist: User, first_arm: Run
) -> None:
    read(radiologist, queue, ["dense"] * queue.size)
    again = services.create_queue(
        actor=radiologist,
        project=queue.project,
        run=first_arm,
        test_set="internal_test",
        kind="missed",
        group="malignant_cluster",
    )
    read(radiologist, again, ["small"])
    client = client_of(radiologist)

    block = client.get(address("experiment", 1)).context["parts"][0]["blocks"][0]

    assert block["n"] == queue.size
    assert {row["reason"]: row["interval"]["numerator"] for row in block["rows"]} == {
        "dense": queue.size - 1,
        "small": 1,
    }
    listed = [client.get(row["url"]).context["page"].paginator.count for row in block["rows"]]
    assert listed == [row["interval"]["numerator"] for row in block["rows"]]


def test_agreement_is_cohens_kappa_of_two_who_finished() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    first = ["dense"] * 8 + ["small"] * 4 + ["edge"] * 3
    second = ["dense"] * 6 + ["small"] * 6 + ["edge"] * 3
    given = [[Answer(item_id=number, reason=reason) for number, reason in enumerate(one)] for one in (first, second)]

    kappa = breakdown.agreement(*given)

    assert kappa["value"] == pytest.approx(sklearn.cohen_kappa_score(first, second))
    assert kappa["low"] < kappa["value"] < kappa["high"] and kappa["n"] == 15
    assert breakdown.agreement(given[0][:5], given[1][:5])["value"] is None
    alike = [Answer(item_id=number, reason="dense") for number in range(12)]
    assert "one and the same reason" in breakdown.agreement(alike, alike)["reason"]


def test_the_home_page_counts_reviews_that_wait_for_the_person(queue: ReviewQueue, radiologist: User) -> None:
    assert selectors.open_for(radiologist, queue.project) == [(queue, queue.size)]
    assert "Reviews for you" in client_of(radiologist).get("/study/").content.decode()

    read(radiologist, queue, ["dense"] * queue.size)

    assert selectors.open_for(radiologist, queue.project) == []


def test_a_run_that_is_open_again_locks_every_page_and_says_so(
    queue: ReviewQueue, radiologist: User, first_arm: Run
) -> None:
    Run.objects.filter(pk=first_arm.pk).update(state="queued")
    looks = results.TestSetLook.objects.count()
    client = client_of(radiologist)

    for shown in (
        address("queue", queue.number),
        address("item", queue.number, 1),
        address("experiment", first_arm.arm.experiment.number),
        address("csv", queue.number),
        address("answers", queue=queue.number, reader=radiologist.pk),
    ):
        answer = client.get(shown)
        assert answer.status_code == 409 and "Follow the runs" in answer.content.decode(), shown
    refused = client.post(address("reveal", queue.number, 1))
    assert refused.status_code == 409 and "locked until every run" in refused.content.decode()
    assert results.TestSetLook.objects.count() == looks and not Reveal.objects.exists()
