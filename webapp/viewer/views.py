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
from webapp.registry.models import ModelApplication
from webapp.registry.selectors import applications_on
from webapp.results.selectors import TEST_SETS
from webapp.results.services import record_part
from webapp.viewer import finder, layers, selectors, services, study
from webapp.viewer.bundle import bundle
from webapp.viewer.neighbours import (
    BEHIND,
    FINDER,
    Stop,
    cases_behind,
    list_query,
    neighbours,
    neighbours_behind,
)

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


@require_safe
@project_page()
def case(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """One exam in the viewer, with everything known about it beside the images."""
    exam = selectors.exam_or_404(project, number)
    assert isinstance(request.user, User)
    found = finder.finder(request.GET, exam, request.user)
    services.record_opening(actor=request.user, exam=exam, session=request.session)
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
            "finder": found.shown,
            "absent": found.absent,
            **_way(request, project, exam),
            "panels": _panels(request, project, exam),
            "hints": KEY_HINTS,
            "pictures": [
                {"url": reverse("viewer:rendered", args=[project.slug, image.pk]), "label": str(image)}
                for view in selectors.acquired(exam)
                for image in view.images.all()
            ],
        },
    )


def _way(request: HttpRequest, project: Project, exam: Exam) -> dict[str, Any]:
    """The list the case stands in: where, what comes before and after, and the way back."""
    assert isinstance(request.user, User)
    query = list_query(request.GET)
    behind = cases_behind(request.user, project, str(query[BEHIND])) if BEHIND in query else None
    if behind is None:
        around = neighbours(request.user, project, exam, query)
        back = reverse("cases:list", args=[project.slug]) + (f"?{query.urlencode()}" if query else "")
    else:
        record_part(actor=request.user, experiment=behind.experiment, part="cases in the viewer")
        around = neighbours_behind(behind, exam, request.GET.get("focus", ""))
        back = f"{reverse('results:cases', args=[project.slug, behind.experiment.number])}?{behind.query}"

    def address(stop: Stop | None) -> str:
        if stop is None:
            return ""
        onwards = query.copy()
        for name in FINDER:
            if value := request.GET.get(name):
                onwards[name] = value
        if stop.focus:
            onwards["focus"] = stop.focus
        return reverse("viewer:case", args=[project.slug, stop.number]) + (f"?{onwards.urlencode()}" if onwards else "")

    following = around.following
    return {
        "neighbours": around,
        "behind": behind,
        "back_url": back,
        "previous_url": address(around.previous),
        "next_url": address(following),
        # another lesion of the same case needs no other images
        "next_study": reverse("viewer:study", args=[project.slug, following.number])
        if following and following.number != exam.number
        else "",
    }


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
    assert isinstance(request.user, User)
    found = finder.finder(request.GET, exam, request.user)
    if found.absent is not None:
        raise Http404(found.absent.words)
    shown = found.shown
    run = shown.model.run if isinstance(shown, ModelApplication) else shown
    split = selectors.split_in(run, exam) if run is not None else None
    if run is not None and split in TEST_SETS:
        services.record_predictions(actor=request.user, run=run, test_set=split, session=request.session)
    if isinstance(shown, ModelApplication):
        return _private(JsonResponse(layers.layers(exam, application=shown, score=found.score)))
    return _private(JsonResponse(layers.layers(exam, run=shown, score=found.score)))


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
