"""Writing cases: uploads, their import, and what a person says about files that do not tell."""

from __future__ import annotations

from django.db import transaction

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.cases.importing import uploads
from webapp.cases.importing.manifest import checked_spacing
from webapp.cases.importing.report import Report
from webapp.cases.importing.targets import site_for, start_batch
from webapp.cases.models import ImageKind, ImportBatch, ImportFile, Verdict
from webapp.core import audit
from webapp.core.errors import UserError
from webapp.jobs.models import Job
from webapp.jobs.services import submit

JOB_KIND = "import"


def begin_upload(*, actor: User, project: Project, site: str, spacing_mm: float | None = None) -> ImportBatch:
    """A new import that waits for its files.

    Raises
    ------
    NotAllowed, UserError
        If the actor does not curate, or the site code or spacing is impossible.
    """
    permissions.require(actor, project, permissions.CURATE)
    spacing_mm = checked_spacing(spacing_mm)
    return start_batch(
        project=project,
        site=site_for(project, site, actor=actor),
        source="upload",
        actor=actor,
        spacing_mm=spacing_mm,
        folder=uploads.new_folder(),
    )


def add_piece(*, actor: User, batch: ImportBatch, piece: uploads.Piece) -> int:
    """Take a piece of a file; returns how many of its bytes have arrived.

    Raises
    ------
    NotAllowed, UserError
    """
    permissions.require(actor, batch.project, permissions.CURATE)
    if batch.created_by_id != actor.pk:
        raise UserError("Another person began this upload.")
    if batch.job_id is not None or batch.finished is not None:
        raise UserError("This import has begun already; start a new one for more files.")
    return uploads.add_piece(batch.folder, piece)


@transaction.atomic
def finish_upload(*, actor: User, batch: ImportBatch) -> Job:
    """All files are there: check and import them as a job.

    Raises
    ------
    NotAllowed, UserError
        If a file has not arrived completely, or none has.
    """
    permissions.require(actor, batch.project, permissions.CURATE)
    batch = ImportBatch.objects.select_for_update().get(pk=batch.pk)
    if batch.job is not None:
        return batch.job
    missing = uploads.unfinished(batch.folder)
    if missing:
        raise UserError(f"{missing} files have not arrived completely: wait for them, or hand them in again.")
    count = len(uploads.uploaded(batch.folder)) if batch.folder else 0
    if not count:
        raise UserError("No file arrived. Hand in a folder, a zip archive or single files.")
    job = submit(
        kind=JOB_KIND,
        project=batch.project,
        name=f"Import {batch.number}, site {batch.site.code}",
        payload={"batch": batch.pk},
        created_by=actor,
    )
    batch.job = job
    batch.save(update_fields=["job"])
    audit.record(actor=actor, action="cases.upload", project=batch.project, target=batch, files=count)
    return job


def answer_kind(*, actor: User, file: ImportFile, kind: str) -> Report:
    """Say whether a file whose header does not tell is low energy or recombined, and import it.

    Raises
    ------
    NotAllowed, UserError
        If the file waits no more, or the word is no kind.
    """
    from webapp.cases.importing.run import run_answer  # OpenCV and the DICOM codecs: not for every page

    permissions.require(actor, file.batch.project, permissions.CURATE)
    if kind not in ImageKind.values:
        raise UserError("Say low energy or recombined.", field="kind")
    if file.verdict != Verdict.ASK or not file.waiting:
        raise UserError("This file waits for no answer any more.")
    audit.record(
        actor=actor,
        action="cases.answer_kind",
        project=file.batch.project,
        target=file.batch,
        file=file.index,
        kind=kind,
    )
    return run_answer(file=file, kind=kind)
