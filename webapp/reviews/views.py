"""The list of queues, and making one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.core.errors import NotAllowed, UserError
from webapp.results.selectors import GROUPS
from webapp.reviews import pages, selectors, services
from webapp.reviews.forms import QueueForm
from webapp.reviews.models import ReviewQueue

A_PAGE = 50
KIND_OF_OUTCOME = {"missed": "missed", "wrong": "false", "gained": "gained", "lost": "lost"}
"""What the lists of results call it → kind of queue."""


def title(queue: ReviewQueue) -> str:
    """What is reviewed, of which arm: ``Missed lesions, Real + 100 %``."""
    return f"{queue.get_kind_display()}, {queue.run.arm.name}"


def source(queue: ReviewQueue) -> str:
    """Where the queue comes from, in words."""
    against = f" beside {queue.against}" if queue.against else ""
    group = GROUPS.get(queue.group, queue.group).lower()
    return (
        f"Experiment {queue.run.arm.experiment.number}, {queue.run}{against}, "
        f"{queue.get_test_set_display().lower()}, {group}, score > {queue.score_above:.3g}"
    )


@require_safe
@project_page()
def queue_list(request: HttpRequest, project: Project) -> HttpResponse:
    """`<project>/review/`: every queue, how far the person is, who else reads."""
    assert isinstance(request.user, User)
    page = Paginator(selectors.queues_of(request.user, project), A_PAGE).get_page(request.GET.get("page"))
    progress = selectors.progress_by_reader(page, request.user.pk)
    entries = []
    for one in page:
        reading = [given for given in progress[one.pk].values() if given.answered or given.skipped]
        entries.append(
            {
                "queue": one,
                "title": title(one),
                "source": source(one),
                "own": progress[one.pk][request.user.pk],
                "readers": len(reading),
                "finished": sum(given.finished for given in reading),
            }
        )
    experiments = sorted({one.run.arm.experiment.number for one in page})
    return render(
        request,
        "reviews/list.html",
        {
            "page": page,
            "entries": entries,
            "experiments": experiments,
            "may_create": pages.may_create(str(permissions.role_of(request.user, project))),
            "may_review": permissions.may(request.user, project, permissions.REVIEW),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@project_page()
def new(request: HttpRequest, project: Project) -> HttpResponse:
    """`<project>/review/new/`: choose run, test set and threshold; a post makes the queue.

    The query of a list of results (`run`, `test_set`, `group`, `outcome`, `score`, `against`) fills the form.
    """
    assert isinstance(request.user, User)
    try:
        services.require_creator(request.user, project)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    runs = selectors.reviewable_runs(request.user, project)
    if request.method != "POST":
        return _form(request, QueueForm(initial=_asked(request), runs=runs))
    form = QueueForm(request.POST, runs=runs)
    if not form.is_valid():
        return _form(request, form, status=422)
    try:
        made = services.create_queue(actor=request.user, project=project, **form.cleaned_data)
    except services.QueueExists as error:
        messages.info(request, str(error))
        return redirect("reviews:queue", project.slug, error.queue.number)
    except UserError as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
        return _form(request, form, status=422)
    messages.success(request, f"{made} holds {made.size} item{'' if made.size == 1 else 's'}.")
    return redirect("reviews:queue", project.slug, made.number)


def _asked(request: HttpRequest) -> dict[str, Any]:
    query = request.GET
    return {
        "run": query.get("run"),
        "test_set": query.get("test_set", "internal_test"),
        "kind": KIND_OF_OUTCOME.get(query.get("outcome", ""), "missed"),
        "group": query.get("group", "malignant"),
        "score_above": query.get("score"),
        "against": query.get("against"),
    }


def _form(request: HttpRequest, form: QueueForm, status: int = 200) -> HttpResponse:
    runs: Any = form.fields["run"]
    return render(request, "reviews/new.html", {"form": form, "any_run": runs.queryset.exists()}, status=status)
