"""The chapters of results, put into the registry in the order in which they are read."""

from __future__ import annotations

from collections.abc import Callable

from webapp.experiments.models import Experiment
from webapp.results.reports.arms import arms
from webapp.results.reports.basis import Basis
from webapp.results.reports.calibration_chapter import calibration_chapter
from webapp.results.reports.checklist_chapter import checklists
from webapp.results.reports.closing import hashes, limitations
from webapp.results.reports.content import ReportSection, Section
from webapp.results.reports.curve_chapter import curves_chapter
from webapp.results.reports.data import dataset
from webapp.results.reports.differences import differences
from webapp.results.reports.level_chapter import levels_chapter
from webapp.results.reports.misses import misses
from webapp.results.reports.numbers import numbers
from webapp.results.reports.opening import title_page
from webapp.results.reports.outline_chapter import outlines_chapter
from webapp.results.reports.registry import report_sections

NOT_IN_BASIS = ("dataset", "checklists")
"""Chapters that rest on records which may change after the experiment: outlines in force, evidence, headers."""
CHAPTERS: dict[str, tuple[int, Callable[[Basis], Section]]] = {
    "title": (0, title_page),
    "dataset": (10, dataset),
    "arms": (20, arms),
    "numbers": (30, numbers),
    "differences": (40, differences),
    "levels": (50, levels_chapter),
    "curves": (60, curves_chapter),
    "calibration": (62, calibration_chapter),
    "outlines": (64, outlines_chapter),
    "misses": (70, misses),
    "limitations": (80, limitations),
    "checklists": (90, checklists),
    "hashes": (100, hashes),
}
"""Name → position, and what builds it; an app above results chooses a position in between."""


def register() -> None:
    """Called once, in `ready()`."""
    for name, (position, build) in CHAPTERS.items():
        state = _as_built(build) if name in NOT_IN_BASIS else _in_basis
        report_sections.register(name, ReportSection(build, position, state))


def _in_basis(experiment: Experiment) -> None:
    """Nothing beyond what `basis.state` holds."""


def _as_built(build: Callable[[Basis], Section]) -> Callable[[Experiment], str]:
    """The chapter itself, without looks: they are in the state of the basis as they were when it was asked for."""
    return lambda experiment: repr(build(Basis(experiment, {}, "")))
