"""The design form and the panel of consequences beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.core.errors import UserError
from webapp.datasets.models import DatasetVersion
from webapp.experiments import devices, selectors, services
from webapp.experiments.consequences import ArmConsequence, consequences
from webapp.experiments.design import CONTROL_SENTENCE
from webapp.experiments.design_difference import EARLIER, Comparison, with_experiment
from webapp.experiments.design_input import DesignInput, setting_schema
from webapp.experiments.forms import DesignForms
from webapp.experiments.protocol_form import protocol_from
from webapp.experiments.settings_form import preset_or_first


@require_http_methods(["GET", "POST"])
@project_page(permissions.LAUNCH)
def new(request: HttpRequest, project: Project) -> HttpResponse:
    """`<project>/experiments/new/`: GET draws the form (``?copy=7`` from an experiment), POST changes it or freezes.

    A button named ``change`` alters the form and keeps what was typed; without it the design is frozen, and its page
    offers the launch.
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
            experiment = services.freeze(
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
            messages.success(request, f"The design of {experiment} is frozen. Read it once more, then launch it.")
            return redirect("experiments:experiment", project.slug, experiment.number)
    return _page(request, project, forms, status=422)


@require_POST
@project_page(permissions.LAUNCH)
def launch(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Start the runs of a frozen design."""
    assert isinstance(request.user, User)
    found = selectors.experiments_of(request.user, project).filter(number=number).first()
    if found is None:
        raise Http404("No such experiment.")
    try:
        started = services.launch(actor=request.user, experiment=found)
    except UserError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Started {started}. Results open when every run has ended.")
    return redirect("experiments:experiment", project.slug, number)


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
    earlier = list(selectors.experiments_of(request.user, project)[:EARLIER])
    return {
        "project": project,
        "outcome": outcome,
        "version": version,
        "comparison": _comparison(request.user, project, forms),
        "given": forms.given,
        "protocol": protocol_from(forms.given.protocol),
        "earlier": earlier,
    }


def _comparison(user: User, project: Project, forms: DesignForms) -> Comparison | None:
    """The form beside the experiment chosen to compare it with."""
    if forms.given.compared_with is None:
        return None
    earlier = selectors.experiments_of(user, project).filter(number=forms.given.compared_with).first()
    if earlier is None:
        return None
    names = {str(one.pk): str(one) for one in [*forms.versions, earlier.version]}
    simulations = {str(one.pk): str(one) for one in forms.simulations}
    return with_experiment(earlier, forms.given, names, simulations)


def _page(request: HttpRequest, project: Project, forms: DesignForms, *, status: int = 200) -> HttpResponse:
    assert isinstance(request.user, User)
    context = _panel(request, project, forms)
    rows = forms.settings.rows()
    folded = [row for row in rows if not row["short"]]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in folded:
        groups.setdefault(row["group"], []).append(row)
    return render(
        request,
        "experiments/new.html",
        {
            **context,
            "forms": forms,
            "form": forms.form,
            "arm_rows": _arm_rows(forms, context["outcome"].arms),
            "preset": preset_or_first(forms.given.values["preset"]),
            "short_rows": [row for row in rows if row["short"]],
            "groups": groups,
            "folded_count": len(folded),
            "folded_changed": sum(row["changed"] for row in folded),
            "changed": sum(row["changed"] for row in rows),
            "fold_open": any(row["changed"] or row["bound"].errors for row in folded),
            "errors": forms.summary(),
            "control_sentence": CONTROL_SENTENCE,
        },
        status=status,
    )


def _arm_rows(forms: DesignForms, outcomes: list[ArmConsequence | None]) -> list[dict[str, Any]]:
    """Rows of the arms table: the form, what it would do, and its own settings with those it may still take."""
    return [
        {
            "form": form,
            "consequence": outcome,
            "settings": own.rows(),
            "invalid": bool(own.errors),
            "free": _free_settings(given.changes),
        }
        for given, form, own, outcome in zip(forms.given.arms, forms.arms, forms.arm_settings, outcomes, strict=False)
    ]


def _free_settings(taken: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """Settings that an arm does not set itself yet, by group."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for entry in setting_schema():
        if entry["name"] not in taken:
            groups.setdefault(entry["group"], []).append((entry["name"], entry["label"]))
    return groups
