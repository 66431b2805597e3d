"""One item in the viewer: look, reveal, reason. What is not revealed is not on the page and not fetched."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.core.errors import UserError
from webapp.experiments.models import Prediction
from webapp.results.opening import experiment_or_404, locked
from webapp.reviews import selectors, services
from webapp.reviews.forms import AnswerForm, StretchForm
from webapp.reviews.models import Answer, ReviewItem
from webapp.reviews.views import source, title
from webapp.viewer import layers
from webapp.viewer import selectors as viewer
from webapp.viewer.bundle import bundle

HINTS = [
    {"keys": ["R"], "text": "reveal"},
    {"keys": ["1", "–", "9", "0"], "text": "reason"},
    {"keys": ["C"], "text": "note"},
    {"keys": ["N"], "text": "next"},
    {"keys": ["S"], "text": "skip"},
    {"keys": ["U"], "text": "take back"},
    {"keys": ["V"], "text": "hide what was revealed"},
    {"keys": ["E"], "text": "low energy or recombined"},
    {"keys": ["B"], "text": "other breast"},
    {"keys": ["G"], "text": "layout"},
]
MISSED = {
    "no overlap": "missed: no finding overlaps it enough",
    "low score": "missed: the finding on it has too low a score",
    "wrong class": "missed: the finding on it has the wrong class",
    "outside top": "missed: the finding on it is not among the best of the image",
    "finding taken": "missed: the finding on it was counted for another lesion",
}
"""What the evaluation says of a missed lesion, in the words of the page."""
FALSE = {
    "no overlap": "false: on no lesion",
    "wrong class": "false: on a lesion of another class",
}
"""The same of a false finding."""
EMPTY: dict[str, Any] = {"schema": layers.SCHEMA, "views": {}, "lesions": [], "findings": [], "run": None}
KEYS = "1234567890"


def refusals_as_text(view: Any) -> Any:
    """A service's refusal as 409 with its sentence, which the page shows where it happened."""

    @wraps(view)
    def answered(*args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response: HttpResponseBase = view(*args, **kwargs)
        except UserError as error:
            return HttpResponse(str(error), status=409, content_type="text/plain; charset=utf-8")
        return response

    return answered


def locked_as_page(view: Any) -> Any:
    """Where runs of the experiment are open, the page that says so in place of the one asked for."""

    @wraps(view)
    def answered(request: HttpRequest, project: Project, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response: HttpResponseBase = view(request, project, *args, **kwargs)
        except services.LockedTestSets as error:
            response = locked(request, experiment_or_404(request, project, error.experiment.number))
            response.status_code = 409
        return response

    return answered


def _item(request: HttpRequest, project: Project, number: int, position: int) -> ReviewItem:
    return selectors.item_or_404(selectors.queue_or_404(request.user, project, number), position)


@require_safe
@project_page(permissions.REVIEW)
@locked_as_page
def item(request: HttpRequest, project: Project, number: int, position: int) -> HttpResponse:
    """`<project>/review/<queue>/<position>/`: the images, and what the reader did so far."""
    assert isinstance(request.user, User)
    found = _item(request, project, number, position)
    exam = viewer.exam_or_404(project, found.view.exam.number)
    services.open_item(actor=request.user, item=found, session=request.session)
    reading = _reading(found, request.user)
    return render(
        request,
        "reviews/item.html",
        {
            "exam": exam,
            "bundle": bundle(),
            "queue_title": title(found.queue),
            "source": source(found.queue),
            "hints": HINTS,
            "pictures": [
                {"url": reverse("viewer:rendered", args=[project.slug, image.pk]), "label": str(image)}
                for view in viewer.acquired(exam)
                for image in view.images.all()
            ],
            "next_study": _next_study(found, reading["progress"].following),
            **reading,
        },
    )


def _next_study(item: ReviewItem, following: int | None) -> str:
    """Where the images of the next case are described; nothing where the next item lies in this case."""
    if following is None:
        return ""
    number = item.queue.items.filter(position=following).values_list("view__exam__number", flat=True).first()
    if number is None or number == item.view.exam.number:
        return ""
    return reverse("viewer:study", args=[item.queue.project.slug, number])


def _reading(item: ReviewItem, reader: User) -> dict[str, Any]:
    """Everything of the page that changes with an answer."""
    by_position = selectors.states(item.queue, reader)
    progress = selectors.progress_of(by_position, after=item.position)
    own = selectors.own_answer(item, reader)
    opened = selectors.revealed(item, reader)
    base = [item.queue.project.slug, item.queue.number]
    following = progress.following
    return {
        "queue": item.queue,
        "item": item,
        "states": by_position,
        "progress": progress,
        "revealed": opened,
        "facts": _facts(item) if opened else None,
        "answer": own,
        "answered": own is not None and own.state == Answer.State.ANSWERED,
        "others": selectors.others_answers(item, reader),
        "reasons": list(zip(KEYS, item.reasons, strict=True)),
        "next_url": reverse("reviews:item", args=[*base, following])
        if following
        else reverse("reviews:queue", args=base),
        "previous_url": reverse("reviews:item", args=[*base, item.position - 1]) if item.position > 1 else "",
    }


def _facts(item: ReviewItem) -> dict[str, Any]:
    """What is said about the item once it is revealed."""
    queue = item.queue
    lesion = item.lesion
    truth = f"{lesion}, {lesion.get_lesion_type_display().lower()}, {lesion.malignancy}" if lesion else "no lesion here"
    return {
        "truth": truth,
        "evidence": lesion.evidence if lesion else "",
        "view": f"{item.view.laterality} {item.view.position}",
        "finder": str(queue.finder),
        "outcome": MISSED.get(item.outcome, f"missed: {item.outcome}")
        if lesion
        else FALSE.get(item.outcome, f"false: {item.outcome or 'on no lesion'}"),
        "other": str(queue.beside) if queue.beside else "",
        "finding": _finding_shown(item),
    }


def _finding_shown(item: ReviewItem) -> int | None:
    """Key of the finding that an item without a lesion is about, for the viewer to go to."""
    if item.lesion_id is not None or item.finding is None:
        return None
    of_view = Prediction.objects.filter(run=item.queue.finder, view=item.view_id, rank=item.finding)
    return of_view.values_list("pk", flat=True).first()


@require_safe
@project_page(permissions.REVIEW)
@refusals_as_text
def layers_json(request: HttpRequest, project: Project, number: int, position: int) -> HttpResponse:
    """The layers of the case for the viewer: empty until the reader has revealed the item."""
    assert isinstance(request.user, User)
    found = _item(request, project, number, position)
    content = EMPTY
    if selectors.revealed(found, request.user):
        services.open_layers(actor=request.user, item=found, session=request.session)
        exam = viewer.exam_or_404(project, found.view.exam.number)
        above = found.queue.score_above
        if found.score is not None and found.score <= above:
            # a miss of low score shows only when findings down to that score are drawn
            above = max(0.0, found.score - 0.005)
        content = layers.layers(exam, run=found.queue.finder, score=above)
    response = JsonResponse(content)
    response["Cache-Control"] = "private, no-store"
    return response


def _stretch(request: HttpRequest) -> dict[str, Any]:
    """Time on the item that ends with this request, as the page measured it; none where it sent nothing usable."""
    form = StretchForm(request.POST)
    form.is_valid()
    return {"seconds": form.cleaned_data.get("seconds") or 0.0, "visit": form.cleaned_data.get("visit")}


@require_POST
@project_page(permissions.REVIEW)
@refusals_as_text
def spent(request: HttpRequest, project: Project, number: int, position: int) -> HttpResponse:
    """Keep a stretch of time on the item: the page is being left or put into the background."""
    assert isinstance(request.user, User)
    stretch = _stretch(request)
    services.record_visit(
        actor=request.user,
        item=_item(request, project, number, position),
        seconds=stretch["seconds"],
        key=stretch["visit"],
    )
    return HttpResponse(status=204)


@require_POST
@project_page(permissions.REVIEW)
@refusals_as_text
def reveal(request: HttpRequest, project: Project, number: int, position: int) -> HttpResponse:
    """Show truth and findings from here on; answers with the panel."""
    assert isinstance(request.user, User)
    found = _item(request, project, number, position)
    services.count_look(actor=request.user, experiment=found.queue.run.arm.experiment, test_set=found.queue.test_set)
    services.reveal(actor=request.user, item=found, **_stretch(request))
    if not request.headers.get("HX-Request"):
        return redirect("reviews:item", project.slug, number, position)
    return render(request, "reviews/_panel.html", _reading(found, request.user) | {"just_revealed": True})


@require_POST
@project_page(permissions.REVIEW)
@refusals_as_text
def answer(request: HttpRequest, project: Project, number: int, position: int) -> HttpResponse:
    """Store a revision; a skip goes on to the next item, a reason answers with what follows it on the page."""
    assert isinstance(request.user, User)
    found = _item(request, project, number, position)
    form = AnswerForm(request.POST)
    if not form.is_valid():
        raise UserError("Choose one of the reasons; a note has at most 1,000 characters.")
    given = form.cleaned_data
    services.answer(
        actor=request.user,
        item=found,
        state=given["state"],
        reason=given["reason"],
        note=given["note"],
        **_stretch(request),
    )
    reading = _reading(found, request.user)
    if not request.headers.get("HX-Request"):
        return redirect("reviews:item", project.slug, number, position)
    if given["state"] == Answer.State.SKIPPED:
        moved = HttpResponse(status=204)
        moved["HX-Redirect"] = reading["next_url"]
        return moved
    whole = given["state"] == Answer.State.WITHDRAWN
    return render(request, "reviews/_panel.html" if whole else "reviews/_after.html", reading | {"swapped": True})
