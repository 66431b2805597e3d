"""The chapter of the report: shares when every reader has finished, nothing while somebody has still to read."""

from __future__ import annotations

import pytest

from tests.webapp import records
from tests.webapp.reviews.reading import read
from webapp.accounts.models import User
from webapp.experiments.models import Experiment, Run
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Block, Table, Text
from webapp.results.reports.registry import inputs_hash
from webapp.reviews import report, services
from webapp.reviews.models import ReviewQueue

pytestmark = pytest.mark.django_db


def blocks(experiment: Experiment) -> list[Block]:
    section = report.failure_review(Basis(experiment, {}, ""))
    assert section is not None
    return list(section.blocks)


def left_out(experiment: Experiment) -> bool:
    found = blocks(experiment)
    told = [one for one in found if isinstance(one, Table)]
    assert not told or len(found) > 1
    return any("still to read" in one.words for one in found if isinstance(one, Text)) and not told


def test_without_a_queue_there_is_no_chapter(ended: Experiment) -> None:
    assert report.failure_review(Basis(ended, {}, "")) is None


def test_shares_have_interval_method_and_hashes_and_no_name(
    ended: Experiment, radiologist: User, first_arm: Run
) -> None:
    wide = services.create_queue(
        actor=radiologist,
        project=first_arm.arm.experiment.project,
        run=first_arm,
        test_set="internal_test",
        kind="missed",
        score_above=0.9,
    )
    assert wide.size >= 10 and left_out(ended)
    read(radiologist, wide, ["dense"] * (wide.size - 2) + ["small"] * 2)

    (table,) = [one for one in blocks(ended) if isinstance(one, Table)]

    assert sorted(row[:3] for row in table.rows) == [
        ("Reader 1", first_arm.arm.name, "Dense surroundings"),
        ("Reader 1", first_arm.arm.name, "Small lesion"),
    ]
    assert f"n={wide.size}" in table.rows[0][3] and "[" in table.rows[0][3]
    assert "bootstrap of patients" in table.caption and wide.test_set_digest[:8] in table.caption
    assert radiologist.username not in f"{table.rows} {table.caption}"


def test_nothing_is_told_while_a_radiologist_or_one_who_began_has_still_to_read(
    ended: Experiment, queue: ReviewQueue, radiologist: User
) -> None:
    admin = records.make_member(queue.project, "admin", "ada")
    read(radiologist, queue, ["dense"] * queue.size)
    assert not left_out(ended)

    read(admin, queue, ["small"])
    before = inputs_hash(ended, {})
    assert left_out(ended)
    read(admin, queue, ["small"] * queue.size)
    assert not left_out(ended)
    assert inputs_hash(ended, {}) != before

    records.make_member(queue.project, "radiologist", "late")
    assert left_out(ended)
