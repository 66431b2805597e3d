"""Writing one view: its files and rows together, or nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction
from django.db.models import Max

from webapp.accounts.models import Project, User
from webapp.cases.importing import lesions
from webapp.cases.importing.drafts import ImageDraft, ViewDraft
from webapp.cases.importing.errors import Refused, storage_errors
from webapp.cases.importing.keys import keyed
from webapp.cases.matrix import KIND_WORDS
from webapp.cases.models import Exam, Image, Patient, Site, View
from webapp.cases.state import refresh_exam
from webapp.core import files


@dataclass
class Stored:
    """What became of a view: created rows are counted, images have their verdict by kind."""

    exam: Exam
    view: View
    new_patient: bool = False
    new_exam: bool = False
    new_view: bool = False
    imported: set[str] = field(default_factory=set)
    unchanged: set[str] = field(default_factory=set)


def existing_view(project: Project, site: Site, draft: ViewDraft) -> View | None:
    """The stored acquired view of the same exam, side and direction."""
    return (
        View.objects.filter(
            exam__project=project,
            exam__patient__site=site,
            exam__patient__source_key=draft.patient.source_key,
            exam__source_key=draft.exam.source_key,
            laterality=draft.laterality,
            position=draft.position,
            variant=0,
        )
        .select_related("exam__patient")
        .first()
    )


def store_view(*, project: Project, site: Site, author: User | None, draft: ViewDraft) -> Stored:
    """Store a view, or add to a stored view the image it lacks.

    Images that are stored already are left alone. Files are written first and removed again when the rows cannot
    be written.

    Raises
    ------
    Refused
        If the view contradicts what is stored.
    StorageFull
    """
    view = existing_view(project, site, draft)
    fresh = _fresh_images(project, view, draft)
    if view is not None and not fresh:
        _same_lesions(view, draft)
        return Stored(view.exam, view, unchanged={image.kind for image in draft.images})
    written: list[Path] = []
    try:
        with storage_errors():
            rows = [write_image(image, written) for image in fresh]
            with transaction.atomic():
                return _create(project, site, author, draft, rows)
    except BaseException:
        # Whatever went wrong, a cancelled job included: no file may stay without its row.
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _fresh_images(project: Project, view: View | None, draft: ViewDraft) -> list[ImageDraft]:
    stored = {image.kind: image for image in view.images.all()} if view is not None else {}
    fresh = []
    for image in draft.images:
        known = stored.get(image.kind)
        if known is not None:
            if known.source_hash != image.source_hash:
                raise Refused(
                    "Other image stored",
                    f"{draft.words} {KIND_WORDS[image.kind]} of this exam is stored already from another file.",
                    "Stored images are never replaced. Check which of the two is right.",
                    file=image.name,
                )
            continue
        double = (
            Image.objects.filter(view__exam__project=project, source_hash=image.source_hash)
            .select_related("view__exam")
            .first()
        )
        if double is not None:
            raise Refused(
                "Same file under two names",
                f"The same file is stored already as {double.view.exam} {double}.",
                "One image belongs to one patient, side and view. Correct the names or the manifest.",
                file=image.name,
            )
        fresh.append(image)
    _same_geometry(list(stored.values()), draft, fresh)
    return fresh


def _same_geometry(stored: list[Image], draft: ViewDraft, fresh: list[ImageDraft]) -> None:
    shapes = {(image.rows, image.columns) for image in stored} | {(one.rows, one.columns) for one in draft.images}
    if len(shapes) > 1:
        (rows, columns), (other_rows, other_columns) = sorted(shapes)[:2]
        raise Refused(
            "Sizes differ",
            f"{draft.words}: one image has {rows} × {columns} pixels and the other {other_rows} × {other_columns}; "
            "the two images of a view must have the same size.",
            "Export both images of the view at full size.",
            file=fresh[0].name if fresh else "",
        )
    spacings = {
        (round(image.spacing_row, 4), round(image.spacing_column, 4))
        for image in stored
        if image.spacing_row and image.spacing_column
    } | {(round(image.spacing_mm[0], 4), round(image.spacing_mm[1], 4)) for image in draft.images if image.spacing_mm}
    if len(spacings) > 1:
        raise Refused(
            "Pixel spacing differs",
            f"{draft.words}: the two images state different pixel spacing.",
            "Check that they belong together.",
            file=fresh[0].name if fresh else "",
        )


def _same_lesions(view: View, draft: ViewDraft) -> None:
    given, known = draft.attributes.get("lesion_source"), view.attributes.get("lesion_source")
    if given != known:
        raise Refused(
            "Other outlines stored",
            f"{draft.words} is stored already with other outlines or labels of its lesions.",
            "Outlines of stored views are changed on the case page, where every revision is kept.",
        )


def write_image(image: ImageDraft, written: list[Path]) -> Image:
    """Write the files of an image; the unsaved row comes back, and `written` lists the files for undoing."""
    name = files.new_name("images", image.suffix)
    written.append(files.absolute(name))
    path = files.write_with(name, image.write)
    thumbnail = files.new_name("thumbnails", ".png")
    written.append(files.absolute(thumbnail))
    files.write(thumbnail, image.thumbnail)
    spacing = image.spacing_mm or (None, None)
    return Image(
        kind=image.kind,
        file=name,
        format=image.format,
        thumbnail=thumbnail,
        sop_uid=image.sop_uid,
        source_hash=image.source_hash,
        sha256=files.sha256(path),
        rows=image.rows,
        columns=image.columns,
        bits_stored=image.bits_stored,
        photometric=image.photometric,
        spacing_row=spacing[0],
        spacing_column=spacing[1],
        window_low=image.window[0],
        window_high=image.window[1],
        vendor=image.vendor,
        deidentification=image.deidentification,
        attributes=image.attributes,
    )


def _create(project: Project, site: Site, author: User | None, draft: ViewDraft, images: list[Image]) -> Stored:
    # One writer a project at a time: numbers are given without gaps and two imports agree on patients.
    Project.objects.select_for_update().get(pk=project.pk)
    patient, new_patient = _patient(project, site, draft)
    exam = Exam.objects.filter(patient=patient, source_key=draft.exam.source_key).first()
    new_exam = exam is None
    if exam is None:
        last = Exam.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0
        exam = Exam.objects.create(
            project=project,
            patient=patient,
            number=last + 1,
            source_key=draft.exam.source_key,
            date=draft.exam.date,
            device=draft.exam.device[:100],
            attributes=draft.exam.attributes,
            origin=draft.origin,
        )
    elif exam.origin != draft.origin:
        raise Refused("Real and phantom mixed", f"{exam} holds {exam.origin} images, this view is {draft.origin}.", "")
    view, new_view = View.objects.get_or_create(
        exam=exam,
        laterality=draft.laterality,
        position=draft.position,
        variant=0,
        defaults={"origin": draft.origin, "attributes": draft.attributes},
    )
    for image in images:
        image.view = view
        image.save(force_insert=True)
    if new_view and draft.lesions:
        lesions.record(view, (draft.images[0].rows, draft.images[0].columns), draft.lesions, author)
    refresh_exam(exam)
    imported = {image.kind for image in images}
    return Stored(
        exam,
        view,
        new_patient,
        new_exam,
        new_view,
        imported,
        {image.kind for image in draft.images} - imported,
    )


def _patient(project: Project, site: Site, draft: ViewDraft) -> tuple[Patient, bool]:
    given = draft.patient
    patient = Patient.objects.filter(project=project, site=site, source_key=given.source_key).first()
    if patient is None:
        pseudonym = given.pseudonym
        if Patient.objects.filter(project=project, pseudonym=pseudonym).exists():
            # The same identifier at two sites, or (once in 10^12) two identifiers of one short name.
            pseudonym = f"{pseudonym}-{keyed('site', site.code, given.source_key)[:4].upper()}"
        return (
            Patient.objects.create(
                project=project,
                site=site,
                pseudonym=pseudonym,
                source_key=given.source_key,
                age=given.age,
                identity=given.identity,
                attributes=given.attributes,
            ),
            True,
        )
    for fact, value in given.identity.items():
        if value and patient.identity.get(fact, value) != value:
            raise Refused(
                "Two people under one identifier",
                f"The file's patient identifier is the one of {patient.pseudonym}, but its {fact} differs.",
                "Two people may share the identifier, or one entry is wrong. Correct it at the source.",
            )
    missing = {fact: value for fact, value in given.identity.items() if value and fact not in patient.identity}
    if missing:
        patient.identity |= missing
        patient.save(update_fields=["identity"])
    return patient, False
