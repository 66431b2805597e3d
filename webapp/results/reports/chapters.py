"""The chapters of results, put into the registry in the order in which they are read."""

from __future__ import annotations

from webapp.results.reports.arms import arms
from webapp.results.reports.checklist_chapter import checklists
from webapp.results.reports.closing import hashes, limitations
from webapp.results.reports.content import ReportSection
from webapp.results.reports.curve_chapter import curves_chapter
from webapp.results.reports.data import dataset
from webapp.results.reports.level_chapter import levels_chapter
from webapp.results.reports.misses import misses
from webapp.results.reports.numbers import differences, numbers
from webapp.results.reports.opening import title_page
from webapp.results.reports.registry import report_sections


def register() -> None:
    """Called once, in `ready()`."""
    for position, (name, build) in enumerate(
        (
            ("title", title_page),
            ("dataset", dataset),
            ("arms", arms),
            ("numbers", numbers),
            ("differences", differences),
            ("levels", levels_chapter),
            ("curves", curves_chapter),
            ("misses", misses),
            ("limitations", limitations),
            ("checklists", checklists),
            ("hashes", hashes),
        )
    ):
        report_sections.register(name, ReportSection(build, position=10 * position))
