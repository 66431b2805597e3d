"""Chapters of the report. Results register theirs here; reviews and other apps above add their own in `ready()`."""

from __future__ import annotations

from webapp.core.registry import Registry
from webapp.experiments.models import Experiment
from webapp.results.reports import basis
from webapp.results.reports.content import ReportSection

report_sections: Registry[ReportSection] = Registry("chapters of the report")


def in_order() -> list[ReportSection]:
    """All chapters by position."""
    return sorted(report_sections.values(), key=lambda one: one.position)


def inputs_hash(experiment: Experiment, looks: dict[str, int]) -> str:
    """SHA-256 over everything the report would show; a report is made anew only when it changes."""
    chapters = {name: one.state(experiment) for name, one in report_sections.providers.items()}
    return basis.digest({"basis": basis.state(experiment, looks), "chapters": chapters})
