"""What came of reviews: one queue, an experiment over its arms and sites, the cases behind a bar, CSV."""

from __future__ import annotations

from itertools import combinations
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.core.templatetags.cemlab import FEWEST_SHOWN
from webapp.reviews import breakdown, exports, selectors, services
from webapp.reviews.forms import BehindForm
from webapp.reviews.item_views import locked_as_page
from webapp.reviews.models import Answer, Reason, ReviewQueue
from webapp.reviews.views import source, title

A_PAGE = 50


@require_safe
@project_page()
@locked_as_page
def queue(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/review/<number>/`: progress, readers, breakdown by site, agreement."""
    assert isinstance(request.user, User)
    found = selectors.queue_or_404(request.user, project, number)
    services.count_look(actor=request.user, experiment=found.run.arm.experiment, test_set=found.test_set)
    reading = selectors.readers(found)
    chosen = _chosen(request, project, ReviewQueue.objects.filter(pk=found.pk))
    return render(
        request,
        "reviews/queue.html",
        {
            "queue": found,
            "queue_title": title(found),
            "source": source(found),
            "own": selectors.progress(found, request.user),
            "readers": reading,
            "may_review": permissions.may(request.user, project, permissions.REVIEW),
            "agreements": _agreements(request.user, project, found, reading),
            "many_readers": len(reading) > 1,
            **_parts(project, chosen, {"queue": number}, ("site",)),
        },
    )


@require_safe
@project_page()
@locked_as_page
def experiment(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """`<project>/review/experiments/<number>/?kind=&reader=`: reasons per arm and per site over queues of a kind."""
    assert isinstance(request.user, User)
    of_experiment = selectors.queues_of(request.user, project).filter(run__arm__experiment__number=number)
    present = set(of_experiment.order_by().values_list("kind", flat=True))
    if not present:
        raise Http404("Nothing of this experiment was put into a queue.")
    kinds = [kind for kind in ReviewQueue.Kind if kind in present]
    kind = next((one for one in kinds if one == request.GET.get("kind")), kinds[0])
    queues = of_experiment.filter(kind=kind)
    services.count_looks(actor=request.user, queues=queues)
    chosen = _chosen(request, project, ReviewQueue.objects.filter(pk__in=queues.order_by().values("pk")))
    return render(
        request,
        "reviews/experiment.html",
        {
            "experiment": queues[0].run.arm.experiment,
            "kind": kind,
            "kind_options": [
                {"label": one.label, "url": f"?{urlencode({'kind': one.value})}", "active": one == kind}
                for one in kinds
            ],
            "queues": [{"queue": one, "title": title(one), "source": source(one)} for one in queues],
            **_parts(project, chosen, {"experiment": number, "kind": kind.value}, ("arm", "site")),
        },
    )


def _chosen(request: HttpRequest, project: Project, queues: QuerySet[ReviewQueue]) -> breakdown.Chosen:
    assert isinstance(request.user, User)
    asked = request.GET.get("reader", "")
    return breakdown.chosen(request.user, project, queues, int(asked) if asked.isdecimal() else None)


def _parts(project: Project, chosen: breakdown.Chosen, where: dict[str, Any], ways: tuple[str, ...]) -> dict[str, Any]:
    """Blocks and figure for each way to part the answers."""
    address = breakdown.addresses(project, chosen, where)
    kind = {"kind": where["kind"]} if "kind" in where else {}
    parts = []
    for by in ways:
        blocks = breakdown.tables(chosen.answers, by, address)
        drawn = breakdown.figure(blocks)
        parts.append(
            {
                "by": by,
                "id": f"reasons-{by}",
                "blocks": blocks,
                "drawn": [trace["name"] for trace in drawn["data"]],
                "figure": drawn if drawn["data"] else None,
                "left_out": [
                    f"{block['name']}: n={block['n']}, too few" for block in blocks if block["n"] < FEWEST_SHOWN
                ],
            }
        )
    return {
        "parts": parts,
        "reader_options": [
            {
                "label": f"{one.username} ({number})",
                "url": f"?{urlencode({**kind, 'reader': one.pk})}",
                "active": one == chosen.reader,
            }
            for one, number in chosen.readers
        ],
        "reader_name": chosen.reader.username if chosen.reader else "",
        "n": len(chosen.answers),
        "how_counted": (
            "Each lesion view or finding counts once in an arm or site, with the newest answer. 95 % intervals: "
            f"bootstrap of patients, {breakdown.RESAMPLES} resamples, seed {breakdown.SEED}; where a share is 0 or 1, "
            "Wilson over the patients."
        ),
    }


def _agreements(
    user: User, project: Project, found: ReviewQueue, reading: list[selectors.Reading]
) -> list[dict[str, Any]]:
    """Kappa of each two readers who have finished, as far as the person may read both."""
    done = [one.reader for one in reading if one.progress.finished]
    given: dict[int, list[Answer]] = {reader.pk: [] for reader in done}
    readable = selectors.readable_answers(user, project, ReviewQueue.objects.filter(pk=found.pk)).filter(
        current=True, state=Answer.State.ANSWERED, reader__in=done
    )
    for one in readable:
        given[one.reader_id].append(one)
    return [
        {"first": one, "second": other, "kappa": breakdown.agreement(given[one.pk], given[other.pk])}
        for one, other in combinations(done, 2)
        if given[one.pk] and given[other.pk]
    ]


@require_safe
@project_page()
@locked_as_page
def answers(request: HttpRequest, project: Project) -> HttpResponse:
    """`<project>/review/answers/?queue=|experiment=&reader=&reason=&arm=&site=`: the cases behind a bar."""
    assert isinstance(request.user, User)
    form = BehindForm(request.GET)
    if not form.is_valid():
        raise Http404("The address names no answers.")
    asked = form.cleaned_data
    queues = selectors.queues_of(request.user, project)
    if asked["queue"]:
        queues = queues.filter(number=asked["queue"])
    elif asked["experiment"]:
        queues = queues.filter(
            run__arm__experiment__number=asked["experiment"], kind=asked["kind"] or ReviewQueue.Kind.MISSED
        )
    else:
        raise Http404("The address names no review.")
    services.count_looks(actor=request.user, queues=queues)
    listed = selectors.readable_answers(
        request.user, project, ReviewQueue.objects.filter(pk__in=queues.order_by().values("pk"))
    ).filter(current=True, state=Answer.State.ANSWERED, reader=asked["reader"])
    rows = list(listed.order_by("item__queue__number", "item__position"))
    for by in breakdown.BY:
        if asked[by]:
            rows = [one for one in breakdown.once(rows, by) if breakdown.BY[by](one) == asked[by]]
    if asked["reason"]:
        rows = [one for one in rows if one.reason == asked["reason"]]
    may_review = permissions.may(request.user, project, permissions.REVIEW)
    page = Paginator(rows, A_PAGE).get_page(request.GET.get("page"))
    times = selectors.times(page)
    return render(
        request,
        "reviews/answers.html",
        {
            "page": page,
            "entries": [
                {
                    "answer": one,
                    "url": _image_address(project, one, may_review),
                    "spent": times[one.item_id, one.reader_id].spent,
                }
                for one in page
            ],
            "reason": Reason(asked["reason"]).label if asked["reason"] else "All reasons",
            "narrowed": [value for value in (asked["arm"], asked["site"]) if value],
        },
    )


def _image_address(project: Project, one: Answer, may_review: bool) -> str:
    """The item for those who review, the viewer with the same run and score for all others."""
    queue = one.item.queue
    if may_review:
        return reverse("reviews:item", args=[project.slug, queue.number, one.item.position])
    query = urlencode({"run": queue.finder.pk, "score": f"{queue.score_above:.3f}"})
    return f"{reverse('viewer:case', args=[project.slug, one.item.view.exam.number])}?{query}"


@require_safe
@project_page()
@locked_as_page
def export_csv(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Every revision the person may read, as CSV."""
    assert isinstance(request.user, User)
    found = selectors.queue_or_404(request.user, project, number)
    services.record_export(actor=request.user, queue=found)
    written = exports.as_csv(selectors.readable_answers(request.user, project, ReviewQueue.objects.filter(pk=found.pk)))
    response = HttpResponse(written, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="review-{number}-answers.csv"'
    return response
