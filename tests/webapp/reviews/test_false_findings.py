"""False findings: what is asked about them, and which finding the viewer goes to."""

from __future__ import annotations

import re

import pytest
from django.db import IntegrityError, transaction

from tests.webapp.reviews.reading import address, client_of
from webapp.accounts.models import Project, User
from webapp.core.errors import UserError
from webapp.experiments.models import Prediction, Run
from webapp.results.models import Evaluation
from webapp.reviews import services
from webapp.reviews.models import FALSE_REASONS, MISS_REASONS, Answer, Reason, ReviewQueue

pytestmark = pytest.mark.django_db


@pytest.fixture
def false_queue(project: Project, radiologist: User, first_arm: Run) -> ReviewQueue:
    return services.create_queue(
        actor=radiologist, project=project, run=first_arm, test_set="internal_test", kind="false"
    )


def test_they_are_queued_with_their_rank(false_queue: ReviewQueue, first_arm: Run) -> None:
    stored = Evaluation.objects.get(run=first_arm, test_set="internal_test").result["findings"]

    assert false_queue.size == sum(one["outcome"] == "FP" and one["called_malignant"] for one in stored)
    assert all(one.lesion is None and one.finding is not None for one in false_queue.items.all())


def test_each_kind_has_ten_reasons_of_its_own_and_the_common_ones_at_the_same_keys() -> None:
    assert len(MISS_REASONS) == len(FALSE_REASONS) == 10
    assert set(MISS_REASONS) | set(FALSE_REASONS) == set(Reason)
    for reason in set(MISS_REASONS) & set(FALSE_REASONS):
        assert MISS_REASONS.index(reason) == FALSE_REASONS.index(reason)


def test_the_reasons_of_a_miss_are_refused(false_queue: ReviewQueue, queue: ReviewQueue, radiologist: User) -> None:
    false, missed = false_queue.items.all()[0], queue.items.all()[0]
    for item in (false, missed):
        services.reveal(actor=radiologist, item=item)

    with pytest.raises(UserError, match="Choose a reason: background, benign"):
        services.answer(actor=radiologist, item=false, state="answered", reason="small")
    with pytest.raises(UserError, match="Choose a reason: no_enhancement, subtle"):
        services.answer(actor=radiologist, item=missed, state="answered", reason="vessel")
    services.answer(actor=radiologist, item=false, state="answered", reason="vessel")

    assert Answer.objects.get().reason == "vessel"


def test_the_database_refuses_an_unknown_reason(false_queue: ReviewQueue, radiologist: User) -> None:
    item = false_queue.items.all()[0]
    with pytest.raises(IntegrityError), transaction.atomic():
        Answer.objects.create(item=item, reader=radiologist, revision=1, state="answered", reason="because", seconds=1)


def test_the_page_offers_them_and_names_the_finding_only_once_it_is_revealed(
    false_queue: ReviewQueue, radiologist: User
) -> None:
    item = false_queue.items.all()[0]
    client = client_of(radiologist)
    here = address("item", false_queue.number, 1)
    before = client.get(here).content.decode()
    assert "data-review-finding" not in before and "Lymph node" not in before

    client.post(address("reveal", false_queue.number, 1))

    page = client.get(here).content.decode()
    shown = Prediction.objects.get(run=false_queue.run, view=item.view, rank=item.finding)
    assert re.findall(r'data-review-finding="(\d+)"', page) == [str(shown.pk)]
    assert shown.score == item.score
    assert "Lymph node" in page and "Small lesion" not in page
    drawn = client.get(address("layers", false_queue.number, 1)).json()["findings"]
    assert shown.pk in [one["id"] for one in drawn]
