"""Reading the registry; every query starts from what the person may see."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from webapp.accounts.models import Project, User
from webapp.accounts.selectors import projects_of
from webapp.cases.models import Exam
from webapp.experiments.models import Run
from webapp.experiments.selectors import ENDED, all_runs_ended
from webapp.registry.models import AppliedFinding, AppliedView, HistoryEntry, ModelApplication, RegisteredModel, Stage
from webapp.registry.standing import TEST_SETS

TRAINED_ON = "In its training data: findings here are no evidence."
NO_EVIDENCE = {
    "train": "Of a patient in its training data: findings here are no evidence.",
    "validation": "Of a validation patient: the operating points were chosen on it, so findings here are no evidence.",
}


def _stage() -> Subquery:
    decisions = HistoryEntry.objects.filter(model=OuterRef("pk"), kind=HistoryEntry.Kind.STAGE)
    return Subquery(decisions.order_by("-pk").values("stage")[:1])


def models_of(user: User | AnonymousUser, project: Project) -> QuerySet[RegisteredModel]:
    """Models of a project the person may see, newest first, each with the `stage` in force."""
    return (
        RegisteredModel.objects.filter(project=project, project__in=projects_of(user))
        .select_related("project", "version__dataset", "run__arm__experiment")
        .annotate(stage=_stage())
        .order_by("-number")
    )


def usable_models(user: User | AnonymousUser, project: Project) -> QuerySet[RegisteredModel]:
    """Models that may be applied: all but the retired."""
    return models_of(user, project).annotate(in_force=_stage()).exclude(in_force=Stage.RETIRED)


def stage_of(model: RegisteredModel) -> str:
    """The stage in force."""
    decisions = HistoryEntry.objects.filter(model=model, kind=HistoryEntry.Kind.STAGE)
    return decisions.order_by("-pk").values_list("stage", flat=True).first() or Stage.CANDIDATE


def applications_of(user: User | AnonymousUser, project: Project) -> QuerySet[ModelApplication]:
    """Applications of a project the person may see, newest first, with the number of views done."""
    return (
        ModelApplication.objects.filter(project=project, project__in=projects_of(user))
        .select_related("project", "model__run__arm__experiment", "model__version__dataset", "job", "created_by")
        .annotate(done=Count("views", filter=Q(views__state=AppliedView.State.DONE)))
        .order_by("-number")
    )


def locked(application: ModelApplication) -> bool:
    """Whether findings on test patients are hidden: a run of the model's own experiment is open (again)."""
    return not all_runs_ended(application.model.run.arm.experiment)


def visible_views(application: ModelApplication) -> QuerySet[AppliedView]:
    """Views of an application, without those of test sets that are locked now."""
    views = AppliedView.objects.filter(application=application)
    return views.exclude(split__in=TEST_SETS) if locked(application) else views


def ranked_views(application: ModelApplication) -> QuerySet[AppliedView]:
    """Visible views that are done, the highest score first, those without a finding last."""
    return (
        visible_views(application)
        .filter(state=AppliedView.State.DONE)
        .select_related("view__exam")
        .prefetch_related("view__images")
        .annotate(found=Count("findings"))
        .order_by(F("highest_score").desc(nulls_last=True), "view__exam__number", "view_id")
    )


def applications_on(exam: Exam) -> QuerySet[ModelApplication]:
    """Applications whose findings on the exam may be seen, newest first.

    Each carries `split`, that of the exam's patient in the model's dataset version (empty where it has none), and
    `findings`, their number on the exam.
    """
    # by the numbers of its few views: an application may have thousands
    there = [view.pk for view in exam.views.all()]
    of_exam = AppliedView.objects.filter(
        application=OuterRef("pk"), view__in=there, state=AppliedView.State.DONE
    ).order_by("pk")
    found = (
        AppliedFinding.objects.filter(applied_view__application=OuterRef("pk"), applied_view__view__in=there)
        .order_by()
        .values("applied_view__application")
        .annotate(number=Count("pk"))
    )
    open_runs = Run.objects.filter(arm__experiment=OuterRef("model__run__arm__experiment")).exclude(state__in=ENDED)
    return (
        ModelApplication.objects.filter(project=exam.project_id)
        .annotate(
            split=Subquery(of_exam.values("split")[:1]),
            findings=Coalesce(Subquery(found.values("number")), 0),
        )
        .filter(split__isnull=False)
        .exclude(Q(split__in=TEST_SETS) & Q(Exists(open_runs)))
        .select_related("model__run__arm__experiment__version__dataset", "project")
        .order_by("-number")
    )


def findings_on(exam: Exam, application: ModelApplication, score: float = 0.0) -> QuerySet[AppliedFinding]:
    """Findings of an application on the exam's views with a score above `score`."""
    return (
        AppliedFinding.objects.filter(
            applied_view__application=application,
            applied_view__view__in=[view.pk for view in exam.views.all()],
            score__gt=score,
        )
        .select_related("applied_view__view")
        .order_by("applied_view__view_id", "rank")
    )


def no_evidence(applied: AppliedView) -> str:
    """Why findings on the view say nothing about the model; empty where they may."""
    return TRAINED_ON if applied.trained_on else NO_EVIDENCE.get(applied.split, "")


def counts(application: ModelApplication) -> dict[str, Any]:
    """What the page of an application counts, over the views that may be seen."""
    views = visible_views(application)
    done = views.filter(state=AppliedView.State.DONE)
    of_state = dict(views.order_by("state").values_list("state").annotate(number=Count("pk")))
    return {
        "hidden": application.size - views.count(),
        "done": of_state.get(AppliedView.State.DONE, 0),
        "pending": of_state.get(AppliedView.State.PENDING, 0),
        "unreadable": views.filter(state=AppliedView.State.UNREADABLE).select_related("view__exam"),
        "with_finding": done.filter(highest_score__isnull=False).count(),
        "findings": AppliedFinding.objects.filter(applied_view__in=done).count(),
        "trained_on": done.filter(trained_on=True).count(),
        "synthetic": done.filter(origin="synthetic").count(),
        "tested": done.filter(split__in=TEST_SETS).count(),
    }


def scores(application: ModelApplication) -> list[float]:
    """Scores of every finding that may be seen."""
    views = visible_views(application).filter(state=AppliedView.State.DONE)
    return list(AppliedFinding.objects.filter(applied_view__in=views).values_list("score", flat=True))
