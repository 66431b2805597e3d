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
from webapp.registry.models import ModelApplication
from webapp.registry.selectors import applications_on
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


def _chosen(request: HttpRequest, exam: Exam) -> tuple[Run | ModelApplication | None, float]:
    """Run or application, and score, of the address.

    Raises
    ------
    Http404
        If the run is not a finished run of this project that looked at the case, the application did not, or both
        are named.
    """
    form = LayerForm(request.GET)
    if not form.is_valid():
        raise Http404("The address names no run, application or score that could be shown.")
    score = form.cleaned_data["score"] or 0.0
    number, application = form.cleaned_data["run"], form.cleaned_data["application"]
    if number is None and application is None:
        return None, score
    if number is not None and application is not None:
        raise Http404("The address names both a run and an application.")
    finder: Run | ModelApplication | None
    if number is not None:
        finder = selectors.runs_for(exam).filter(pk=number).first()
    else:
        finder = applications_on(exam).filter(number=application).first()
    if finder is None:
        raise Http404("No such run or application for this case.")
    return finder, score


@require_safe
@project_page()
def case(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """One exam in the viewer, with everything known about it beside the images."""
    exam = selectors.exam_or_404(project, number)
    finder, _ = _chosen(request, exam)
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
            "applications": applications_on(exam),
            "finder": finder,
            "neighbours": around,
            "previous_url": address(around.previous),
            "next_url": address(around.following),
            "next_study": reverse("viewer:study", args=[project.slug, around.following]) if around.following else "",
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
    finder, score = _chosen(request, exam)
    run = finder.model.run if isinstance(finder, ModelApplication) else finder
    split = selectors.split_in(run, exam) if run is not None else None
    if run is not None and split in TEST_SETS:
        assert isinstance(request.user, User)
        services.record_predictions(actor=request.user, run=run, test_set=split, session=request.session)
    shown = (
        layers.layers(exam, application=finder, score=score)
        if isinstance(finder, ModelApplication)
        else layers.layers(exam, run=finder, score=score)
    )
    return _private(JsonResponse(shown))


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
