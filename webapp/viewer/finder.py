"""Whose findings an address asks for: a run's, or those of an application of a registered model."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404, QueryDict

from webapp.accounts.models import User
from webapp.cases.models import Exam
from webapp.experiments.models import Run, RunState
from webapp.registry.models import AppliedView, ModelApplication
from webapp.registry.selectors import applications_of, applications_on
from webapp.viewer import selectors
from webapp.viewer.forms import LayerForm

LOCKED = "Findings on this test case are locked until the runs of experiment {} end."
NOT_LOOKED_AT = "This run did not look at this case."
NOT_APPLIED = "The model was not applied to this case, or could not read it."


@dataclass(frozen=True)
class Absent:
    """A run or application of the project that shows nothing on this case.

    It stays chosen, so that going through cases does not drop it where one of them has no findings to show.

    Attributes
    ----------
    key : str
        Of its option in the page.
    label, words : str
        What it is, and why nothing of it is shown.
    """

    key: str
    label: str
    words: str


@dataclass(frozen=True)
class Finder:
    """What an address asks for.

    Attributes
    ----------
    shown : Run or ModelApplication or None
        As `selectors.runs_for` or `registry.selectors.applications_on` gives it.
    score : float
        Findings at or below it are left out.
    absent : Absent or None
        In place of `shown` where nothing of it may be shown on this case.
    """

    shown: Run | ModelApplication | None
    score: float
    absent: Absent | None = None


def finder(query: QueryDict, exam: Exam, user: User) -> Finder:
    """Run or application, and score, of an address.

    Raises
    ------
    Http404
        If the project has no finished run and no application of that number, or both are named.
    """
    form = LayerForm(query)
    if not form.is_valid():
        raise Http404("The address names no run, application or score that could be shown.")
    score = form.cleaned_data["score"] or 0.0
    run, application = form.cleaned_data["run"], form.cleaned_data["application"]
    if run is not None and application is not None:
        raise Http404("The address names both a run and an application.")
    if run is not None:
        shown = selectors.runs_for(exam).filter(pk=run).first()
        return Finder(shown, score, None if shown else _absent_run(exam, run))
    if application is not None:
        applied = applications_on(exam).filter(number=application).first()
        return Finder(applied, score, None if applied else _absent_application(exam, application, user))
    return Finder(None, score)


def _absent_run(exam: Exam, key: int) -> Absent:
    found = (
        Run.objects.filter(arm__experiment__project=exam.project_id, state=RunState.DONE, pk=key)
        .select_related("arm__experiment")
        .first()
    )
    if found is None:
        raise Http404("No such run.")
    number = found.arm.experiment.number
    locked = selectors.locked_runs(exam).filter(pk=key).exists()
    return Absent(str(key), f"{found} (experiment {number})", LOCKED.format(number) if locked else NOT_LOOKED_AT)


def _absent_application(exam: Exam, number: int, user: User) -> Absent:
    found = applications_of(user, exam.project).filter(number=number).first()
    if found is None:
        raise Http404("No such application.")
    seen = AppliedView.objects.filter(application=found, view__exam=exam, state=AppliedView.State.DONE).exists()
    return Absent(
        f"application-{number}",
        f"{found.model} (application {number})",
        LOCKED.format(found.model.run.arm.experiment.number) if seen else NOT_APPLIED,
    )
