"""A report as PDF. Loads ReportLab: only the report's job imports this."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import TimeStamp
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    PageBreak,
    PageTemplate,
    Paragraph,
    TableStyle,
)
from reportlab.platypus import Table as PlatypusTable
from reportlab.platypus.tableofcontents import TableOfContents

from webapp.results.reports.content import Block, Facts, Figure, Heading, Section, Table, Text
from webapp.results.reports.flowing import Placed, together
from webapp.results.reports.fonts import BOLD, REGULAR, UNKNOWN, printable, replaced, script

MARGIN = 18 * mm
WIDTH = A4[0] - 2 * MARGIN
ROOM = 45 * mm
"""What must be left on a page for a part of a chapter to begin on it."""
CHAPTER_ROOM = 60 * mm
INK, PALE, LINE, SOFT = (HexColor(colour) for colour in ("#1a2026", "#5a6671", "#d9dee2", "#f4f5f6"))
EVERYWHERE = (
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    # cells name a font even where a paragraph in them has its own, and fonts not embedded would be asked for
    ("FONTNAME", (0, 0), (-1, -1), REGULAR),
)
CLOSE = TableStyle(
    [
        *EVERYWHERE,
        *((f"{side}PADDING", (0, 0), (-1, -1), 0) for side in ("LEFT", "RIGHT")),
        *((f"{side}PADDING", (0, 0), (-1, -1), 1.4) for side in ("TOP", "BOTTOM")),
    ]
)
"""Lines of the list of contents, which stays on one page for a usual report."""
UNBROKEN = re.compile(r"\[[-+\u2212\d., ]+\]|\d %")
"""An interval and a percentage stay on one line."""
WARN, WARN_INK = HexColor("#fbeccf"), HexColor("#6f4200")


def _style(name: str, size: float, leading: float, **more: Any) -> ParagraphStyle:
    settings = {"fontName": REGULAR, "textColor": INK, "splitLongWords": 1} | more
    return ParagraphStyle(name, fontSize=size, leading=leading, **settings)


STYLES = {
    "title": _style("title", 20, 25, fontName=BOLD, spaceAfter=10),
    "chapter": _style("chapter", 14, 18, fontName=BOLD, spaceBefore=16, spaceAfter=7),
    "heading": _style("heading", 10, 13, fontName=BOLD, spaceBefore=11, spaceAfter=4),
    "lead": _style("lead", 11, 15.5, spaceAfter=7),
    "body": _style("body", 9, 13, spaceAfter=5),
    "note": _style("note", 8, 11.5, textColor=PALE, spaceAfter=5),
    "warning": _style(
        "warning",
        9.5,
        13.5,
        textColor=WARN_INK,
        backColor=WARN,
        borderPadding=(6, 8, 7, 8),
        spaceBefore=8,
        spaceAfter=14,
    ),
    "caption": _style("caption", 7, 9.6, textColor=PALE, spaceBefore=3, spaceAfter=9),
    "table caption": _style("table caption", 7, 9.6, textColor=PALE, spaceBefore=8, spaceAfter=3),
    "cell": _style("cell", 7.6, 10),
    "number": _style("number", 7.6, 10, alignment=TA_RIGHT),
    "head": _style("head", 7.2, 9.5, fontName=BOLD),
    "number head": _style("number head", 7.2, 9.5, fontName=BOLD, alignment=TA_RIGHT),
    "name": _style("name", 8.4, 11.5, textColor=PALE),
    "value": _style("value", 8.4, 11.5),
    "contents 0": _style("contents 0", 9.5, 15),
    "contents 1": _style("contents 1", 8, 12, leftIndent=14, textColor=PALE),
}


@dataclass(frozen=True)
class Imprint:
    """What stands in the metadata and at the foot of every page.

    Attributes
    ----------
    title, subject, foot : str
    author : str
        Account name of the person who asked for the report; no other name is written.
    keywords : str
        Hashes.
    created : datetime
        Of the request, so that the same report has the same bytes whenever it is made.
    """

    title: str
    subject: str
    foot: str
    author: str
    keywords: str
    created: datetime


@dataclass
class _Counters:
    tables: int = 0
    figures: int = 0
    chapters: int = 0
    anchors: int = field(default=0)


def write(sections: Sequence[Section], imprint: Imprint, path: Path) -> int:
    """Set the sections in type, the first as title page, and write the PDF.

    Returns
    -------
    int
        Number of pages.
    """
    document = _Document(str(path), imprint)
    contents = TableOfContents(
        levelStyles=[STYLES["contents 0"], STYLES["contents 1"]],
        tableStyle=CLOSE,
        dotsMinLevel=0,
        rightColumnWidth=30,
    )
    counters = _Counters()
    title, *chapters = sections
    blocks = (*title.blocks, *_changed_letters(sections))
    flow: list[Flowable] = [*_set(blocks, counters, [_anchored(title.title, "title", 0, counters)])]
    flow += [PageBreak(), Paragraph("Contents", STYLES["chapter"]), contents, PageBreak()]
    for section in chapters:
        counters.chapters += 1
        heading = _anchored(f"{counters.chapters} {section.title}", "chapter", 0, counters)
        flow += _set(section.blocks, counters, [heading])
    document.multiBuild(flow, canvasmaker=lambda *args, **kwargs: _Pages(*args, imprint=imprint, **kwargs))
    return int(document.page)


def _changed_letters(sections: Sequence[Section]) -> list[Text]:
    """A note where the font lacks a character of the report."""
    lacking = {one for words in _strings(sections) for one in replaced(words)}
    if not lacking:
        return []
    scripts = ", ".join(sorted({script(one) for one in lacking}, key=str.casefold))
    return [
        Text(
            f"Some names or texts have characters that the font of this report lacks ({scripts}). Such a letter stands "
            f"without its mark, any other as “{UNKNOWN}”. The pages and the exports have them as they were written.",
            "note",
        )
    ]


def _strings(part: Any) -> Iterator[str]:
    """Every string within sections, blocks and figures."""
    if isinstance(part, str):
        yield part
    elif is_dataclass(part):
        for one in fields(part):
            yield from _strings(getattr(part, one.name))
    elif isinstance(part, list | tuple):
        for one in part:
            yield from _strings(one)


def _set(blocks: Sequence[Block], counters: _Counters, headings: list[Paragraph]) -> Iterator[Flowable]:
    """Headings stay with what follows; a figure may stand after the tables that follow it up to the next heading."""
    place = 0
    while place < len(blocks):
        block = blocks[place]
        place += 1
        room = CHAPTER_ROOM if any(one.anchor[2] == 0 for one in headings) else ROOM
        if isinstance(block, Heading):
            headings = [*headings, _anchored(block.words, "heading", 1, counters)]
            continue
        if isinstance(block, Figure):
            counters.figures += 1
            caption = Paragraph(f"<b>Figure {counters.figures}.</b> {_marked(block.caption)}", STYLES["caption"])
            following = []
            while place < len(blocks) and not isinstance(after := blocks[place], Heading | Figure):
                following.append(together((), _block(after, counters), ROOM))
                place += 1
            yield Placed(headings, block, caption, following, WIDTH, room)
        else:
            yield from together(headings, _block(block, counters), room)
        headings = []
    yield from headings


def _block(block: Text | Facts | Table, counters: _Counters) -> list[Flowable]:
    if isinstance(block, Text):
        return [Paragraph(_marked(block.words), STYLES[block.kind])]
    if isinstance(block, Facts):
        return [_facts(block)]
    counters.tables += 1
    caption = f"<b>Table {counters.tables}.</b> {_marked(block.caption)}"
    return [Paragraph(caption, STYLES["table caption"]), _table(block)]


def _marked(words: str) -> str:
    return escape(UNBROKEN.sub(_joined, printable(words))).replace("\n", "<br/>")


def _joined(found: re.Match[str]) -> str:
    return found[0].replace(" ", "\u00a0")


def _anchored(words: str, style: str, level: int, counters: _Counters) -> Paragraph:
    counters.anchors += 1
    paragraph = Paragraph(_marked(words), STYLES[style])
    paragraph.anchor = (f"part-{counters.anchors}", words, level)
    return paragraph


def _facts(block: Facts) -> PlatypusTable:
    rows = [
        [Paragraph(_marked(name), STYLES["name"]), Paragraph(_marked(value), STYLES["value"])]
        for name, value in block.rows
    ]
    made = PlatypusTable(rows, colWidths=[0.24 * WIDTH, 0.76 * WIDTH], spaceBefore=2, spaceAfter=8)
    made.setStyle(
        TableStyle(
            [
                *EVERYWHERE,
                ("LEFTPADDING", (0, 0), (0, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
            ]
        )
    )
    return made


def _table(block: Table) -> PlatypusTable:
    shares = sum(share for _, share in block.columns)
    rows = [
        [
            Paragraph(_marked(words), STYLES["number head" if place in block.numeric else "head"])
            for place, (words, _) in enumerate(block.columns)
        ],
        *(
            [
                Paragraph(_marked(words), STYLES["number" if place in block.numeric else "cell"])
                for place, words in enumerate(row)
            ]
            for row in block.rows
        ),
    ]
    made = _Rows(rows, colWidths=[WIDTH * share / shares for _, share in block.columns], repeatRows=1, spaceAfter=10)
    made.setStyle(
        TableStyle(
            [
                *EVERYWHERE,
                ("BACKGROUND", (0, 0), (-1, 0), SOFT),
                ("LINEBELOW", (0, 0), (-1, 0), 0.8, PALE),
                ("LINEBELOW", (0, 1), (-1, -1), 0.3, LINE),
                ("LEFTPADDING", (0, 0), (-1, -1), 4),
                ("RIGHTPADDING", (0, 0), (-1, -1), 4),
                ("TOPPADDING", (0, 0), (-1, -1), 2.2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2.6),
            ]
        )
    )
    return made


class _Rows(PlatypusTable):
    """A table whose rows stay whole, but for one that is taller than a page."""

    def split(self, width: float, height: float) -> list[Flowable]:
        self.splitInRow = int(self._frame._atTop)
        parts: list[Flowable] = super().split(width, height)
        return parts


class _Document(BaseDocTemplate):
    """Pages with bookmarks for headings and entries in the list of contents."""

    def __init__(self, path: str, imprint: Imprint) -> None:
        super().__init__(
            path,
            pagesize=A4,
            title=imprint.title,
            author=imprint.author,
            subject=imprint.subject,
            keywords=imprint.keywords,
            creator="CEMLab",
            initialFontName=REGULAR,
            lang="en",
            invariant=1,
        )
        frame = Frame(MARGIN, 20 * mm, WIDTH, A4[1] - 20 * mm - MARGIN, leftPadding=0, rightPadding=0)
        self.addPageTemplates([PageTemplate("page", [frame])])

    def afterFlowable(self, flowable: Flowable) -> None:
        anchor = getattr(flowable, "anchor", None)
        if anchor is None:
            return
        key, words, level = anchor
        self.canv.bookmarkPage(key)
        self.canv.addOutlineEntry(words, key, level, closed=level == 0)
        self.notify("TOCEntry", (level, escape(printable(words)), self.page, key))


class _Pages(Canvas):
    """Writes "page x of y" once y is known, and the time of the request in place of the clock's."""

    def __init__(self, *args: Any, imprint: Imprint, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._imprint = imprint
        self._states: list[dict[str, Any]] = []
        stamp = TimeStamp(1)
        stamp.t = imprint.created.timestamp()
        stamp.lt = imprint.created.astimezone(UTC).timetuple()
        stamp.YMDhms = tuple(stamp.lt)[:6]
        self._doc._timeStamp = stamp

    def showPage(self) -> None:
        self._states.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        total = len(self._states)
        for number, state in enumerate(self._states, start=1):
            self.__dict__.update(state)
            self._foot(number, total)
            super().showPage()
        super().save()

    def _foot(self, number: int, total: int) -> None:
        self.setStrokeColor(LINE)
        self.setLineWidth(0.4)
        self.line(MARGIN, 15 * mm, A4[0] - MARGIN, 15 * mm)
        self.setFont(REGULAR, 7)
        self.setFillColor(PALE)
        self.drawString(MARGIN, 11 * mm, printable(self._imprint.foot))
        self.drawRightString(A4[0] - MARGIN, 11 * mm, f"Page {number} of {total}")
