"""Running an import from beginning to end, for the command line and for the job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from webapp.cases.importing import keys, manifest, pairs, sources, uploads
from webapp.cases.importing.dicom import DicomImport
from webapp.cases.importing.errors import ImportStopped
from webapp.cases.importing.report import Report
from webapp.cases.importing.targets import project_for, site_for, start_batch
from webapp.cases.models import ImportBatch, ImportFile
from webapp.core import audit


def no_progress(fraction: float, message: str) -> None:
    """For callers who show no progress."""


def never() -> bool:
    """For callers who cannot be stopped."""
    return False


def import_pairs(*, manifest_path: Path, project: str, site: str, spacing_mm: float | None = None) -> Report:
    """Import the pairs of a manifest from the command line.

    Raises
    ------
    UserError
        If the manifest as a whole, the project, the site or the spacing is wrong; nothing is stored then.
    ImportStopped
        If the disk is full.
    """
    spacing_mm = manifest.checked_spacing(spacing_mm)
    lines = manifest.read_lines(manifest_path)
    found = project_for(project)
    batch = start_batch(project=found, site=site_for(found, site), source="pairs", actor=None, spacing_mm=spacing_mm)
    return run_pairs(batch=batch, lines=lines, folder=manifest_path.parent)


def run_pairs(
    *,
    batch: ImportBatch,
    lines: list[manifest.ManifestLine],
    folder: Path,
    progress: Callable[[float, str], None] = no_progress,
    should_stop: Callable[[], bool] = never,
) -> Report:
    """Import the lines of a manifest into a batch and close its report."""
    with reporting(batch) as report:
        pairs.import_lines(
            batch=batch,
            report=report,
            lines=lines,
            folder=folder,
            spacing_mm=batch.spacing_mm,
            progress=progress,
            should_stop=should_stop,
        )
    return report


def import_dicom(*, path: Path, project: str, site: str) -> Report:
    """Import DICOM files from the command line: a folder, a zip archive or a single file.

    Raises
    ------
    UserError
        If the path, an archive, the project or the site as a whole is wrong; nothing is stored then.
    ImportStopped
        If the disk is full.
    """
    with sources.workspace() as folder:
        files = sources.collect(path, folder)
        found = project_for(project)
        batch = start_batch(project=found, site=site_for(found, site), source="dicom", actor=None)
        with reporting(batch) as report:
            DicomImport(batch, report, no_progress, never).run(files)
    return report


def run_upload(
    *,
    batch: ImportBatch,
    progress: Callable[[float, str], None] = no_progress,
    should_stop: Callable[[], bool] = never,
) -> Report:
    """Import what was uploaded: DICOM, or pairs where a manifest lies among the files.

    Files that need a person's word stay aside, the others are removed from the upload's folder.

    Raises
    ------
    ImportStopped
        If an archive is unsafe, nothing or several manifests were handed in, or the disk is full.
    """
    # A second attempt (after a lost worker) reports anew; what the first one stored is found unchanged.
    batch.files.all().delete()
    try:
        with sources.workspace() as folder, reporting(batch) as report:
            _import_uploaded(batch, report, folder, progress, should_stop)
            if should_stop():
                raise ImportStopped(
                    "The import was cancelled. Views stored before stay; hand the files in again for the rest."
                )
    except ImportStopped:
        uploads.clear(batch.folder)
        raise
    uploads.clear(batch.folder)
    return report


def _import_uploaded(
    batch: ImportBatch,
    report: Report,
    folder: Path,
    progress: Callable[[float, str], None],
    should_stop: Callable[[], bool],
) -> None:
    found = uploads.uploaded(batch.folder)
    if not found:
        raise ImportStopped("No file arrived. Hand in a folder, a zip archive or single files.")
    found = sources.unpack_archives(found, folder)
    manifests = [
        file for file in found if file.name.lower().endswith(".csv") and manifest.looks_like_manifest(file.path)
    ]
    if len(manifests) > 1:
        raise ImportStopped(f"{len(manifests)} manifests were handed in: import them one by one.")
    if not manifests:
        DicomImport(
            batch,
            report,
            progress,
            should_stop,
            keep=lambda file: uploads.put_aside(batch.folder, file.source, file.picture),
        ).run(found)
        return
    placed = uploads.lay_out(found, folder / "tree")
    path = placed[found.index(manifests[0])].path
    pairs.import_lines(
        batch=batch,
        report=report,
        lines=manifest.read_lines(path),
        folder=path.parent,
        spacing_mm=batch.spacing_mm,
        progress=progress,
        should_stop=should_stop,
    )


def run_answer(*, file: ImportFile, kind: str) -> Report:
    """Import one file that waited, as the kind a person said; its new verdict takes the place of the question."""
    batch = file.batch
    path = uploads.waiting_file(batch.folder, file.waiting)
    with reporting(batch, adds=True) as report:
        DicomImport(batch, report, no_progress, never, stated_kinds={keys.keyed_file(path): kind}).run(
            [sources.SourceFile(path, file.name)]
        )
        file.delete()
    uploads.drop(batch.folder, file.waiting)
    return report


@contextmanager
def reporting(batch: ImportBatch, *, adds: bool = False) -> Iterator[Report]:
    """A report that is closed and audited however the import ends; with `adds` it continues a finished one."""
    report = Report(batch)
    stopped = ""
    try:
        yield report
    except ImportStopped as error:
        stopped, error.report = str(error), report
        raise
    finally:
        report.finish(stopped=stopped, adds=adds)
        audit.record(
            actor=batch.created_by,
            action="cases.import",
            project=batch.project,
            target=batch,
            **{"site": batch.site.code, "source": batch.source, **_numbers(batch.summary)},
        )


def _numbers(summary: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in summary.items() if isinstance(value, int)}
