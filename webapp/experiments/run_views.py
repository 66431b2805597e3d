"""The page of a run: is it learning, when is it done, what happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST, require_safe

from detection.evaluation.protocol import Protocol
from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.core import files
from webapp.core.downloads import download
from webapp.core.registry import run_panels
from webapp.experiments import figures, selectors, services, validation_numbers
from webapp.experiments.models import MetricPoint, Run, RunState
from webapp.experiments.sample_pictures import sample_pictures
from webapp.experiments.validation_numbers import MEASURED, value_words
from webapp.experiments.views import amount_in_words, arm_facts
from webapp.jobs import places, waiting
from webapp.jobs import services as jobs
from webapp.jobs.control import Verb, control
from webapp.jobs.models import ACTIVE, JobState

COSTLY_SECONDS = 600.0
"""Cancelling a run that has gone on for longer asks first."""
SAME_AGAIN = frozenset({"NonFiniteLoss", "EmptySampleSet", "UnsuitableWeights", "CheckpointMismatch", "UnknownFamily"})
"""Failures (detection.errors) that come from the design: resuming would meet them again."""


def run_or_404(request: HttpRequest, project: Project, number: int, arm: int, seed: int) -> Run:
    """The run of an address, if the person may see it.

    Raises
    ------
    Http404
    """
    found = selectors.runs_of(request.user, project).filter(
        arm__experiment__number=number, arm__position=arm, seed=seed
    )
    run = found.first()
    if run is None:
        raise Http404("No such run.")
    return run


@require_safe
@project_page()
def run(request: HttpRequest, project: Project, number: int, arm: int, seed: int) -> HttpResponse:
    """`<project>/experiments/<number>/runs/<arm>-<seed>/`."""
    found = run_or_404(request, project, number, arm, seed)
    job = found.job
    return render(
        request,
        "experiments/run.html",
        {
            **_status(request, found),
            **_samples(found),
            **_measuring(found),
            **arm_facts(found.arm),
            "log": places.log_tail(job) if job else "",
            "log_size": places.log_size(job) if job else 0,
            "log_active": job is not None and job.state in ACTIVE,
        },
    )


@require_safe
@project_page()
def status(request: HttpRequest, project: Project, number: int, arm: int, seed: int) -> HttpResponse:
    """State, failure, numbers and events, loaded anew when something happened."""
    found = run_or_404(request, project, number, arm, seed)
    return render(request, "experiments/_run_status.html", _status(request, found))


def _status(request: HttpRequest, found: Run) -> dict[str, Any]:
    assert isinstance(request.user, User)
    job = found.job
    experiment = found.arm.experiment
    may = job is not None and jobs.may_control(request.user, job, getattr(request, "role", None))
    active = job is not None and job.state in ACTIVE
    stopping = job is not None and job.cancel_asked and active
    spent = (job.updated - job.started).total_seconds() if job and job.started and active else 0.0
    latest = MetricPoint.objects.filter(run=found, name__in=figures.LOSSES).order_by("-epoch")
    validation = latest.filter(name="validation_loss")
    newest = validation_numbers.newest(found)
    return {
        "run": found,
        "arm": found.arm,
        "experiment": experiment,
        "job": job,
        "active": active,
        "waits": waiting.reason(job),
        "shown_state": "stopping" if stopping else (job.state if job else found.state),
        "may_cancel": may and active and not stopping,
        "may_retry": may
        and job is not None
        and job.state in {JobState.FAILED, JobState.CANCELLED}
        and not _same_again(found),
        "same_again": _same_again(found),
        "may_launch": permissions.role_may(getattr(request, "role", None), permissions.LAUNCH),
        "cancel_asks": spent > COSTLY_SECONDS,
        "events": job.events.order_by("-id")[:100] if job else [],
        "failure": found.record.get("failure") if found.state == RunState.FAILED else None,
        "pace": _pace(found),
        "measured": [(MEASURED[point.name].label, value_words(point)) for point in newest],
        "measured_epoch": newest[0].epoch if newest else None,
        "artifacts": found.artifacts.all(),
        "last_epoch": latest.values_list("epoch", flat=True).first(),
        "epochs": found.arm.configuration["values"]["epochs"],
        "best": validation.filter(epoch=found.best_epoch).first()
        if found.best_epoch
        else validation.order_by("value").first(),
        "results_open": selectors.all_runs_ended(experiment),
        "done": found.state == RunState.DONE,
        "address": [found.arm.experiment.project.slug, experiment.number, found.arm.position, found.seed],
        "record": _record(found),
        "panels": _panels(request, found),
    }


def _same_again(found: Run) -> bool:
    """Whether the run failed in a way that only another design avoids."""
    failure = found.record.get("failure") if found.state == RunState.FAILED else None
    return failure is not None and failure["kind"] in SAME_AGAIN


def _panels(request: HttpRequest, found: Run) -> list[str]:
    """What apps above know about the run."""
    project = found.arm.experiment.project
    rendered: list[str] = []
    for panel in sorted(run_panels.values(), key=lambda panel: panel.position):
        context = panel.context(request, project, found)
        if context is not None:
            rendered.append(render_to_string(panel.template, {"project": project, **context}, request))
    return rendered


def _other_code(record: dict[str, Any], kept: dict[str, Any]) -> str:
    """Where the run ended with other sources than the experiment was launched with."""
    own = record.get("source_hash", "")
    return f"source {own}, unlike that of the launch" if own and own != kept.get("source_hash") else ""


def _record(found: Run) -> list[tuple[str, str]]:
    """What the run says about itself, in words: data used and left out, weights, environment, hashes."""
    record, kept = found.record, found.arm.experiment.reproducibility
    rows = [
        (f"{part.capitalize()} set", _set_in_words(record[part]))
        for part in ("training", "validation")
        if isinstance(record.get(part), dict)
    ]
    amount = record.get("amount")
    if amount:
        rows.append(("Trained", amount_in_words(amount)))
    origin = record.get("initial_weights")
    if origin:
        rows.append(("Initial weights", _weights_in_words(origin) if isinstance(origin, dict) else str(origin)))
    environment = record.get("environment") or kept.get("environment") or {}
    rows.append(("Environment", _listed(environment)))
    rows += [
        (words, str(value))
        for words, value in (
            ("Code", f"{kept.get('commit') or 'no repository'}, source {kept.get('source_hash', '')}"),
            ("Code of the run", _other_code(record, kept)),
            ("Data", kept.get("data_hash")),
            ("Configuration", record.get("configuration_digest")),
            ("Configuration and samples", record.get("identity")),
            ("Attempts", record.get("attempts")),
        )
        if value
    ]
    return rows


LESIONS = "lesions: "
"""What the counts of lesions in the record of a set begin with."""


def _listed(entries: Mapping[str, Any]) -> str:
    """By name: databases do not agree on the order in which they give entries back."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sorted(entries.items()))


