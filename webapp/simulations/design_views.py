"""The form of a simulation, the panel that says what it would do, and the look at a single case."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.core.errors import UserError
from webapp.simulations import amounts, selectors, services
from webapp.simulations.forms import SimulationForms, drawn_seed
from webapp.simulations.hosts import HostChoice, choose_hosts
from webapp.simulations.models import SimulationBatch
from webapp.simulations.views import batch_or_404, status_context


@require_http_methods(["GET", "POST"])
@project_page(permissions.LAUNCH)
def new(request: HttpRequest, project: Project) -> HttpResponse:
    """`<project>/simulation/new/`: GET draws the form, POST starts the simulation.

    A button named ``change`` draws the page anew with what was typed: another version or preset.
    """
    assert isinstance(request.user, User)
    if request.method == "GET":
        forms = SimulationForms(user=request.user, project=project, version=request.GET.get("version", ""))
        return _page(request, forms)
    forms = SimulationForms(user=request.user, project=project, data=request.POST)
    if "change" in request.POST:
        return _page(request, forms, checked=False)
    if forms.is_valid():
        try:
            batch = _start(request.user, project, forms, wanted=wanted_of(forms), trial=False)
        except UserError as error:
            forms.refuse(error)
        else:
            messages.success(request, f"Started {batch}, seed {batch.seed}.")
            return redirect("simulations:batch", project.slug, batch.number)
    return _page(request, forms, status=422)


@require_POST
@project_page(permissions.LAUNCH)
def panel(request: HttpRequest, project: Project) -> HttpResponse:
    """The panel anew, for the form as it stands."""
    assert isinstance(request.user, User)
    forms = SimulationForms(user=request.user, project=project, data=request.POST)
    return render(request, "simulations/_panel.html", _panel(forms))


@require_POST
@project_page(permissions.LAUNCH)
def try_one(request: HttpRequest, project: Project) -> HttpResponse:
    """Simulate one case with the form as it stands; the answer takes the place of the sample."""
    assert isinstance(request.user, User)
    forms = SimulationForms(user=request.user, project=project, data=request.POST)
    if not forms.is_valid():
        context = {"problems": forms.summary(), "project": project}
        return render(request, "simulations/_sample.html", context, status=422)
    wanted = wanted_of(forms)
    one = (
        {"malignant": 1, "benign": 0} if wanted["malignant"] or not wanted["benign"] else {"malignant": 0, "benign": 1}
    )
    try:
        batch = _start(request.user, project, forms, wanted=one, trial=True)
    except UserError as error:
        forms.refuse(error)
        context = {"problems": forms.summary(), "project": project}
        return render(request, "simulations/_sample.html", context, status=422)
    return render(request, "simulations/_sample.html", _sample(request, project, batch))


@require_safe
@project_page()
def sample(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """How far the look at a single case is, then the case."""
    return render(
        request, "simulations/_sample.html", _sample(request, project, batch_or_404(request, project, number))
    )


def _sample(request: HttpRequest, project: Project, batch: SimulationBatch) -> dict[str, Any]:
    views = selectors.synthetic_views_of(request.user, project).filter(batch=batch).order_by("pk")
    return {**status_context(request, batch), "project": project, "tiles": selectors.gallery(list(views))}


def _start(
    actor: User, project: Project, forms: SimulationForms, *, wanted: dict[str, int], trial: bool
) -> SimulationBatch:
    values = forms.form.cleaned_data
    seed = values["seed"]
    return services.create_batch(
        actor=actor,
        project=project,
        version=values["version"],
        wanted=wanted,
        seed=drawn_seed() if seed is None else seed,
        settings=forms.settings.values(),
        preset=values["preset"],
        hosts=forms.form.hosts(),
        trial=trial,
    )


def wanted_of(forms: SimulationForms) -> dict[str, int]:
    """Cases per class that a bound form asks for; what cannot be read yet counts as none."""
    forms.form.is_valid()
    given = forms.form.cleaned_data
    if given.get("amount") == "count":
        return {"malignant": given.get("wanted_malignant") or 0, "benign": given.get("wanted_benign") or 0}
    if forms.version is None:
        return {"malignant": 0, "benign": 0}
    patients = amounts.cluster_patients(forms.version)
    benign, malignant = given.get("ratio_benign") or 0, given.get("ratio_malignant") or 0
    return amounts.wanted_cases(patients, benign / 100, malignant / 100)


def _panel(forms: SimulationForms) -> dict[str, Any]:
    """What the form would do."""
    if forms.form.is_bound:
        wanted = wanted_of(forms)
        choice = choose_hosts(forms.breasts, forms.form.hosts())
    else:
        patients = amounts.cluster_patients(forms.version) if forms.version else {"benign": 0, "malignant": 0}
        wanted = amounts.wanted_cases(patients, 1.0, 1.0)
        choice = choose_hosts(forms.breasts, forms.form.hosts())
    total = wanted["malignant"] + wanted["benign"]
    return {
        "choice": choice,
        "breasts": len(forms.breasts),
        "real": amounts.cluster_patients(forms.version) if forms.version else None,
        "wanted": wanted,
        "total": total,
        "views_words": _views_words(choice, total),
        "uses": total / len(choice.hosts) if choice.hosts else 0,
        "ready": bool(choice.hosts) and 0 < total <= services.MAXIMUM_CASES,
        "most": services.MAXIMUM_CASES,
        "version": forms.version,
    }


def _views_words(choice: HostChoice, total: int) -> str:
    counts = [len(breast.views) for breast in choice.hosts] or [0]
    low, high = total * min(counts), total * max(counts)
    return f"{low}" if low == high else f"{low} to {high}"


def _page(request: HttpRequest, forms: SimulationForms, *, checked: bool = True, status: int = 200) -> HttpResponse:
    context = _panel(forms)
    settings = forms.settings
    if not checked:
        # another preset or version was chosen: what was typed stays, and nothing is called wrong yet
        for form in (forms.form, settings):
            form.is_valid()
            form.errors.clear()
    groups = settings.groups()
    return render(
        request,
        "simulations/new.html",
        {
            **context,
            "forms": forms,
            "form": forms.form,
            "preset": forms.preset,
            "groups": groups,
            "changed": sum(group["changed"] for group in groups),
            "errors": forms.summary() if checked and forms.form.is_bound else [],
        },
        status=status,
    )
