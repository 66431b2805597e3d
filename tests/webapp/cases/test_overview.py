"""What the home of a project tells of the last days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from tests.webapp import records
from webapp.accounts.models import User
from webapp.cases import overview
from webapp.core import audit

pytestmark = pytest.mark.django_db


def test_events_are_told_in_words_and_reading_is_not_told() -> None:
    project = records.make_project()
    curator = records.make_member(project, "curator", "clara")
    for action in ("datasets.freeze", "simulations.judge", "viewer.open_case", "reviews.answer", "results.cases"):
        audit.record(actor=curator, action=action, project=project, name="Version 3")

    assert {(one.actor, one.words) for one in overview.recent(project)} >= {
        ("clara", "froze Version 3"),
        ("clara", "judged Version 3"),
    }
    told = " ".join(one.words for one in overview.recent(project))
    assert "open case" not in told and "answer" not in told and "cases" not in told


def test_what_a_person_did_again_on_one_day_shares_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2026, 3, 11, 12, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: at)
    project = records.make_project()
    leon, clara = (records.make_member(project, "observer", name) for name in ("leon", "clara"))

    def look(person: User, name: str = "Ratios") -> None:
        audit.record(actor=person, action="results.look", project=project, name=name)

    look(leon)
    at += timedelta(days=1)
    for person in (leon, leon, clara, leon):
        look(person)
    for _ in range(3):
        at += timedelta(hours=1)
        look(leon)
    look(leon, "Sizes")

    assert [(one.actor, one.words, one.when) for one in overview.recent(project)][:5] == [
        ("leon", "opened the results of Sizes", "15:00"),
        ("leon", "opened the results of Ratios, 4 times", "15:00"),
        ("clara", "opened the results of Ratios", "12:00"),
        ("leon", "opened the results of Ratios, 2 times", "12:00"),
        ("leon", "opened the results of Ratios", "11 Mar"),
    ]

    for _ in range(overview.LOOKED_THROUGH):
        look(clara)
    assert [one.words for one in overview.recent(project)] == [
        f"opened the results of Ratios, at least {overview.LOOKED_THROUGH} times"
    ]