def _set_in_words(counts: Mapping[str, Any]) -> str:
    """Views and tiles first, then the lesions by class."""
    lesions = {name.removeprefix(LESIONS): number for name, number in counts.items() if name.startswith(LESIONS)}
    others = {name: number for name, number in counts.items() if name != "name" and not name.startswith(LESIONS)}
    return "; ".join(filter(None, [_listed(others), f"{LESIONS}{_listed(lesions)}" if lesions else ""]))


def _weights_in_words(origin: Mapping[str, Any]) -> str:
    """The statement of a start without file; else what the file was."""
    if "statement" in origin:
        return " ".join(str(origin[name]) for name in ("statement", "warning") if name in origin)
    return (
        f"{origin['file']}: {origin['loaded']} tensors taken over, {origin['fresh']} started at random; "
        f"SHA-256 {origin['sha256']}"
    )


@require_safe
@project_page()
def samples(request: HttpRequest, project: Project, number: int, arm: int, seed: int) -> HttpResponse:
    """Sample predictions on validation views, loaded anew after each epoch."""
    found = run_or_404(request, project, number, arm, seed)
    return render(request, "experiments/_samples.html", {"project": project, **_samples(found)})


def _samples(found: Run) -> dict[str, Any]:
    return {
        "pictures": sample_pictures(found),
        "every": found.arm.configuration["values"].get("sample_every", 0),
        "done": found.state in selectors.ENDED,
    }


def _measuring(found: Run) -> dict[str, Any]:
    """What is measured on the validation split, how often, by which rules and of which weights."""
    experiment, values = found.arm.experiment, found.arm.configuration["values"]
    every = values.get("measure_every", 0)
    return {
        "measure_every": every,
        "basis": validation_numbers.basis(experiment.version) if every else None,
        "matching": Protocol.from_json(experiment.protocol).matching_words(),
        "averaged": values.get("weight_averaging", 0.0) > 0,
    }


def _pace(found: Run) -> dict[str, float]:
    """The newest speed, share of time spent loading, and memory."""
    rows = MetricPoint.objects.filter(run=found, name__in=figures.PACE).order_by("epoch")
    return {row.name: row.value for row in rows if row.value is not None}


@require_safe
@project_page()
def curves(request: HttpRequest, project: Project, number: int, arm: int, seed: int) -> HttpResponse:
    """Live lines: losses, or with ``?of=`` the learning rate (rate) or numbers on validation (found, false)."""
    found = run_or_404(request, project, number, arm, seed)
    chart = figures.CHARTS.get(request.GET.get("of", ""), figures.LOSS)
    response = JsonResponse(figures.curves(found, chart))
    response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
@project_page()
def cancel(request: HttpRequest, project: Project, number: int, arm: int, seed: int) -> HttpResponse:
    """Ask the run to stop; its last checkpoint stays."""
    return _control(request, project, run_or_404(request, project, number, arm, seed), "cancel")


@require_POST
@project_page()
def retry(request: HttpRequest, project: Project, number: int, arm: int, seed: int) -> HttpResponse:
    """Queue a failed or cancelled run again; it continues from its checkpoint."""
    return _control(request, project, run_or_404(request, project, number, arm, seed), "retry")


def _control(request: HttpRequest, project: Project, found: Run, verb: Verb) -> HttpResponse:
    control(request, found.job, verb, kept="Its last checkpoint stays, and you can resume.")
    return redirect("experiments:run", project.slug, found.arm.experiment.number, found.arm.position, found.seed)


@require_safe
@project_page()
def artifact(
    request: HttpRequest, project: Project, number: int, arm: int, seed: int, artifact: int
) -> HttpResponseBase:
    """Download a file the run left; who took it is written down."""
    assert isinstance(request.user, User)
    found = run_or_404(request, project, number, arm, seed)
    kept = get_object_or_404(found.artifacts, pk=artifact)
    path = files.absolute(kept.file)
    if not path.is_file():
        raise Http404("The file is not in the data folder any more.")
    services.record_download(actor=request.user, artifact=kept)
    stem = f"experiment-{number}-arm-{arm}-seed-{seed}"
    return download(request, path.open("rb"), filename=f"{stem}-{kept.name}", content_type="application/octet-stream")
