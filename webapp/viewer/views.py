"""The case page and the JSON it draws from."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_safe

from imaging.errors import ImagingError
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.cases.models import Exam
from webapp.core import registry
from webapp.experiments.models import Run
from webapp.results.selectors import TEST_SETS
from webapp.viewer import layers, selectors, services, study
from webapp.viewer.bundle import bundle
from webapp.viewer.forms import LayerForm
from webapp.viewer.neighbours import list_query, neighbours

KEY_HINTS = [
    {"keys": ["E"], "text": "low energy or recombined, hold to peek"},
    {"keys": ["1", "2", "3"], "text": "layers"},
    {"keys": ["H", "D"], "text": "host, difference"},
    {"keys": ["O"], "text": "all layers off"},
    {"keys": ["G"], "text": "layout"},
    {"keys": ["W"], "text": "window"},
    {"keys": ["F"], "text": "fit"},
    {"keys": ["M"], "text": "ruler"},
    {"keys": ["Tab"], "text": "next lesion"},
    {"keys": ["N"], "text": "next case"},
]


def _chosen(request: HttpRequest, exam: Exam) -> tuple[Run | None, float]:
    """Run and score of the address.

    Raises
    ------
    Http404
        If the run is not a finished run of this project that looked at the case.
    """
    form = LayerForm(request.GET)
    if not form.is_valid():
        raise Http404("The address names no run or score that could be shown.")
    score = form.cleaned_data["score"] or 0.0
    number = form.cleaned_data["run"]
    if number is None:
        return None, score
    run = selectors.runs_for(exam).filter(pk=number).first()
    if run is None:
        raise Http404("No such run for this case.")
    return run, score


@require_safe
@project_page()
def case(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """One exam in the viewer, with everything known about it beside the images."""
    exam = selectors.exam_or_404(project, number)
    run, _ = _chosen(request, exam)
    assert isinstance(request.user, User)
    services.record_opening(actor=request.user, exam=exam, session=request.session)
    kept = list_query(request.GET)
    query = f"?{kept.urlencode()}" if kept else ""
    around = neighbours(request.user, project, exam, kept)

    def address(other: int | None) -> str:
        return reverse("viewer:case", args=[project.slug, other]) + query if other is not None else ""

    return render(
        request,
        "viewer/case.html",
        {
            "exam": exam,
            "bundle": bundle(),
            "splits": selectors.newest_splits(exam),
            "runs": selectors.runs_for(exam),
            "locked": selectors.locked_experiments(exam),
            "test_sets": TEST_SETS,
            "run": run,
            "neighbours": around,
            "previous_url": address(around.previous),
            "next_url": address(around.following),
            "cases_query": query,
            "panels": _panels(request, project, exam),
            "hints": KEY_HINTS,
            "pictures": [
                {"url": reverse("viewer:rendered", args=[project.slug, image.pk]), "label": str(image)}
                for view in selectors.acquired(exam)
                for image in view.images.all()
            ],
        },
    )


@require_safe
@project_page()
def study_json(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Views, images, geometry and windows of the case."""
    exam = selectors.exam_or_404(project, number)
    try:
        content = study.study(project, exam)
    except (ImagingError, FileNotFoundError) as error:
        reason = str(error) if isinstance(error, ImagingError) else "An image file is not in the data folder any more."
        return JsonResponse({"error": f"This case cannot be hung. {reason}"}, status=422)
    return _private(JsonResponse(content))


@require_safe
@project_page()
def layers_json(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Annotation, synthetic and prediction layers of the case; predictions on a test set count as a look at it."""
    exam = selectors.exam_or_404(project, number)
    run, score = _chosen(request, exam)
    split = selectors.split_in(run, exam) if run is not None else None
    if run is not None and split in TEST_SETS:
        assert isinstance(request.user, User)
        services.record_predictions(actor=request.user, run=run, test_set=split, session=request.session)
    return _private(JsonResponse(layers.layers(exam, run=run, score=score)))


def _private(response: HttpResponse) -> HttpResponse:
    """Layers and studies change: the browser may not keep them."""
    response["Cache-Control"] = "private, no-store"
    return response


def _panels(request: HttpRequest, project: Project, exam: Exam) -> list[str]:
    """Panels of the case page that apps above registered."""
    rendered: list[str] = []
    for panel in sorted(registry.case_panels.values(), key=lambda panel: panel.position):
        context: dict[str, Any] | None = panel.context(request, project, exam)
        if context is not None:
            rendered.append(render_to_string(panel.template, {"project": project, "exam": exam, **context}, request))
    return rendered
