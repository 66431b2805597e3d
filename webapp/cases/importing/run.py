"""Running an import from beginning to end, for the command line and for the job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from webapp.cases.importing import manifest, pairs, sources
from webapp.cases.importing.dicom import DicomImport
from webapp.cases.importing.errors import ImportStopped
from webapp.cases.importing.report import Report
from webapp.cases.importing.targets import project_for, site_for, start_batch
from webapp.cases.models import ImportBatch
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
    batch = start_batch(
        project=found, site=site_for(found, site), source="pairs", actor=None, spacing_mm=spacing_mm
    )
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


@contextmanager
def reporting(batch: ImportBatch) -> Iterator[Report]:
    """A report that is closed and audited however the import ends."""
    report = Report(batch)
    stopped = ""
    try:
        yield report
    except ImportStopped as error:
        stopped, error.report = str(error), report
        raise
    finally:
        report.finish(stopped=stopped)
        audit.record(
            actor=batch.created_by,
            action="cases.import",
            project=batch.project,
            target=batch,
            site=batch.site.code,
            source=batch.source,
            **{key: value for key, value in batch.summary.items() if isinstance(value, int)},
        )
