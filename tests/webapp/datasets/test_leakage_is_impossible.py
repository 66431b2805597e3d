"""Leakage fails at the database, whatever code asks for it."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from tests.webapp import records
from webapp.accounts.models import Project, User
from webapp.annotations.models import Annotation
from webapp.cases.models import Exam, View
from webapp.datasets.models import DatasetVersion, Split, SplitAssignment, VersionAnnotation, VersionExam, VersionView
from webapp.simulations.models import SimulationBatch, SyntheticView

pytestmark = pytest.mark.django_db


@pytest.fixture
def exams(project: Project) -> list[Exam]:
    return [records.make_exam(project) for _ in range(8)]


@pytest.fixture
def version(project: Project, curator: User, exams: list[Exam]) -> DatasetVersion:
    return records.make_frozen_version(project, curator, exams)


def patient_in(version: DatasetVersion, split: str) -> int:
    return version.assignments.filter(split=split).values_list("patient_id", flat=True)[0]


def synthetic_view_of(patient: int) -> tuple[View, View]:
    host = View.objects.filter(exam__patient_id=patient, laterality="L", position="CC", variant=0).get()
    view = View.objects.create(exam_id=host.exam_id, laterality="L", position="CC", origin="synthetic", variant=1)
    return host, view


def synthesis(version: DatasetVersion, patient: int, **changes: object) -> SyntheticView:
    batch, _ = SimulationBatch.objects.get_or_create(
        project=version.dataset.project, version=version, number=1, seed=0, wanted_benign=0, wanted_malignant=1
    )
    host, view = synthetic_view_of(patient)
    row = {
        "view": view,
        "host": host,
        "batch": batch,
        "patient_id": patient,
        "malignancy": "malignant",
        "case_number": 1,
        "seed": 0,
        "mask": "masks/x.png",
        "record": {},
    }
    return SyntheticView.objects.create(**(row | changes))


def test_a_patient_cannot_be_in_two_splits(project: Project, curator: User, exams: list[Exam]) -> None:
    draft = records.datasets.create_dataset(actor=curator, project=project, name="Draft")
    SplitAssignment.objects.create(version=draft, patient=exams[0].patient, split=Split.TRAIN)

    with pytest.raises(IntegrityError), transaction.atomic():
        SplitAssignment.objects.create(version=draft, patient=exams[0].patient, split=Split.INTERNAL_TEST)


def test_a_view_cannot_be_used_in_another_split_than_its_patient(
    project: Project, curator: User, exams: list[Exam]
) -> None:
    draft = records.datasets.create_dataset(actor=curator, project=project, name="Draft")
    SplitAssignment.objects.create(version=draft, patient=exams[0].patient, split=Split.TRAIN)
    view = exams[0].views.first()

    with pytest.raises(IntegrityError, match="split of its own patient"), transaction.atomic():
        VersionView.objects.create(
            version=draft, view=view, patient=exams[0].patient, split=Split.INTERNAL_TEST, origin="real"
        )


def test_a_synthetic_view_cannot_enter_a_version(project: Project, curator: User, exams: list[Exam]) -> None:
    draft = records.datasets.create_dataset(actor=curator, project=project, name="Draft")
    patient = exams[0].patient
    SplitAssignment.objects.create(version=draft, patient=patient, split=Split.INTERNAL_TEST)
    _, synthetic = synthetic_view_of(patient.pk)

    for origin in ("synthetic", "real"):
        with pytest.raises(IntegrityError), transaction.atomic():
            VersionView.objects.create(
                version=draft, view=synthetic, patient=patient, split=Split.INTERNAL_TEST, origin=origin
            )


def test_a_training_patient_can_host_a_synthetic_view(version: DatasetVersion) -> None:
    assert synthesis(version, patient_in(version, Split.TRAIN)).split == Split.TRAIN


@pytest.mark.parametrize("split", [Split.VALIDATION, Split.INTERNAL_TEST])
def test_a_host_outside_training_is_refused(version: DatasetVersion, split: str) -> None:
    with pytest.raises(IntegrityError, match="must be a training patient"), transaction.atomic():
        synthesis(version, patient_in(version, split))


def test_a_synthetic_view_outside_training_is_refused(version: DatasetVersion) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        synthesis(version, patient_in(version, Split.TRAIN), split=Split.INTERNAL_TEST)


def test_naming_another_patient_as_the_host_does_not_help(version: DatasetVersion) -> None:
    tested, trained = patient_in(version, Split.INTERNAL_TEST), patient_in(version, Split.TRAIN)

    with pytest.raises(IntegrityError), transaction.atomic():
        synthesis(version, tested, patient_id=trained)


def test_a_frozen_version_cannot_change(version: DatasetVersion, project: Project) -> None:
    other = records.make_exam(project)
    member = version.version_views.first()
    annotation = Annotation.objects.exclude(version_annotations__isnull=False).first()
    assert member is not None and annotation is not None
    attempts = [
        lambda: version.assignments.update(split=Split.TRAIN),
        lambda: version.assignments.all().delete(),
        lambda: SplitAssignment.objects.create(version=version, patient=other.patient, split=Split.TRAIN),
        lambda: VersionExam.objects.create(version=version, exam=other),
        lambda: version.version_views.filter(pk=member.pk).update(patient=member.patient),
        lambda: VersionAnnotation.objects.filter(version_view__version=version).update(malignancy="benign"),
        lambda: VersionAnnotation.objects.create(
            version_view=member, annotation=annotation, lesion_type="mass", malignancy="benign"
        ),
        lambda: DatasetVersion.objects.filter(pk=version.pk).update(state="draft", content_hash=""),
        lambda: DatasetVersion.objects.filter(pk=version.pk).update(frozen_at=timezone.now()),
    ]
    for attempt in attempts:
        with pytest.raises(IntegrityError, match="frozen dataset version"), transaction.atomic():
            attempt()
