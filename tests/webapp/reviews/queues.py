"""An experiment of two arms that has ended, two readers, and a queue of what the first arm missed."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from tests.webapp import experiment_records, records
from tests.webapp.experiment_records import finish_all, seen
from webapp.accounts.models import Project, User
from webapp.experiments.models import Experiment, Run
from webapp.reviews import services
from webapp.reviews.models import ReviewQueue


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


@pytest.fixture
def project() -> Project:
    return records.make_project()


@pytest.fixture
def radiologist(project: Project) -> User:
    return records.make_member(project, "radiologist", "reader-a")


@pytest.fixture
def second(project: Project) -> User:
    return records.make_member(project, "radiologist", "reader-b")


@pytest.fixture
def experiment(project: Project) -> Experiment:
    version = experiment_records.make_version(project, 48, external=8)
    researcher = records.make_member(project, "researcher", "researcher")
    return experiment_records.launch(project, researcher, version, ratios=(0.0, 1.0))


@pytest.fixture
def ended(experiment: Experiment) -> Experiment:
    return finish_all(experiment, lambda run: seen(0.3 + 0.3 * run.arm.position, also_wrong=True))


@pytest.fixture
def first_arm(ended: Experiment) -> Run:
    return Run.objects.filter(arm__experiment=ended).order_by("arm__position")[0]


@pytest.fixture
def second_arm(ended: Experiment) -> Run:
    return Run.objects.filter(arm__experiment=ended).order_by("arm__position")[1]


@pytest.fixture
def queue(project: Project, radiologist: User, first_arm: Run) -> ReviewQueue:
    return services.create_queue(
        actor=radiologist, project=project, run=first_arm, test_set="internal_test", kind="missed"
    )
