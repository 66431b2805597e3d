"""What the home of a project tells of the last days."""

from __future__ import annotations

import pytest

from tests.webapp import records
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
