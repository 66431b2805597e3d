"""The design form and the panel of consequences beside it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from detection.preset import presets
from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.core.errors import UserError
from webapp.datasets.models import DatasetVersion
from webapp.experiments import devices, selectors, services
from webapp.experiments.consequences import consequences
from webapp.experiments.design import CONTROL_SENTENCE
from webapp.experiments.design_input import DesignInput, compare
from webapp.experiments.forms import DesignForms


@require_http_methods(["GET", "POST"])
@project_page(permissions.LAUNCH)
def new(request: HttpRequest, project: Project) -> HttpResponse:
    """`<project>/experiments/new/`: GET draws the form (``?copy=7`` from an experiment), POST changes or starts it.

    A button named ``change`` alters the form and keeps what was typed; without it the design is started.
    """
    assert isinstance(request.user, User)
    if request.method == "GET":
        return _page(
            request, project, DesignForms(_first(request, project), user=request.user, project=project, check=False)
        )
    given = DesignInput.posted(request.POST.dict())
    if "change" in request.POST:
        changed = given.changed(request.POST["change"])
        return _page(request, project, DesignForms(changed, user=request.user, project=project, check=False))
    forms = DesignForms(given, user=request.user, project=project, check=True)
    if forms.is_valid():
        values = forms.form.cleaned_data
        try:
            experiment = services.launch(
                actor=request.user,
                project=project,
                version=values["version"],
                design=forms.design(),
                simulation_seed=values["simulation_seed"],
                simulation=values["simulation"],
            )
        except UserError as error:
            forms.refuse(error)
        else:
            messages.success(request, f"Started {experiment}. Results open when every run has ended.")
            return redirect("experiments:experiment", project.slug, experiment.number)
    return _page(request, project, forms, status=422)


@require_POST
@project_page(permissions.LAUNCH)
def panel(request: HttpRequest, project: Project) -> HttpResponse:
    """The panel anew, for the form as it stands."""
    assert isinstance(request.user, User)
    given = DesignInput.posted(request.POST.dict())
    forms = DesignForms(given, user=request.user, project=project, check=False)
    return render(request, "experiments/_consequences.html", _panel(request, project, forms))


def _first(request: HttpRequest, project: Project) -> DesignInput:
    assert isinstance(request.user, User)
    number = request.GET.get("copy", "")
    if number.isascii() and number.isdigit() and len(number) < 10:
        earlier = selectors.experiments_of(request.user, project).filter(number=int(number)).first()
        if earlier is not None:
            return DesignInput.of_experiment(earlier)
    chosen = request.GET.get("version", "")
    empty = DesignInput.fresh(version=chosen, device=list(devices.devices())[-1])
    if not chosen:
        newest = DesignForms(empty, user=request.user, project=project, check=False).versions.first()
        return DesignInput.fresh(version=str(newest.pk) if newest else "", device=empty.values["device"])
    return empty


def _version(forms: DesignForms) -> DatasetVersion | None:
    key = forms.given.values["version"]
    if not (key.isascii() and key.isdigit() and len(key) < 18):
        return None
    return forms.versions.filter(pk=int(key)).first()


def _panel(request: HttpRequest, project: Project, forms: DesignForms) -> dict[str, Any]:
    assert isinstance(request.user, User)
    version = _version(forms)
    outcome = consequences(forms.given, version)
    comparison = None
    if forms.given.copied_from is not None:
        earlier = selectors.experiments_of(request.user, project).filter(number=forms.given.copied_from).first()
        if earlier is not None:
            names = {str(one.pk): str(one) for one in [*forms.versions, earlier.version]}
            comparison = compare(DesignInput.of_experiment(earlier), forms.given, names)
    return {"project": project, "outcome": outcome, "version": version, "comparison": comparison, "given": forms.given}


def _page(request: HttpRequest, project: Project, forms: DesignForms, *, status: int = 200) -> HttpResponse:
    assert isinstance(request.user, User)
    context = _panel(request, project, forms)
    rows = forms.settings.rows()
    folded = [row for row in rows if not row["short"]]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in folded:
        groups.setdefault(row["group"], []).append(row)
    known = presets()
    preset = known.get(forms.given.values["preset"]) or next(iter(known.values()))
    return render(
        request,
        "experiments/new.html",
        {
            **context,
            "forms": forms,
            "form": forms.form,
            "arm_rows": list(zip(forms.arms, context["outcome"].arms, strict=False)),
            "preset": preset,
            "short_rows": [row for row in rows if row["short"]],
            "groups": groups,
            "folded_count": len(folded),
            "folded_changed": sum(row["changed"] for row in folded),
            "changed": sum(row["changed"] for row in rows),
            "fold_open": any(row["changed"] or row["bound"].errors for row in folded),
            "errors": forms.summary(),
            "control_sentence": CONTROL_SENTENCE,
            "earlier": selectors.experiments_of(request.user, project)[:50],
        },
        status=status,
    )
