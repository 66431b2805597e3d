"""What a report is made of, as data: built from the records, set in type by `typesetting`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from webapp.experiments.models import Experiment
from webapp.results.reports.basis import Basis


@dataclass(frozen=True)
class Heading:
    """A heading below that of the section."""

    words: str


@dataclass(frozen=True)
class Text:
    """A paragraph; a warning is set apart."""

    words: str
    kind: Literal["body", "note", "warning", "lead"] = "body"


@dataclass(frozen=True)
class Facts:
    """Pairs of name and value; hashes among the values may break anywhere."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """Rows under a header.

    Attributes
    ----------
    columns : tuple of (words, share)
        Share of the width each takes.
    rows : tuple of tuple of str
    caption : str
        Stands above the table.
    numeric : frozenset of int
        Columns set flush right.
    """

    columns: tuple[tuple[str, float], ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Axis:
    """Words, range and ticks; without `ticks` round numbers are chosen.

    `places` names places on an axis of categories: their words stand at 0, 1, 2, …
    """

    words: str
    low: float
    high: float
    ticks: tuple[float, ...] = ()
    places: tuple[str, ...] = ()


@dataclass(frozen=True)
class Series:
    """Points drawn alike.

    Attributes
    ----------
    name : str
        In the legend; empty leaves it out.
    points : tuple of (x, y)
    kind : {"line", "steps", "markers", "line and markers", "area", "thin"}
        Steps go across, then up; an area is a closed outline; a thin line is grey and stands behind the others.
    intervals : tuple of (low, high) or None, optional
        One for each point, along `interval_axis`.
    colour, dash : int
        From 0; colours repeat after six, dashes after four and are drawn thicker then, so that lines stay apart in
        print without colour.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    kind: Literal["line", "steps", "markers", "line and markers", "area", "thin"] = "line and markers"
    intervals: tuple[tuple[float, float] | None, ...] = ()
    interval_axis: Literal["x", "y"] = "y"
    colour: int = 0
    marker: int = 0
    """Circle, square, diamond, triangle, and again from the circle."""
    filled: bool = True
    dash: int = 0


@dataclass(frozen=True)
class Plot:
    """A pair of axes with series; `guide` draws the diagonal, or the line at x = 0 (zero) or y = 0 (level)."""

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    guide: Literal["", "diagonal", "zero", "level"] = ""
    empty: str = ""
    """Said in place of the series where there are none."""


@dataclass(frozen=True)
class Bars:
    """Stacked bars across: one a row, parts in the order of `parts`."""

    title: str
    words: str
    rows: tuple[str, ...]
    parts: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Figure:
    """Plots in rows with one legend and one caption."""

    plots: tuple[Plot | Bars, ...]
    caption: str
    height: float = 190.0
    """Of each row, in points."""
    across: int = 3
    """Plots in a row."""


Block = Heading | Text | Facts | Table | Figure


@dataclass(frozen=True)
class Section:
    """A chapter of the report with its bookmark."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class ReportSection:
    """A chapter, given by results or by an app above them.

    Attributes
    ----------
    build : callable
        Makes the chapter from a basis; None leaves it out.
    state : callable
        JSON-ready: changes whenever the chapter would. What `basis.state` holds need not be repeated.
    position : int
        Chapters stand in this order.
    """

    build: Callable[[Basis], Section | None]
    position: int
    state: Callable[[Experiment], Any] = field(default=lambda experiment: None)
