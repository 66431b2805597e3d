"""One page of the cases list, ready for its template: few queries, and markup that repeats is made once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from webapp.accounts.models import Project
from webapp.cases import matrix
from webapp.cases.models import Exam, Image
from webapp.core.registry import Registry, case_columns
from webapp.core.templatetags.cemlab import status_chip

exam_markup: Registry[Any] = Registry("cells of the cases table that a higher app draws from the exam's own columns")


@dataclass(frozen=True)
class Thumb:
    """One small picture; `url` is empty where the image is not stored."""

    label: str
    url: str


@dataclass(frozen=True)
class Row:
    """One exam of the list."""

    exam: Exam
    url: str
    preview_url: str
    views: list[Thumb]
    matrix: SafeString
    state: SafeString
    drawn: list[SafeString]
    columns: list[list[str]]


def rows_of(project: Project, exams: list[Exam], *, kind: str, suffix: str) -> list[Row]:
    """Rows for exams that were loaded with patient and site.

    Parameters
    ----------
    kind : str
        Image kind of the small pictures.
    suffix : str
        Query that keeps the reader's place when a case is opened, such as ``"?site=A"``.
    """
    numbers = [exam.pk for exam in exams]
    thumbs = _thumbnails(project, numbers, kind)
    extra = [column.values(project, numbers) for column in case_columns.values()]
    base = reverse("cases:list", args=[project.slug])
    return [
        Row(
            exam=exam,
            url=f"{base}{exam.number}/{suffix}",
            preview_url=f"{base}{exam.number}/preview/?kind={kind}",
            views=[
                Thumb(f"{laterality} {position}", thumbs[exam.pk].get((laterality, position), ""))
                for laterality, position in matrix.VIEWS
            ],
            matrix=matrix_markup(exam.cells),
            state=state_markup(exam.complete, exam.needs_look),
            drawn=[draw(exam) for draw in exam_markup.values()],
            columns=[values.get(exam.pk, []) for values in extra],
        )
        for exam in exams
    ]


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


def _thumbnails(project: Project, exam_ids: Iterable[int], kind: str) -> dict[int, dict[tuple[str, str], str]]:
    found: dict[int, dict[tuple[str, str], str]] = defaultdict(dict)
    images = Image.objects.filter(view__exam_id__in=list(exam_ids), view__variant=0, kind=kind).exclude(thumbnail="")
    # One reverse() for the page: its cost, two hundred times, would be most of the page's.
    pattern = thumbnail_url(project, 0)
    for image_id, exam_id, laterality, position in images.values_list(
        "pk", "view__exam_id", "view__laterality", "view__position"
    ).order_by():
        found[exam_id][laterality, position] = pattern.replace("/0/", f"/{image_id}/")
    return found
