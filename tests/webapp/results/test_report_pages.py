"""Pages of the report: figures and tables fill them, nothing is cut off, and every letter leaves a trace."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pypdfium2
import pytest

from webapp.results.reports.content import Axis, Bars, Block, Figure, Heading, Plot, Section, Series, Table, Text
from webapp.results.reports.fonts import printable, replaced
from webapp.results.reports.typesetting import Imprint, write

LINE = Series("an arm of real data", ((0.0, 0.0), (1.0, 1.0)))
PLOT = Plot("A plot", Axis("across", 0, 1), Axis("up", 0, 1), (LINE,))
ODD = "Ελένη Śłąsk, 中文, عربي, 🙂"


def figure(rows: int, words: str = "The figure.") -> Figure:
    return Figure((PLOT,) * rows, words, height=150, across=1)


def table(rows: int, words: str = "A table.") -> Table:
    return Table((("Name", 0.5), ("Number", 0.5)), tuple((f"row {number}", "1") for number in range(rows)), words)


def pages(tmp_path: Path, *blocks: Block, title: str = "A chapter") -> list[str]:
    """Words of every page behind the title page and the list of contents."""
    path = tmp_path / "report.pdf"
    imprint = Imprint(title, "subject", "foot", "ada", "hashes", datetime(2026, 3, 4, 5, 6, tzinfo=UTC))
    count = write([Section("Title", (Text("Begin."),)), Section(title, blocks)], imprint, path)
    document = pypdfium2.PdfDocument(path)
    found = [page.get_textpage().get_text_bounded().replace("\r\n", " ") for page in document]
    for page in document:
        width, height = page.get_size()
        for thing in page.get_objects(max_depth=6):
            left, bottom, right, top = thing.get_bounds()
            assert left >= -1 and bottom >= -1 and right <= width + 1 and top <= height + 1
    document.close()
    assert len(found) == count
    return found[2:]


def place(found: list[str], words: str) -> int:
    (at,) = [number for number, page in enumerate(found) if words in page]
    return at


def test_a_figure_is_made_smaller_where_little_is_missing(tmp_path: Path) -> None:
    # 23 rows leave less than the 450 points of the plots, and more than the least share of them
    for rows, at in ((5, 0), (14, 0), (23, 1)):
        found = pages(tmp_path, table(rows), Heading("A part"), figure(3))
        assert place(found, "The figure.") == place(found, "A part") == at, rows


def test_what_follows_goes_before_a_figure_that_does_not_fit(tmp_path: Path) -> None:
    found = pages(tmp_path, table(20), Heading("A part"), figure(4), table(6, "Another."), Heading("The next"))

    assert place(found, "A part") == place(found, "Another.") == 0
    assert place(found, "The figure.") == place(found, "The next") == 1


def test_a_figure_stays_before_the_next_heading(tmp_path: Path) -> None:
    found = pages(tmp_path, table(20), figure(4), Heading("The next"), table(6, "Another."))

    assert place(found, "The figure.") <= place(found, "The next")
    assert found[place(found, "The next")].index("The next") < found[place(found, "Another.")].index("Another.")


def test_a_figure_that_is_too_tall_for_a_page_is_made_to_fit(tmp_path: Path) -> None:
    many = Figure(
        (Bars("All runs", "views", tuple(f"run {n}" for n in range(60)), ("a",), ((3,),) * 60),), "Bars.", 1500
    )

    found = pages(tmp_path, Heading("A part"), many)

    assert len(found) == 1 and "run 0" in found[0] and "run 59" in found[0] and "Bars." in found[0]


def test_long_names_are_cut_off_within_the_figure(tmp_path: Path) -> None:
    series = tuple(Series(f"arm {number} " + "with a long name " * 12, LINE.points) for number in range(3))
    plot = Plot("A plot", Axis("across", 0, 1), Axis("up", -0.5, 0.5, places=("a place " * 40,)), series)

    (found,) = pages(tmp_path, Figure((plot,) * 3, "The figure."))

    assert found.count("…") == 3 + 3


def test_headers_come_again_on_every_page_and_once(tmp_path: Path) -> None:
    tall = Table((("Topic", 0.3), ("Said", 0.7)), (("a", "word " * 60), ("b", "word " * 1500), ("c", "word")), "Tall.")

    found = pages(tmp_path, table(20), tall, table(150, "Long."))

    assert len(found) >= 6
    assert all(len(re.findall("Topic Said", page)) <= 1 for page in found)
    assert all("Name Number" in page for page in found[place(found, "Long.") :])


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (ODD, "????? Słask, ??, ????, ?"),
        ("e\u0301, Žižek, Øre, ß", "é, Žižek, Øre, ß"),
        ("Ж − ≥ µ č\u202f1", "? − ≥ µ č\u00a01"),
    ],
)
def test_letters_the_font_lacks_are_replaced_in_sight(words: str, printed: str) -> None:
    assert printable(words) == printed
    assert bool(replaced(words)) == (words is ODD or "Ж" in words)


def test_a_note_says_which_letters_are_missing_and_bookmarks_have_them(tmp_path: Path) -> None:
    pages(tmp_path, Text(ODD), title=ODD)
    document = pypdfium2.PdfDocument(tmp_path / "report.pdf")
    first = document[0].get_textpage().get_text_bounded().replace("\r\n", " ")

    assert "lacks (Arabic, CJK, Greek, Latin, symbols)" in first
    assert document.get_metadata_dict()["Title"] == ODD
    assert [mark.get_title() for mark in document.get_toc()] == ["Title", f"1 {ODD}"]
    document.close()
    pages(tmp_path, Text("Nothing odd: č, µ, −."))
    document = pypdfium2.PdfDocument(tmp_path / "report.pdf")
    assert "lacks" not in document[0].get_textpage().get_text_bounded()
    document.close()


def test_every_font_is_embedded(tmp_path: Path) -> None:
    pages(tmp_path, Heading("A part"), figure(1), table(3), Text("Words."))

    fonts = set(re.findall(rb"/BaseFont /([^ \n]+)", (tmp_path / "report.pdf").read_bytes()))

    assert fonts and all(re.fullmatch(rb"[A-Z]{6}\+.+", name) for name in fonts), fonts
