"""Writing lesions and annotations; nothing is overwritten, a change is a new revision."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Max

from webapp.accounts import permissions
from webapp.accounts.models import User
from webapp.annotations import classes
from webapp.annotations.geometry import box_of, checked_points, checked_polygons
from webapp.annotations.models import Annotation, Lesion, LesionType, Malignancy
from webapp.cases.importing.drafts import LesionDraft
from webapp.cases.models import Exam, Image, View
from webapp.core import audit
from webapp.core.errors import UserError


@transaction.atomic
def create_lesion(
    *,
    actor: User | None,
    exam: Exam,
    laterality: str,
    lesion_type: str,
    malignancy: str,
    origin: str = "real",
    evidence: str = "",
    attributes: dict[str, Any] | None = None,
) -> Lesion:
    """Add a lesion to a breast of an exam; its outlines follow with `revise_annotation`.

    Raises
    ------
    UserError
        If a word is unknown or the breast has no view.
    NotAllowed
        If the actor may neither curate nor review. `actor` None is the system.
    """
    _require(actor, exam)
    if laterality not in ("R", "L"):
        raise UserError("Say which breast: R or L.", field="laterality")
    _check_class(lesion_type, malignancy)
    if not View.objects.filter(exam=exam, laterality=laterality).exists():
        raise UserError(f"{exam} has no view of the {'right' if laterality == 'R' else 'left'} breast.")
    lesion = _create(exam, laterality, lesion_type, malignancy, origin, evidence, attributes or {})
    audit.record(
        actor=actor,
        action="annotations.create_lesion",
        project=exam.project,
        target=lesion,
        name=f"{exam} {lesion}",
        lesion_type=lesion_type,
        malignancy=malignancy,
    )
    return lesion


@transaction.atomic
def change_class(*, actor: User | None, lesion: Lesion, lesion_type: str, malignancy: str, evidence: str) -> Lesion:
    """Correct what a lesion is; the former class stays in the audit trail.

    Raises
    ------
    UserError, NotAllowed
    """
    _require(actor, lesion.exam)
    _check_class(lesion_type, malignancy)
    if not evidence.strip():
        raise UserError("Say how type and malignancy are known.", field="evidence")
    former = {"lesion_type": lesion.lesion_type, "malignancy": lesion.malignancy, "evidence": lesion.evidence}
    lesion.lesion_type, lesion.malignancy, lesion.evidence = lesion_type, malignancy, evidence.strip()[:200]
    lesion.save(update_fields=["lesion_type", "malignancy", "evidence"])
    refresh_classes(lesion.exam)
    audit.record(
        actor=actor,
        action="annotations.change_class",
        project=lesion.exam.project,
        target=lesion,
        name=f"{lesion.exam} {lesion}",
        former=former,
        lesion_type=lesion_type,
        malignancy=malignancy,
    )
    return lesion


@transaction.atomic
def revise_annotation(
    *,
    actor: User | None,
    lesion: Lesion,
    view: View,
    polygons: Any,
    points: Any = (),
    source: str = "reader",
    based_on: int | None = None,
) -> Annotation:
    """Outline a lesion on a view: revision 1, or the next one.

    Parameters
    ----------
    polygons, points : lists of [x, y]
        Continuous image pixels of the view.
    based_on : int, optional
        The revision the change was drawn over; refused when another one was saved meanwhile.

    Raises
    ------
    UserError
        If the outline cannot be kept, the view is not of the lesion's breast, or the revision is not the last.
    NotAllowed
    """
    _require(actor, lesion.exam)
    if view.exam_id != lesion.exam_id or view.laterality != lesion.laterality:
        raise UserError("The view does not show the breast of this lesion.", field="view")
    shape = _shape_of(view)
    outline = checked_polygons(polygons, shape)
    marks = checked_points(points, shape)
    annotation = _next_revision(
        lesion, view, outline, marks, author=actor, source=source, withdrawn=False, based_on=based_on
    )
    _audit_revision(actor, annotation)
    return annotation


@transaction.atomic
def withdraw_annotation(*, actor: User | None, lesion: Lesion, view: View, based_on: int | None = None) -> Annotation:
    """Say that the lesion is not on the view: a revision that keeps the last outline for the record.

    Raises
    ------
    UserError
        If the lesion has no outline on the view.
    NotAllowed
    """
    _require(actor, lesion.exam)
    last = Annotation.objects.filter(lesion=lesion, view=view, current=True).first()
    if last is None or last.withdrawn:
        raise UserError("The lesion has no outline on this view.", field="view")
    annotation = _next_revision(
        lesion,
        view,
        last.polygons,
        last.points,
        author=actor,
        source="reader",
        withdrawn=True,
        based_on=based_on,
    )
    _audit_revision(actor, annotation)
    return annotation


def record_imported(view: View, shape: tuple[int, int], lesions: list[LesionDraft], author: User | None) -> None:
    """Keep the lesions that came with a view's images (runs inside the import's transaction).

    A lesion whose `key` is known in the same breast of the exam is the one already seen on the other view.

    Raises
    ------
    UserError
        If an outline cannot be kept.
    """
    exam = view.exam
    annotations = []
    for draft in lesions:
        polygons = checked_polygons(draft.polygons, shape)
        x1, y1, x2, y2 = box_of(polygons, [])
        lesion = _linked(exam, view.laterality, draft.key)
        if lesion is None:
            _check_class(draft.lesion_type, draft.malignancy)
            attributes = draft.attributes | ({"key": draft.key} if draft.key else {})
            lesion = _create(
                exam, view.laterality, draft.lesion_type, draft.malignancy, view.origin, draft.evidence, attributes
            )
        annotations.append(
            Annotation(
                lesion=lesion, view=view, polygons=polygons, x1=x1, y1=y1, x2=x2, y2=y2, author=author,
                source=draft.source,
            )
        )  # fmt: skip
    Annotation.objects.bulk_create(annotations)


def refresh_classes(exam: Exam) -> None:
    """Derive `Exam.lesion_classes` from the exam's lesions; synthetic ones do not count."""
    found = exam.lesions.exclude(origin="synthetic").values_list("lesion_type", "malignancy")
    Exam.objects.filter(pk=exam.pk).update(lesion_classes=classes.bits(found))


