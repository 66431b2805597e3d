"""The chapter of failure review: only of queues that nobody has still to read."""

from __future__ import annotations

import pytest

from tests.webapp import experiment_records, records
from tests.webapp.experiment_records import finish_all, seen
from webapp.accounts.models import Project
from webapp.experiments import selectors as experiments
from webapp.experiments.models import Experiment, Run
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Section, Table, Text
from webapp.results.reports.registry import inputs_hash
from webapp.reviews import services
from webapp.reviews.models import ReviewQueue
from webapp.reviews.report import failure_review

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return records.make_project()


@pytest.fixture
def experiment(project: Project) -> Experiment:
    version = experiment_records.make_version(project, 24, external=0)
    made = experiment_records.launch(project, records.make_member(project, "researcher"), version, ratios=(0.0,))
    finish_all(made, lambda run: seen(0.3))
    return experiments.with_arms(Experiment.objects.all()).get(pk=made.pk)


def queue_of(project: Project, experiment: Experiment) -> ReviewQueue:
    reader = records.make_member(project, "radiologist", "first")
    run = Run.objects.get(arm__experiment=experiment)
    return services.create_queue(actor=reader, project=project, run=run, test_set="internal_test", kind="missed")


def read(queue: ReviewQueue, name: str, reason: str) -> None:
    from webapp.accounts.models import User

    reader = User.objects.get(username=name)
    for item in queue.items.all():
        services.reveal(actor=reader, item=item, seconds=1.0)
        services.answer(actor=reader, item=item, state="answered", reason=reason, seconds=2.0)


def chapter(experiment: Experiment) -> Section | None:
    return failure_review(Basis(experiment, {}, ""))


def test_no_queue_no_chapter(experiment: Experiment) -> None:
    assert chapter(experiment) is None


def test_a_queue_that_somebody_has_still_to_read_stays_out(project: Project, experiment: Experiment) -> None:
    queue = queue_of(project, experiment)
    records.make_member(project, "radiologist", "second")
    read(queue, "first", "dense")

    found = chapter(experiment)
    assert found is not None and [type(block) for block in found.blocks] == [Text]
    assert "1 of 1 queues are left out" in found.blocks[0].words  # type: ignore[union-attr]


def test_reasons_of_a_finished_queue_stand_without_names(project: Project, experiment: Experiment) -> None:
    queue = queue_of(project, experiment)
    before = inputs_hash(experiment, {})
    read(queue, "first", "dense")

    found = chapter(experiment)
    assert found is not None
    (table,) = [block for block in found.blocks if isinstance(block, Table)]
    assert [row[:3] for row in table.rows] == [("Reader 1", "Real + 0 %", "Dense surroundings")]
    assert f"{queue.items.count()} items in 1 queues" in table.caption and "Hashes: " in table.caption
    assert "first" not in str(found.blocks)
    assert inputs_hash(experiment, {}) != before


def test_who_began_and_who_joins_later_keep_a_queue_out_until_they_finish(
    project: Project, experiment: Experiment
) -> None:
    queue = queue_of(project, experiment)
    read(queue, "first", "dense")
    admin = records.make_member(project, "admin", "ada")

    def told() -> bool:
        found = chapter(experiment)
        assert found is not None
        return any(isinstance(block, Table) for block in found.blocks)

    assert told()
    services.answer(actor=admin, item=queue.items.all()[0], state="skipped")
    assert not told()
    read(queue, "ada", "small")
    assert told()
    records.make_member(project, "radiologist", "late")
    assert not told()
