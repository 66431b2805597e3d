"""Accepting and rejecting synthetic cases."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from tests.webapp.simulations.conftest import Study
from webapp.core.errors import NotAllowed, UserError
from webapp.core.models import AuditEvent
from webapp.simulations import verdicts
from webapp.simulations.models import SyntheticVerdict, SyntheticView
from webapp.simulations.selectors import usable_cases

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def case(study: Study) -> SyntheticView:
    batch = study.simulate(benign=0, malignant=1)
    return batch.synthetic_views.select_related("batch__project", "view").get()


def test_a_rejection_needs_a_reason_and_other_needs_words(study: Study, case: SyntheticView) -> None:
    for reason, note, field in (("", "", "reason"), ("ugly", "", "reason"), ("other", "  ", "note")):
        with pytest.raises(UserError) as refused:
            verdicts.judge(actor=study.radiologist, synthetic_view=case, verdict="rejected", reason=reason, note=note)
        assert refused.value.field == field
    assert not SyntheticVerdict.objects.exists()


def test_every_verdict_stays_on_record_with_who_and_why(study: Study, case: SyntheticView) -> None:
    verdicts.judge(actor=study.radiologist, synthetic_view=case, verdict="rejected", reason="place", note="in fat")
    verdicts.judge(actor=study.researcher, synthetic_view=case, verdict="reopened")
    verdicts.judge(actor=study.researcher, synthetic_view=case, verdict="accepted")

    kept = [(one.verdict, one.reason, one.note, one.actor_name) for one in SyntheticVerdict.objects.order_by("pk")]
    assert kept == [
        ("rejected", "place", "in fat", "ralf"),
        ("reopened", "", "", "rita"),
        ("accepted", "", "", "rita"),
    ]
    assert AuditEvent.objects.filter(action="simulations.judge").count() == 3
    case.refresh_from_db()
    assert case.quality == "accepted"


@pytest.mark.parametrize("change", ["update", "delete"])
def test_the_database_itself_keeps_verdicts(study: Study, case: SyntheticView, change: str) -> None:
    verdicts.judge(actor=study.radiologist, synthetic_view=case, verdict="accepted")

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        if change == "update":
            SyntheticVerdict.objects.update(verdict="reopened")
        else:
            SyntheticVerdict.objects.all().delete()


def test_a_rejected_case_is_not_usable_any_more(study: Study, case: SyntheticView) -> None:
    assert usable_cases(case.batch) == {"benign": 0, "malignant": 1}

    verdicts.judge(actor=study.researcher, synthetic_view=case, verdict="rejected", reason="shape")

    assert usable_cases(case.batch) == {"benign": 0, "malignant": 0}


def test_observers_judge_nothing(study: Study, case: SyntheticView) -> None:
    with pytest.raises(NotAllowed):
        verdicts.judge(actor=study.observer, synthetic_view=case, verdict="accepted")