def _linked(exam: Exam, laterality: str, key: str) -> Lesion | None:
    if not key:
        return None
    return Lesion.objects.filter(exam=exam, laterality=laterality, attributes__key=key).first()


def _create(
    exam: Exam,
    laterality: str,
    lesion_type: str,
    malignancy: str,
    origin: str,
    evidence: str,
    attributes: dict[str, Any],
) -> Lesion:
    # The exam's row is the lock that keeps two people from giving the same number.
    Exam.objects.select_for_update().get(pk=exam.pk)
    last = Lesion.objects.filter(exam=exam).aggregate(last=Max("number"))["last"] or 0
    lesion = Lesion.objects.create(
        exam=exam,
        laterality=laterality,
        number=last + 1,
        lesion_type=lesion_type,
        malignancy=malignancy,
        origin=origin,
        evidence=evidence[:200],
        attributes=attributes,
    )
    refresh_classes(exam)
    return lesion


def _next_revision(
    lesion: Lesion,
    view: View,
    polygons: list[Any],
    points: list[Any],
    *,
    author: User | None,
    source: str,
    withdrawn: bool,
    based_on: int | None,
) -> Annotation:
    Lesion.objects.select_for_update().get(pk=lesion.pk)
    last = Annotation.objects.filter(lesion=lesion, view=view, current=True).first()
    revision = last.revision if last is not None else 0
    if based_on is not None and based_on != revision:
        raise UserError(
            f"Someone saved revision {revision} of this outline meanwhile; yours was drawn over revision {based_on}. "
            "Look at the newer one, then save again."
        )
    x1, y1, x2, y2 = box_of(polygons, points)
    Annotation.objects.filter(lesion=lesion, view=view, current=True).update(current=False)
    return Annotation.objects.create(
        lesion=lesion,
        view=view,
        revision=revision + 1,
        polygons=polygons,
        points=points,
        x1=x1,
        y1=y1,
        x2=x2,
        y2=y2,
        author=author,
        source=source[:60],
        withdrawn=withdrawn,
    )


def _shape_of(view: View) -> tuple[int, int]:
    found = Image.objects.filter(view=view).values_list("rows", "columns").first()
    if found is None:
        raise UserError(f"{view} has no image to draw on.", field="view")
    return found


def _audit_revision(actor: User | None, annotation: Annotation) -> None:
    lesion, exam = annotation.lesion, annotation.lesion.exam
    audit.record(
        actor=actor,
        action="annotations.withdraw" if annotation.withdrawn else "annotations.revise",
        project=exam.project,
        target=annotation,
        name=f"{exam} {lesion} on {annotation.view}",
        revision=annotation.revision,
    )


def _check_class(lesion_type: str, malignancy: str) -> None:
    if lesion_type not in LesionType.values:
        raise UserError(f"The lesion type is one of {', '.join(LesionType.values)}.", field="lesion_type")
    if malignancy not in Malignancy.values:
        raise UserError(f"The malignancy is one of {', '.join(Malignancy.values)}.", field="malignancy")


def _require(actor: User | None, exam: Exam) -> None:
    """Curators keep the data, radiologists correct outlines in review; both leave a revision."""
    if actor is None:
        return
    if not permissions.may(actor, exam.project, permissions.REVIEW):
        permissions.require(actor, exam.project, permissions.CURATE)
