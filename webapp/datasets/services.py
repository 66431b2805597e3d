"""Changing datasets: members, split, freeze."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.annotations.models import Annotation
from webapp.cases.models import Exam
from webapp.core import audit
from webapp.core.errors import UserError
from webapp.datasets import selectors
from webapp.datasets.models import (
    Dataset,
    DatasetVersion,
    Split,
    SplitAssignment,
    VersionAnnotation,
    VersionExam,
    VersionView,
)
from webapp.datasets.splitting import SplitSettings, draw_split


@transaction.atomic
def create_dataset(*, actor: User, project: Project, name: str) -> DatasetVersion:
    """A new dataset with an empty draft.

    Raises
    ------
    UserError
        If the name is empty or taken.
    """
    permissions.require(actor, project, permissions.CURATE)
    slug = slugify(name)[:60]
    if not slug:
        raise UserError("Give the dataset a name with letters or digits.", field="name")
    if Dataset.objects.filter(project=project, slug=slug).exists():
        raise UserError(f"A dataset named {name!r} exists already: choose another name.", field="name")
    dataset = Dataset.objects.create(project=project, slug=slug, name=name)
    version = DatasetVersion.objects.create(dataset=dataset, number=1)
    audit.record(actor=actor, action="datasets.create", project=project, target=dataset)
    return version


def _draft(version: DatasetVersion) -> DatasetVersion:
    """The version, locked for change.

    Raises
    ------
    UserError
        If it is frozen.
    """
    locked = DatasetVersion.objects.select_for_update().select_related("dataset__project").get(pk=version.pk)
    if locked.state == DatasetVersion.State.FROZEN:
        raise UserError(f"{locked} is frozen and cannot change. Copy it to a draft first.")
    return locked


@transaction.atomic
def add_exams(*, actor: User, version: DatasetVersion, exams: Iterable[Exam]) -> int:
    """Add cases to a draft; the split has to be drawn anew. Returns how many were new.

    Raises
    ------
    UserError
        If the version is frozen, or a case belongs to another project.
    """
    version = _draft(version)
    project = version.dataset.project
    permissions.require(actor, project, permissions.CURATE)
    chosen = list(exams)
    if any(exam.project_id != project.pk for exam in chosen):
        raise UserError("A case of another project cannot be added to this dataset.")
    present = set(version.version_exams.values_list("exam_id", flat=True))
    new = [exam for exam in chosen if exam.pk not in present]
    VersionExam.objects.bulk_create(VersionExam(version=version, exam=exam) for exam in new)
    if new:
        version.assignments.all().delete()
    audit.record(actor=actor, action="datasets.add_exams", project=project, target=version, added=len(new))
    return len(new)


@transaction.atomic
def draw(*, actor: User, version: DatasetVersion, settings: SplitSettings) -> dict[str, int]:
    """Draw the split of a draft anew. Returns patients per split.

    Raises
    ------
    UserError
        If the version is frozen or empty, a declared site is not in it, or it is too small to split.
    """
    version = _draft(version)
    project = version.dataset.project
    permissions.require(actor, project, permissions.CURATE)
    facts = selectors.patient_facts(version)
    if not facts:
        raise UserError("No case yet. Choose cases, then draw a split.")
    unknown = set(settings.external_sites) - {patient.site for patient in facts}
    if unknown:
        raise UserError(f"No case of site {', '.join(sorted(unknown))} is in this version.", field="external_sites")
    assignment = draw_split(facts, settings)
    version.assignments.all().delete()
    SplitAssignment.objects.bulk_create(
        SplitAssignment(version=version, patient_id=patient, split=split)
        for patient, split in sorted(assignment.items())
    )
    version.split_settings = asdict(settings) | {"external_sites": list(settings.external_sites)}
    version.save(update_fields=["split_settings"])
    counts = {split: sum(found == split for found in assignment.values()) for split in Split.values}
    audit.record(actor=actor, action="datasets.draw_split", project=project, target=version, patients=counts)
    return counts


@transaction.atomic
def freeze(*, actor: User, version: DatasetVersion) -> DatasetVersion:
    """Fix members, truth and split for ever and compute the content hash.

    Raises
    ------
    UserError
        If the split is missing or incomplete, train, validation or every test set has no complete view, or a
        leakage check fails.
    """
    version = _draft(version)
    project = version.dataset.project
    permissions.require(actor, project, permissions.CURATE)
    split_of = dict(version.assignments.values_list("patient_id", "split"))
    patients = set(version.exams.values_list("patient_id", flat=True))
    if not patients:
        raise UserError("No case yet. Choose cases, then draw a split.")
    if patients != set(split_of):
        raise UserError("The split does not cover every patient. Draw the split, then freeze.")
    members = [
        VersionView(
            version=version,
            view=view,
            patient_id=view.exam.patient_id,
            split=split_of[view.exam.patient_id],
            origin=view.origin,
        )
        for view in selectors.complete_views(version).select_related("exam")
    ]
    _require_usable(members)
    VersionView.objects.bulk_create(members, batch_size=500)
    _snapshot_truth(version)
    failed = [check for check in selectors.leakage_checks(version) if not check.passed]
    if failed:
        raise UserError(
            "Leakage: "
            + "; ".join(f"{check.count} {check.name}" for check in failed)
            + ". Take these cases out or put them into one split, then freeze."
        )
    version.content_hash = selectors.content_hash(version)
    version.state = DatasetVersion.State.FROZEN
    version.frozen_at = timezone.now()
    version.frozen_by = actor
    version.save()
    audit.record(
        actor=actor,
        action="datasets.freeze",
        project=project,
        target=version,
        content_hash=version.content_hash,
    )
    return version


def _require_usable(members: list[VersionView]) -> None:
    used = {member.split for member in members}
    missing = [split for split in (Split.TRAIN, Split.VALIDATION) if split not in used]
    if missing:
        words = " and ".join(Split(split).label.lower() for split in missing)
        raise UserError(
            f"No complete view pair in {words}. Add cases whose views have both images, then draw the split anew."
        )
    if not used & {Split.INTERNAL_TEST, Split.EXTERNAL_TEST}:
        raise UserError("No complete view pair in a test set. Add cases, then draw the split anew.")


def _snapshot_truth(version: DatasetVersion) -> None:
    member_of = dict(version.version_views.values_list("view_id", "pk"))
    annotations = (
        Annotation.objects.filter(view__version_views__version=version, current=True, withdrawn=False)
        .select_related("lesion")
        .order_by("pk")
    )
    VersionAnnotation.objects.bulk_create(
        (
            VersionAnnotation(
                version_view_id=member_of[annotation.view_id],
                annotation=annotation,
                lesion_type=annotation.lesion.lesion_type,
                malignancy=annotation.lesion.malignancy,
            )
            for annotation in annotations
        ),
        batch_size=500,
    )


@transaction.atomic
def copy_to_draft(*, actor: User, version: DatasetVersion) -> DatasetVersion:
    """A draft with the cases and the split of a frozen version.

    Raises
    ------
    UserError
        If the dataset has a draft already.
    """
    project = version.dataset.project
    permissions.require(actor, project, permissions.CURATE)
    dataset = Dataset.objects.select_for_update().get(pk=version.dataset_id)
    open_draft = dataset.versions.filter(state=DatasetVersion.State.DRAFT).first()
    if open_draft is not None:
        raise UserError(f"Version {open_draft.number} is a draft already: continue with it.")
    newest = dataset.versions.order_by("-number").values_list("number", flat=True)[0]
    draft = DatasetVersion.objects.create(dataset=dataset, number=newest + 1, split_settings=version.split_settings)
    VersionExam.objects.bulk_create(
        VersionExam(version=draft, exam_id=exam) for exam in version.version_exams.values_list("exam_id", flat=True)
    )
    SplitAssignment.objects.bulk_create(
        SplitAssignment(version=draft, patient_id=patient, split=split)
        for patient, split in version.assignments.values_list("patient_id", "split")
    )
    audit.record(actor=actor, action="datasets.copy", project=project, target=draft, source=version.number)
    return draft
