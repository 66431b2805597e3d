"""The chapters of results, put into the registry in the order in which they are read."""

from __future__ import annotations

from collections.abc import Callable

from webapp.experiments.models import Experiment
from webapp.results.reports.arms import arms
from webapp.results.reports.basis import Basis
from webapp.results.reports.checklist_chapter import checklists
from webapp.results.reports.closing import hashes, limitations
from webapp.results.reports.content import ReportSection, Section
from webapp.results.reports.curve_chapter import curves_chapter
from webapp.results.reports.data import dataset
from webapp.results.reports.level_chapter import levels_chapter
from webapp.results.reports.misses import misses
from webapp.results.reports.numbers import differences, numbers
from webapp.results.reports.opening import title_page
from webapp.results.reports.registry import report_sections

NOT_IN_BASIS = ("dataset", "checklists")
"""Chapters that rest on records which may change after the experiment: outlines in force, evidence, headers."""


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
        state = _as_built(build) if name in NOT_IN_BASIS else _in_basis
        report_sections.register(name, ReportSection(build, 10 * position, state))


def _in_basis(experiment: Experiment) -> None:
    """Nothing beyond what `basis.state` holds."""


def _as_built(build: Callable[[Basis], Section]) -> Callable[[Experiment], str]:
    """The chapter itself, without looks: they are in the state of the basis as they were when it was asked for."""
    return lambda experiment: repr(build(Basis(experiment, {}, "")))
