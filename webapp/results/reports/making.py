"""Making a report, in its job's own process: chapters one after the other, then the PDF."""

from __future__ import annotations

from typing import Any

from webapp.core import files
from webapp.core.errors import UserError
from webapp.experiments import selectors as experiments
from webapp.experiments.models import Experiment
from webapp.jobs.context import JobContext
from webapp.jobs.errors import JobStopped
from webapp.results.models import Report
from webapp.results.reports import registry
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Section
from webapp.results.reports.typesetting import Imprint, write

CHANGED = (
    "The records behind the report changed after it was asked for, so that it would not show what was asked for. Ask "
    "for it again."
)
SHARE = 0.8
"""Of the progress bar, for the chapters; the rest is for setting them in type."""


def make(report: Report, context: JobContext) -> dict[str, Any]:
    """Build, write, publish.

    Raises
    ------
    UserError
        If the records changed since the report was asked for.
    JobStopped
        When asked to stop.
    """
    if report.file:
        # made by another job meanwhile: an old one was started again from the list of jobs
        return {"pages": report.pages, "sha256": report.sha256}
    experiment = experiments.with_arms(Experiment.objects.select_related("project", "version__dataset")).get(
        pk=report.experiment_id
    )
    _require_unchanged(report, experiment)
    sections = _chapters(Basis(experiment, report.snapshot["looks"], report.requested_name), context)
    _require_unchanged(report, experiment)
    context.progress(SHARE, "setting in type")
    draft = context.attempt_directory / "report.pdf"
    pages = write(sections, _imprint(report, experiment), draft)
    name = files.new_name("reports", ".pdf")
    digest, size = files.sha256(draft), draft.stat().st_size
    context.publish(draft, files.absolute(name))
    result = {"pages": pages, "sha256": digest}
    with context.completing(result):
        Report.objects.filter(pk=report.pk).update(file=name, size=size, pages=pages, sha256=digest)
    return result


def _require_unchanged(report: Report, experiment: Experiment) -> None:
    if registry.inputs_hash(experiment, report.snapshot["looks"]) != report.inputs_hash:
        raise UserError(CHANGED)


def _chapters(basis: Basis, context: JobContext) -> list[Section]:
    chapters = registry.in_order()
    made = []
    for place, chapter in enumerate(chapters):
        if context.should_stop():
            raise JobStopped("stopped between chapters")
        section = chapter.build(basis)
        if section is not None:
            made.append(section)
            context.log(f"chapter: {section.title}")
        context.progress(SHARE * (place + 1) / len(chapters), f"chapter {place + 1} of {len(chapters)}")
    return made


def _imprint(report: Report, experiment: Experiment) -> Imprint:
    kept = experiment.reproducibility
    return Imprint(
        title=f"{experiment}",
        subject=f"Results of {experiment} on {experiment.version}",
        foot=f"CEMLab, {experiment.project.slug}, {experiment}. Inputs {report.inputs_hash[:12]}",
        author=report.requested_name,
        keywords=f"inputs {report.inputs_hash}; data {kept.get('data_hash')}; code {kept.get('source_hash')}",
        created=report.created,
    )
