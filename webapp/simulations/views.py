"""The list of simulations and the page of a batch: progress, gallery, distributions."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.jobs import services as jobs
from webapp.jobs.control import Verb, control
from webapp.jobs.models import ACTIVE, JobState
from webapp.jobs.selectors import shown_state
from webapp.simulations import distributions, record_page, selectors, setting_fields
from webapp.simulations.models import SimulationBatch, SyntheticVerdict, SyntheticView

TILES = 24
KEY_HINTS = [
    {"keys": ["←", "→", "↑", "↓"], "text": "walk"},
    {"keys": ["A"], "text": "accept"},
    {"keys": ["R"], "text": "reject, then a number for the reason"},
    {"keys": ["H"], "text": "hold: the host without the cluster"},
    {"keys": ["Enter"], "text": "viewer"},
    {"keys": ["I"], "text": "record"},
]


def batch_or_404(request: HttpRequest, project: Project, number: int) -> SimulationBatch:
    """The batch, if the person may see it.

    Raises
    ------
    Http404
    """
    return get_object_or_404(selectors.batches_of(request.user, project), number=number)


@require_safe
@project_page()
def batch_list(request: HttpRequest, project: Project) -> HttpResponse:
    """All batches."""
    return render(
        request,
        "simulations/list.html",
        {
            "batches": selectors.batches_of(request.user, project),
            "may_launch": permissions.role_may(getattr(request, "role", None), permissions.LAUNCH),
        },
    )


@require_safe
@project_page()
def batch_page(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """A batch: what was asked, how far it is, the gallery, the distributions."""
    batch = batch_or_404(request, project, number)
    chosen = selectors.GalleryFilter.of_query(request.GET)
    views = chosen.apply(selectors.synthetic_views_of(request.user, project).filter(batch=batch))
    page = Paginator(views, TILES).get_page(request.GET.get("page"))
    facts = selectors.facts_of(batch)
    context = {
        **status_context(request, batch),
        "page": page,
        "tiles": selectors.gallery(list(page)),
        "chosen": chosen,
        "facts": facts,
        "segments": _segments(request, chosen),
        "sorts": [(name, words) for name, words in selectors.SORT_WORDS.items()],
        "qualities": SyntheticView.Quality.choices,
        "reasons": SyntheticVerdict.Reason.choices,
        "hints": KEY_HINTS,
        "plots": distributions.figures(batch, chosen.malignancy) if facts.hosts else [],
        "comparison": _comparison(batch),
        "may_judge": _role_judges(request),
        "changed_settings": _changed_settings(batch),
        "preset": _preset_title(batch),
    }
    return render(request, "simulations/batch.html", context)


@require_safe
@project_page()
def status(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """The progress panel anew."""
    return render(request, "simulations/_status.html", status_context(request, batch_or_404(request, project, number)))


def status_context(request: HttpRequest, batch: SimulationBatch) -> dict[str, Any]:
    """How far a batch is, and what this person may do about it."""
    assert isinstance(request.user, User)
    job = batch.job
    may = job is not None and jobs.may_control(request.user, job, getattr(request, "role", None))
    total = batch.wanted_benign + batch.wanted_malignant
    made = batch.summary.get("made", total if batch.finished else 0)
    return {
        "batch": batch,
        "job": job,
        "job_state": shown_state(job) if job else "",
        "active": job is not None and job.state in ACTIVE,
        "cases_made": made,
        "cases_wanted": batch.summary.get("cases", total),
        "may_cancel": may and job is not None and job.state in ACTIVE and not job.cancel_asked,
        "may_resume": may and job is not None and job.state in (JobState.FAILED, JobState.CANCELLED),
        "unmade": batch.summary.get("unmade", []),
        "refused": sorted(batch.summary.get("refused", {}).items(), key=lambda entry: -entry[1]),
    }


@require_POST
@project_page()
def cancel(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Ask the batch to stop; finished cases stay."""
    return _control(request, project, number, "cancel")


@require_POST
@project_page()
def resume(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Queue a failed or cancelled batch again; it continues with the next case."""
    return _control(request, project, number, "retry")


def _control(request: HttpRequest, project: Project, number: int, verb: Verb) -> HttpResponse:
    job = batch_or_404(request, project, number).job
    control(request, job, verb, kept="Finished cases stay, and you can resume.")
    return redirect("simulations:batch", project.slug, number)


def _role_judges(request: HttpRequest) -> bool:
    role = getattr(request, "role", None)
    return permissions.role_may(role, permissions.LAUNCH) or permissions.role_may(role, permissions.REVIEW)


def _segments(request: HttpRequest, chosen: selectors.GalleryFilter) -> list[dict[str, Any]]:
    segments = []
    for value, label in (("", "All"), ("benign", "Benign"), ("malignant", "Malignant")):
        query = {name: text for name, text in request.GET.items() if name not in ("malignancy", "page")}
        if value:
            query["malignancy"] = value
        segments.append({"label": label, "url": f"?{urlencode(query)}", "active": chosen.malignancy == value})
    return segments


def _preset_title(batch: SimulationBatch) -> str:
    """The preset as the form calls it; its name where it exists no more."""
    from simulation.presets import presets  # with SciPy behind it

    name = batch.preset or "default"
    known = presets().get(name)
    return known.title if known is not None else name


def _changed_settings(batch: SimulationBatch) -> list[dict[str, str]]:
    """Settings of the batch that are not the defaults."""
    from dataclasses import asdict

    from simulation.settings import SimulationSettings

    defaults = asdict(SimulationSettings())
    return setting_fields.differences(
        {name: defaults.get(name) for name in batch.settings_used if name in defaults},
        {name: value for name, value in batch.settings_used.items() if name in defaults},
    )


def _comparison(batch: SimulationBatch) -> dict[str, Any] | None:
    """For a repeated case: what was changed, and each view before and after."""
    first = batch.repeats
    if first is None:
        return None
    before = {
        one.host_id: one
        for one in SyntheticView.objects.filter(
            batch_id=first.batch_id, malignancy=first.malignancy, case_number=first.case_number
        ).select_related("view", "batch")
    }
    after = {one.host_id: one for one in batch.synthetic_views.select_related("view", "batch")}
    return {
        "first": first,
        "first_url": reverse("simulations:record", args=[batch.project.slug, first.batch.number, first.pk]),
        "settings": setting_fields.differences(first.batch.settings_used, batch.settings_used),
        "pairs": [
            {
                "before": one,
                "after": after.get(host),
                "rows": record_page.compared(one.record, after[host].record) if host in after else [],
            }
            for host, one in before.items()
        ],
    }
