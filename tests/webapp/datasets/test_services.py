"""Building, splitting and freezing a dataset."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils.html import escape

from tests.webapp import records
from webapp.accounts.models import Project, User
from webapp.annotations.models import Annotation
from webapp.annotations.services import refresh_classes
from webapp.core.errors import NotAllowed, UserError
from webapp.core.models import AuditEvent
from webapp.datasets import selectors, services
from webapp.datasets.models import DatasetVersion, Split
from webapp.datasets.splitting import SplitSettings

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(project: Project, curator: User) -> DatasetVersion:
    version = services.create_dataset(actor=curator, project=project, name="Clusters 2026")
    services.add_exams(actor=curator, version=version, exams=[records.make_exam(project) for _ in range(6)])
    return version


def test_freezing_fixes_views_truth_and_hash(draft: DatasetVersion, curator: User) -> None:
    services.draw(actor=curator, version=draft, settings=SplitSettings())

    frozen = services.freeze(actor=curator, version=draft)

    assert frozen.state == "frozen" and len(frozen.content_hash) == 64
    assert frozen.version_views.count() == 24
    assert sum(view.version_annotations.count() for view in frozen.version_views.all()) == 12
    assert all(check.passed for check in selectors.leakage_checks(frozen))
    assert AuditEvent.objects.filter(action="datasets.freeze", object_id=str(frozen.pk)).exists()


def test_a_later_revision_of_an_outline_does_not_change_the_frozen_hash(draft: DatasetVersion, curator: User) -> None:
    services.draw(actor=curator, version=draft, settings=SplitSettings())
    frozen = services.freeze(actor=curator, version=draft)
    annotation = Annotation.objects.first()
    assert annotation is not None
    Annotation.objects.filter(pk=annotation.pk).update(current=False)
    Annotation.objects.create(
        lesion=annotation.lesion, view=annotation.view, revision=2, polygons=[], x1=0, y1=0, x2=1, y2=1
    )

    assert selectors.content_hash(frozen) == frozen.content_hash


def test_a_view_without_its_partner_image_is_left_out(draft: DatasetVersion, curator: User, project: Project) -> None:
    exam = draft.exams.order_by("pk").first()
    assert exam is not None
    exam.views.first().images.first().delete()
    services.draw(actor=curator, version=draft, settings=SplitSettings())

    assert services.freeze(actor=curator, version=draft).version_views.count() == 23


def test_adding_a_case_withdraws_the_drawn_split(draft: DatasetVersion, curator: User, project: Project) -> None:
    services.draw(actor=curator, version=draft, settings=SplitSettings())
    services.add_exams(actor=curator, version=draft, exams=[records.make_exam(project)])

    with pytest.raises(UserError, match="Draw the split"):
        services.freeze(actor=curator, version=draft)


def test_equal_content_has_an_equal_hash_and_another_seed_another(project: Project, curator: User) -> None:
    exams = [records.make_exam(project) for _ in range(6)]
    first = records.make_frozen_version(project, curator, exams, name="One")
    second = records.make_frozen_version(project, curator, exams, name="Two")
    third = records.make_frozen_version(project, curator, exams, name="Three", seed=5)

    assert first.content_hash == second.content_hash != third.content_hash


def test_the_same_image_in_two_splits_stops_the_freeze(draft: DatasetVersion, curator: User) -> None:
    services.draw(actor=curator, version=draft, settings=SplitSettings())
    by_split = {row.split: row.patient for row in draft.assignments.select_related("patient")}
    train = by_split[Split.TRAIN].exams.get().views.first().images.first()
    test = by_split[Split.INTERNAL_TEST].exams.get().views.first().images.first()
    type(train).objects.filter(pk=test.pk).update(sha256=train.sha256)

    with pytest.raises(UserError, match="1 images repeated in another split"):
        services.freeze(actor=curator, version=draft)


def test_the_balance_table_counts_patients_and_lesion_views(draft: DatasetVersion, curator: User) -> None:
    counts = services.draw(actor=curator, version=draft, settings=SplitSettings())

    (row,) = selectors.balance(draft)

    assert row.label == "Malignant cluster" and row.site == "A"
    assert {split: row.cells[split].patients for split in Split.values} == counts
    assert row.cells[Split.TRAIN].lesion_views == 2 * counts[Split.TRAIN]
    assert row.cells[Split.TRAIN].underpowered


def test_a_number_of_the_balance_opens_its_cases(draft: DatasetVersion, project: Project, curator: User) -> None:
    counts = services.draw(actor=curator, version=draft, settings=SplitSettings())
    for exam in draft.exams.all():
        refresh_classes(exam)
    client = Client()
    client.force_login(curator)
    address = f"/{project.slug}/datasets/{draft.dataset.slug}/{draft.number}/"
    assert "?lesion=" not in client.get(address).content.decode(), "the cases page shows splits of frozen versions"
    services.freeze(actor=curator, version=draft)
    page = client.get(address).content.decode()
    for split in Split:
        query = urlencode({"lesion": "cluster-malignant", "site": "A", "split": split.label})
        if counts[split]:
            assert f"/{project.slug}/cases/?{escape(query)}" in page
            assert len(client.get(f"/{project.slug}/cases/?{query}").context["rows"]) == counts[split]


def test_a_frozen_version_is_copied_to_a_draft_with_its_split(draft: DatasetVersion, curator: User) -> None:
    services.draw(actor=curator, version=draft, settings=SplitSettings())
    frozen = services.freeze(actor=curator, version=draft)

    copy = services.copy_to_draft(actor=curator, version=frozen)

    assert copy.number == 2 and copy.state == "draft"
    assert dict(copy.assignments.values_list("patient_id", "split")) == dict(
        frozen.assignments.values_list("patient_id", "split")
    )
    with pytest.raises(UserError, match="Version 2 is a draft already"):
        services.copy_to_draft(actor=curator, version=frozen)


@pytest.mark.parametrize("role", ["observer", "radiologist", "researcher"])
def test_only_curators_and_admins_change_datasets(draft: DatasetVersion, project: Project, role: str) -> None:
    member = records.make_member(project, role)

    with pytest.raises(NotAllowed, match="curator"):
        services.freeze(actor=member, version=draft)


def test_a_case_of_another_project_is_refused(draft: DatasetVersion, curator: User) -> None:
    foreign = records.make_exam(records.make_project("elsewhere"))

    with pytest.raises(UserError, match="another project"):
        services.add_exams(actor=curator, version=draft, exams=[foreign])


@pytest.mark.slow
def test_a_version_of_more_views_than_a_database_expression_holds_is_frozen(project: Project, curator: User) -> None:
    version = services.create_dataset(actor=curator, project=project, name="Large")
    services.add_exams(actor=curator, version=version, exams=[records.make_exam(project) for _ in range(600)])
    services.draw(actor=curator, version=version, settings=SplitSettings())

    frozen = services.freeze(actor=curator, version=version)

    assert frozen.version_views.count() == 2400
    assert selectors.content_hash(frozen) == frozen.content_hash
