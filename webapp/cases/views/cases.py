"""The list of cases, its preview and its export."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from webapp.accounts import permissions
from webapp.accounts.models import Project
from webapp.accounts.project_pages import project_page
from webapp.cases import matrix
from webapp.cases.listing import Listing, filtered_exams, listing
from webapp.cases.models import Image, ImageKind
from webapp.cases.rows import exam_markup, matrix_markup, rows_of, state_markup, thumbnail_url
from webapp.cases.selectors import exams_of
from webapp.core import audit
from webapp.core.registry import case_columns, selection_actions

PAGE_SIZE = 50
_HINTS = [
    {"keys": ["J", "K"], "text": "next, previous"},
    {"keys": ["X"], "text": "select"},
    {"keys": ["Space"], "text": "preview"},
    {"keys": ["E"], "text": "low energy or recombined"},
    {"keys": ["L"], "text": "table or images"},
]


class KnownCount(Paginator):
    """A paginator that was told the count, so that the database is not asked again."""

    def __init__(self, found: Listing) -> None:
        super().__init__(found.exams.select_related("patient__site"), PAGE_SIZE)
        self._known = found.count

    @property
    def count(self) -> int:
        """Exams in the list."""
        return self._known


def _kind(request: HttpRequest) -> str:
    kind = request.GET.get("kind", "")
    return kind if kind in ImageKind.values else ImageKind.LOW_ENERGY.value


@require_GET
@project_page()
def case_list(request: HttpRequest, project: Project) -> HttpResponse:
    """Table or images with facets; htmx swaps everything but the frame."""
    found = listing(request.user, project, request.GET)
    page = KnownCount(found).get_page(request.GET.get("page"))
    kind = _kind(request)
    grid = request.GET.get("layout") == "images"
    exams = list(page.object_list)
    role: str = request.role  # type: ignore[attr-defined]
    query = request.GET.urlencode()
    chips = found.chips()
    context: dict[str, Any] = {
        "listing": found,
        "page": page,
        "rows": rows_of(project, exams, kind=kind, suffix=f"?{query}" if query else "", grid=grid),
        "facets": found.facets(),
        "chips": chips,
        "kind": kind,
        "other_kind": found.address(kind="" if kind != ImageKind.LOW_ENERGY.value else ImageKind.RECOMBINED.value),
        "kinds": _kind_options(found, kind),
        "layouts": _layout_options(found, grid),
        "grid": grid,
        "column_labels": [column.label for column in case_columns.values()],
        "drawn_labels": [name.capitalize() for name in exam_markup.providers],
        "actions": [action for action in selection_actions.values() if action.visible(role)],
        "hints": _HINTS,
        "query": query,
        "is_curator": permissions.role_may(role, permissions.CURATE),
        "no_exam_at_all": found.count == 0 and not chips,
    }
    whole = not request.htmx or request.htmx.history_restore_request  # type: ignore[attr-defined]
    response = render(request, "cases/list.html" if whole else "cases/results.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _kind_options(found: Listing, kind: str) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "url": found.address(kind="" if value == ImageKind.LOW_ENERGY.value else value),
            "active": value == kind,
        }
        for value, label in ImageKind.choices
    ]


def _layout_options(found: Listing, grid: bool) -> list[dict[str, Any]]:
    return [
        {"label": "Table", "icon": "table", "url": found.address(layout=""), "active": not grid},
        {"label": "Images", "icon": "cases", "url": found.address(layout="images"), "active": grid},
    ]


@require_GET
@project_page()
def search(request: HttpRequest, project: Project) -> HttpResponse:
    """The search field of every page: straight to the case when there is only one, else the list."""
    words = request.GET.get("q", "").strip()
    query = QueryDict(mutable=True)
    query["q"] = words
    base = reverse("cases:list", args=[project.slug])
    numbers = list(filtered_exams(request.user, project, query).values_list("number", flat=True)[:50]) if words else []
    exact = [number for number in numbers if str(number) == words]
    if exact or len(numbers) == 1:
        return redirect(f"{base}{(exact or numbers)[0]}/")
    return redirect(f"{base}?{query.urlencode()}")


@require_GET
@project_page()
def preview(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """The four views of one exam and its facts, for the pane beside the list."""
    exam = exams_of(request.user, project).select_related("patient__site").filter(number=number).first()
    if exam is None:
        raise Http404("No such case.")
    kind = _kind(request)
    images = {
        (image.view.laterality, image.view.position): thumbnail_url(project, image.pk)
        for image in Image.objects.filter(view__exam=exam, view__variant=0, kind=kind).select_related("view")
    }
    context = {
        "exam": exam,
        "kind_word": matrix.KIND_WORDS[kind],
        "views": [(f"{side} {position}", images.get((side, position), "")) for side, position in matrix.VIEWS],
        "matrix": matrix_markup(exam.cells),
        "state": state_markup(exam.complete, exam.needs_look),
        "drawn": [(name.capitalize(), draw(exam)) for name, draw in exam_markup.providers.items()],
        "columns": [
            (column.label, column.values(project, [exam.pk]).get(exam.pk, [])) for column in case_columns.values()
        ],
        "case_url": f"{reverse('cases:list', args=[project.slug])}{exam.number}/",
    }
    return render(request, "cases/preview.html", context)


class _Line:
    """What csv.writer writes to: hands each line on."""

    def write(self, line: str) -> str:
        """Return the line instead of keeping it."""
        return line


@require_GET
@project_page()
def export(request: HttpRequest, project: Project) -> HttpResponse:
    """The filtered list as CSV: pseudonyms and facts, no identifiers."""
    found = listing(request.user, project, request.GET)
    audit.record(
        actor=request.user, action="cases.export", project=project, name="cases", filters=request.GET.urlencode()
    )
    response = HttpResponse("".join(_csv(project, found)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-cases.csv"'
    return response


def _csv(project: Project, found: Listing) -> Iterator[str]:
    writer = csv.writer(_Line())
    columns = case_columns.values()
    yield writer.writerow(
        ["case", "patient", "site", "age", "date", "origin", "complete", "images", *(one.label for one in columns)]
    )
    exams = found.exams.select_related("patient__site").iterator(chunk_size=500)
    batch: list[Any] = []
    for exam in exams:
        batch.append(exam)
        if len(batch) == 500:
            yield from _csv_lines(writer, project, batch, columns)
            batch = []
    yield from _csv_lines(writer, project, batch, columns)


def _csv_lines(writer: Any, project: Project, exams: list[Any], columns: list[Any]) -> Iterator[str]:
    extra = [column.values(project, [exam.pk for exam in exams]) for column in columns]
    for exam in exams:
        yield writer.writerow(
            [
                exam.number,
                exam.patient.pseudonym,
                exam.patient.site.code,
                exam.patient.age if exam.patient.age is not None else "",
                exam.date or "",
                exam.origin,
                "yes" if exam.complete else "no",
                f"{exam.cells:08b}"[::-1],
                *("; ".join(values.get(exam.pk, [])) for values in extra),
            ]
        )
