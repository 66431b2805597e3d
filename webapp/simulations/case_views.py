"""Pages of one synthetic view: record, verdict, pictures, and the case once more with a setting changed."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from imaging.errors import ImagingError
from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.cases.models import Image, ImageKind
from webapp.core.errors import NotAllowed, UserError
from webapp.simulations import crops, record_page, selectors, services, verdicts
from webapp.simulations.forms import SettingsForm, initial_settings
from webapp.simulations.models import SyntheticVerdict, SyntheticView

CACHE = "private, max-age=3600"


def synthetic_or_404(request: HttpRequest, project: Project, number: int, synthetic: int) -> SyntheticView:
    """The synthetic view, if the person may see it.

    Raises
    ------
    Http404
    """
    views = selectors.synthetic_views_of(request.user, project)
    return get_object_or_404(views, batch__number=number, pk=synthetic)


@require_safe
@project_page()
def record(request: HttpRequest, project: Project, number: int, synthetic: int) -> HttpResponse:
    """The provenance record of a synthetic view in words, with its verdicts."""
    return _record(request, project, synthetic_or_404(request, project, number, synthetic))


def _record(
    request: HttpRequest, project: Project, found: SyntheticView, *, failure: str = "", status: int = 200
) -> HttpResponse:
    assert isinstance(request.user, User)
    low_energy = next((one for one in found.view.images.all() if one.kind == ImageKind.LOW_ENERGY), None)
    return render(
        request,
        "simulations/record.html",
        {
            "synthetic": found,
            "sections": record_page.sections(found.record),
            "checks": record_page.checks(found.record),
            "warnings": found.record.get("warnings", []),
            "calcifications": found.record.get("cluster", {}).get("calcifications", []),
            "outline": crops.outline_in(found, low_energy) if low_energy else [],
            "verdicts": verdicts.verdicts_on(found),
            "reasons": SyntheticVerdict.Reason.choices,
            "siblings": verdicts.case_of(found).exclude(pk=found.pk).select_related("view", "batch"),
            "repetitions": found.repetitions.select_related("job").order_by("number"),
            "may_judge": verdicts.may_judge(request.user, found),
            "may_launch": permissions.role_may(getattr(request, "role", None), permissions.LAUNCH),
            "failure": failure,
            "given": request.POST if failure else {},
        },
        status=status,
    )


@require_safe
@project_page()
def record_file(request: HttpRequest, project: Project, number: int, synthetic: int) -> HttpResponse:
    """The record as a JSON file."""
    found = synthetic_or_404(request, project, number, synthetic)
    response = HttpResponse(json.dumps(found.record, indent=2), content_type="application/json")
    name = f"simulation-{number}-{found.malignancy}-{found.case_number}-{found.view.laterality}-{found.view.position}"
    response["Content-Disposition"] = f'attachment; filename="{name}.json"'
    return response


@require_POST
@project_page()
def judge(request: HttpRequest, project: Project, number: int, synthetic: int) -> HttpResponse:
    """Accept or reject a case. From the gallery the answer is its tiles anew, else the record."""
    found = synthetic_or_404(request, project, number, synthetic)
    assert isinstance(request.user, User)
    given = {"accept": "accepted", "reject": "rejected"}.get(request.POST.get("verdict", ""), "")
    from_gallery = request.headers.get("HX-Request") == "true"
    try:
        verdicts.judge(
            actor=request.user,
            synthetic_view=found,
            verdict=given,
            reason=request.POST.get("reason", ""),
            note=request.POST.get("note", ""),
        )
    except NotAllowed as error:
        return render(request, "errors/403.html", {"reason": str(error)}, status=403)
    except UserError as error:
        if from_gallery:
            return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
        return _record(request, project, found, failure=str(error), status=400)
    if not from_gallery:
        return redirect("simulations:record", project.slug, number, synthetic)
    return _tiles(request, project, found)


def _tiles(request: HttpRequest, project: Project, found: SyntheticView) -> HttpResponse:
    """Every tile of the case, each to take its own place."""
    case = verdicts.case_of(found).values_list("pk", flat=True)
    views = list(selectors.synthetic_views_of(request.user, project).filter(pk__in=case))
    context = {
        "project": project,
        "batch": found.batch,
        "tiles": selectors.gallery(views),
        "out_of_band": True,
        "may_judge": True,
    }
    response = render(request, "simulations/_tiles.html", context)
    words = "Accepted" if found.quality == SyntheticView.Quality.ACCEPTED else "Rejected"
    lost = "; ".join(verdicts.shortfalls(found)) if words == "Rejected" else ""
    toast: dict[str, Any] = {
        "message": f"{words} {found.malignancy} case {found.case_number}{f': {lost}' if lost else ''}.",
        "undo_url": reverse("simulations:reopen", args=[project.slug, found.batch.number, found.pk]),
    }
    response["HX-Trigger"] = json.dumps({"toast": toast})
    return response


@require_POST
@project_page()
def reopen(request: HttpRequest, project: Project, number: int, synthetic: int) -> HttpResponse:
    """Take the last verdict back; both stay on record."""
    found = synthetic_or_404(request, project, number, synthetic)
    assert isinstance(request.user, User)
    try:
        verdicts.judge(actor=request.user, synthetic_view=found, verdict=SyntheticVerdict.Verdict.REOPENED)
    except NotAllowed as error:
        return render(request, "errors/403.html", {"reason": str(error)}, status=403)
    return HttpResponse(status=204)


@require_safe
@project_page()
def crop(request: HttpRequest, project: Project, number: int, synthetic: int, which: str, kind: str) -> HttpResponse:
    """The surroundings of the cluster as a PNG, in the synthetic view or in its host; the reading is audited."""
    found = synthetic_or_404(request, project, number, synthetic)
    view = {"synthetic": found.view, "host": found.host}.get(which)
    image = view.images.filter(kind=kind).first() if view is not None and kind in ImageKind.values else None
    if image is None:
        raise Http404("No such picture.")
    verdicts.record_image_read(actor=request.user, synthetic_view=found, session=request.session)
    box = crops.box_around(_framed_by(found) if "beside" in request.GET else found, image)
    tag = f'"{crops.tag_of(image, box)}"'
    unchanged = get_conditional_response(request, etag=tag)
    return _with_tag(unchanged if unchanged is not None else _picture(image, box), tag)


def _framed_by(found: SyntheticView) -> SyntheticView:
    """The view that a repeated one is compared with, so that both pictures show the same square."""
    first = found.batch.repeats
    if first is None:
        return found
    return verdicts.case_of(first).filter(host=found.host_id).first() or found


def _picture(image: Image, box: crops.Box) -> HttpResponse:
    try:
        return HttpResponse(crops.picture(image, box).read_bytes(), content_type="image/png")
    except (ImagingError, OSError) as error:
        reason = str(error) if isinstance(error, ImagingError) else "Its file is not in the data folder any more."
        return HttpResponse(f"This image cannot be shown. {reason}", status=422, content_type="text/plain")


def _with_tag(response: Any, tag: str) -> HttpResponse:
    if response.status_code in (200, 304):
        response["ETag"] = tag
        response["Cache-Control"] = CACHE
    answered: HttpResponse = response
    return answered


@require_http_methods(["GET", "POST"])
@project_page(permissions.LAUNCH)
def again(request: HttpRequest, project: Project, number: int, synthetic: int) -> HttpResponse:
    """The case's settings to be changed; a post simulates the same host, seed and variant with them."""
    found = synthetic_or_404(request, project, number, synthetic)
    assert isinstance(request.user, User)
    used = dict(found.record.get("settings", found.batch.settings_used))
    if request.method == "GET":
        form = SettingsForm(compared=used, initial=initial_settings(_complete(used)))
        return _again(request, found, form)
    form = SettingsForm(request.POST, compared=used)
    if form.is_valid():
        try:
            batch = services.repeat_case(actor=request.user, synthetic_view=found, settings=form.values())
        except UserError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Started {batch}: the same case with the changed settings.")
            return redirect("simulations:batch", project.slug, batch.number)
    return _again(request, found, form, status=422)


def _complete(used: dict[str, Any]) -> dict[str, Any]:
    """The case's settings; defaults where its record is older than a setting."""
    from simulation.settings import SimulationSettings

    return SimulationSettings.from_json(used).to_json()


def _again(request: HttpRequest, found: SyntheticView, form: SettingsForm, *, status: int = 200) -> HttpResponse:
    return render(
        request, "simulations/again.html", {"synthetic": found, "form": form, "groups": form.groups()}, status=status
    )
