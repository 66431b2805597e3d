"""Simulation pages: batches, the gallery of a batch, the record of a case."""

from __future__ import annotations

import json

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.core.errors import NotAllowed, UserError
from webapp.simulations import selectors, services

TILES = 24


@require_safe
@project_page()
def batch_list(request: HttpRequest, project: Project) -> HttpResponse:
    """All batches."""
    return render(request, "simulations/list.html", {"batches": selectors.batches_of(request.user, project)})


@require_safe
@project_page()
def batch_page(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """A batch: what was asked, what was made, the gallery."""
    batch = get_object_or_404(selectors.batches_of(request.user, project), number=number)
    views = selectors.synthetic_views_of(request.user, project).filter(batch=batch)
    malignancy = request.GET.get("malignancy", "")
    if malignancy in ("benign", "malignant"):
        views = views.filter(malignancy=malignancy)
    page = Paginator(views.order_by("malignancy", "case_number", "pk"), TILES).get_page(request.GET.get("page"))
    context = {
        "batch": batch,
        "page": page,
        "tiles": selectors.gallery(list(page)),
        "segments": [
            {"label": label, "url": f"?malignancy={value}" if value else "?", "active": malignancy == value}
            for value, label in (("", "All"), ("benign", "Benign"), ("malignant", "Malignant"))
        ],
    }
    return render(request, "simulations/batch.html", context)


@require_safe
@project_page()
def record(request: HttpRequest, project: Project, number: int, synthetic: int) -> HttpResponse:
    """The full provenance record of a synthetic view."""
    found = get_object_or_404(selectors.synthetic_views_of(request.user, project), batch__number=number, pk=synthetic)
    user = request.user
    assert isinstance(user, User)
    context = {
        "synthetic": found,
        "record": json.dumps(found.record, indent=2),
        "calcifications": found.record.get("cluster", {}).get("calcifications", []),
        "may_judge": permissions.may(user, project, permissions.LAUNCH)
        or permissions.may(user, project, permissions.REVIEW),
    }
    return render(request, "simulations/record.html", context)


@project_page()
@require_POST
def judge(request: HttpRequest, project: Project, number: int, synthetic: int) -> HttpResponse:
    """Accept or reject a synthetic case."""
    found = get_object_or_404(selectors.synthetic_views_of(request.user, project), batch__number=number, pk=synthetic)
    user = request.user
    assert isinstance(user, User)
    try:
        services.judge(actor=user, synthetic_view=found, accept=request.POST.get("verdict") == "accept")
    except NotAllowed as error:
        return render(request, "errors/403.html", {"reason": str(error)}, status=403)
    except UserError as error:
        context = {"synthetic": found, "record": json.dumps(found.record, indent=2), "failure": str(error)}
        return render(request, "simulations/record.html", context, status=400)
    return redirect("simulations:record", project.slug, number, synthetic)
