"""One page of the cases list, ready for its template: few queries, and markup that repeats is made once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import Any, TypedDict

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from webapp.accounts.models import Project
from webapp.cases import matrix
from webapp.cases.models import Exam, Image
from webapp.core.registry import Registry, case_columns
from webapp.core.templatetags.cemlab import status_chip

STRIP, QUAD = (36, 52), (72, 104)
"""Width and height of a picture in the table and in the image grid, in CSS pixels."""
_PICTURE = '<img src="{}" alt="{}" loading="lazy" width="{}" height="{}" data-thumbnail>'

exam_markup: Registry[Any] = Registry("cells of the cases table that a higher app draws from the exam's own columns")


class Row(TypedDict):
    """One exam of the list, as words and markup.

    A dictionary and not an object: templates look for a key first, and fifty rows of misses were half the page.
    """

    number: str
    date: date | None
    patient: str
    site: str
    age: int | None
    url: str
    preview_url: str
    pictures: SafeString
    matrix: SafeString
    state: SafeString
    drawn: list[SafeString]
    columns: list[str]


def rows_of(project: Project, exams: list[Exam], *, kind: str, suffix: str, grid: bool = False) -> list[Row]:
    """Rows for exams that were loaded with patient and site.

    Parameters
    ----------
    kind : str
        Image kind of the small pictures.
    suffix : str
        Query that keeps the reader's place when a case is opened, such as ``"?site=A"``.
    grid : bool
        Whether the pictures are the larger ones of the image grid.
    """
    numbers = [exam.pk for exam in exams]
    thumbs = _thumbnails(numbers, kind)
    extra = [column.values(project, numbers) for column in case_columns.values()]
    base = reverse("cases:list", args=[project.slug])
    width, height = QUAD if grid else STRIP
    pictures = _Pictures(project, width=width, height=height)
    return [
        Row(
            number=str(exam.number),
            date=exam.date,
            patient=exam.patient.pseudonym,
            site=exam.patient.site.code,
            age=exam.patient.age,
            url=f"{base}{exam.number}/{suffix}",
            preview_url=f"{base}{exam.number}/preview/?kind={kind}",
            pictures=pictures.markup(thumbs[exam.pk]),
            matrix=matrix_markup(exam.cells),
            state=state_markup(exam.complete, exam.needs_look),
            drawn=[draw(exam) for draw in exam_markup.values()],
            columns=[", ".join(values.get(exam.pk, [])) for values in extra],
        )
        for exam in exams
    ]


class _Pictures:
    """The four views of an exam side by side; a view without a picture says that it is missing.

    Addresses and markup are made once for the page and the image's number is put in: `reverse` and escaping, two
    hundred times, would be most of the page's cost.
    """

    def __init__(self, project: Project, *, width: int, height: int) -> None:
        address = thumbnail_url(project, 0)
        self._halves = {
            view: format_html(_PICTURE, address, " ".join(view), width, height).rpartition("/0/")
            for view in matrix.VIEWS
        }

    def markup(self, images: dict[tuple[str, str], int]) -> SafeString:
        """Pictures of the images (primary keys) by laterality and position."""
        parts = []
        for view, (before, _, after) in self._halves.items():
            image = images.get(view)
            parts.append(f"{before}/{image:d}/{after}" if image is not None else _missing_markup(" ".join(view)))
        return SafeString("".join(parts))


@lru_cache(maxsize=len(matrix.VIEWS))
def _missing_markup(label: str) -> SafeString:
    words = f"{label} is missing"
    return format_html(
        '<span class="thumbnail-missing" title="{}"><span class="visually-hidden">{}</span></span>', words, words
    )


def thumbnail_url(project: Project, image_id: int) -> str:
    """Address of an image's small picture."""
    return reverse("cases:thumbnail", args=[project.slug, image_id])


@lru_cache(maxsize=matrix.ALL + 1)
def matrix_markup(cells: int) -> SafeString:
    """The eight squares of an exam."""
    present = bin(cells & matrix.ALL).count("1")
    return render_to_string(
        "components/image_matrix.html", {"cells": matrix.drawn(cells), "summary": f"{present} of 8 images"}
    )


@lru_cache(maxsize=4)
def state_markup(complete: bool, needs_look: bool) -> SafeString:
    """Complete, incomplete, or needs a look, as a chip."""
    state = "incomplete" if not complete else "needs_look" if needs_look else "complete"
    return render_to_string("components/status_chip.html", status_chip(state))


def _thumbnails(exam_ids: Iterable[int], kind: str) -> dict[int, dict[tuple[str, str], int]]:
    """Images that have a small picture: exam → laterality and position → image."""
    found: dict[int, dict[tuple[str, str], int]] = defaultdict(dict)
    images = Image.objects.filter(view__exam_id__in=list(exam_ids), view__variant=0, kind=kind).exclude(thumbnail="")
    for image_id, exam_id, laterality, position in images.values_list(
        "pk", "view__exam_id", "view__laterality", "view__position"
    ).order_by():
        found[exam_id][laterality, position] = image_id
    return found
