"""Figures that take what is left of a page: smaller, or after the table that follows. Loads ReportLab."""

from __future__ import annotations

from collections.abc import Sequence

from reportlab.graphics import renderPDF
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, PageBreak, Paragraph
from reportlab.platypus.doctemplate import NullActionFlowable

from webapp.results.reports.content import Figure
from webapp.results.reports.drawing import drawing, heights

LEAST = 0.72
"""Of the height of the plots, where a figure is made smaller so that it fits on the page that is begun."""
APART = 6.0
"""Space above a figure, in points."""
SLACK = 2.0


class Picture(Flowable):
    """A drawing above its caption."""

    def __init__(self, figure: Figure, caption: Paragraph, width: float, scale: float) -> None:
        super().__init__()
        self._made = drawing(figure, width, scale)
        self._caption = caption
        self.width, self.height = width, self._made.height

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        _, self._below = self._caption.wrap(width, height)
        return self.width, self.height + self._below + self._caption.getSpaceBefore()

    def getSpaceBefore(self) -> float:
        return APART

    def getSpaceAfter(self) -> float:
        return float(self._caption.getSpaceAfter())

    def draw(self) -> None:
        self._caption.drawOn(self.canv, 0, 0)
        renderPDF.draw(self._made, self.canv, 0, self._below + self._caption.getSpaceBefore())


class Placed(Flowable):
    """A figure under its headings, with the tables and paragraphs that may go before it.

    On what is left of a page the figure stands first, made smaller down to `LEAST`. Where that is not enough, what
    follows fills the page, and the figure is tried again after it. On an empty page it is as small as it must be.

    Parameters
    ----------
    headings : sequence of Paragraph
        Stay with what comes first.
    figure : Figure
    caption : Paragraph
    following : sequence of sequences of Flowable
        Blocks of the same part, each with its caption.
    width, room : float
        Of the text, and the least height in which a following block begins, in points.
    """

    def __init__(
        self,
        headings: Sequence[Paragraph],
        figure: Figure,
        caption: Paragraph,
        following: Sequence[Sequence[Flowable]],
        width: float,
        room: float,
    ) -> None:
        super().__init__()
        self._headings, self._following = list(headings), [list(block) for block in following]
        self._figure, self._caption = figure, caption
        self._width, self._room = width, room

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        # taller than any page: the frame then asks for the parts, as with ReportLab's KeepTogether
        return width, float(0xFFFFFF)

    def split(self, width: float, height: float) -> list[Flowable]:
        left = height - sum(_tall(one, width) for one in self._headings)
        scale = self._scale(width, left)
        empty = self._frame._atTop
        # the frame takes parts up again one by one only behind an action
        parts: list[Flowable] = [NullActionFlowable()]
        if scale >= LEAST or empty:
            picture = Picture(self._figure, self._caption, self._width, scale)
            return [*parts, *self._headings, picture, *(one for block in self._following for one in block)]
        if self._following and left >= self._room:
            first, *others = self._following
            later = Placed((), self._figure, self._caption, others, self._width, self._room)
            return [*parts, *self._headings, *first, later]
        return [*parts, PageBreak(), self]

    def _scale(self, width: float, left: float) -> float:
        """At most 1; how much of their height the plots can have."""
        plots, rest = heights(self._figure, self._width)
        return min(1.0, (left - rest - APART - SLACK - _tall(self._caption, width)) / plots)


def _tall(paragraph: Paragraph, width: float) -> float:
    return float(paragraph.wrap(width, 0xFFFFFF)[1] + paragraph.getSpaceBefore() + paragraph.getSpaceAfter())


def together(headings: Sequence[Paragraph], block: Sequence[Flowable], room: float) -> list[Flowable]:
    """Headings and the block below them, which may run over pages but begins with `room` points below the headings."""
    if len(block) == 1 and isinstance(block[0], Paragraph):
        return [KeepTogether([*headings, *block])] if headings else list(block)
    return [CondPageBreak(room), *headings, *block]
