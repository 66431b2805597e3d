"""What the viewer reads; every query starts from the project the person was let into."""

from __future__ import annotations

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.http import Http404

from webapp.accounts.models import Project
from webapp.annotations.models import Annotation
from webapp.cases.models import Exam, Image, Origin, View
from webapp.datasets.models import SplitAssignment
from webapp.experiments.models import Prediction, Run, RunState
from webapp.experiments.selectors import run_open_beside
from webapp.results.selectors import TEST_SETS


def exam_or_404(project: Project, number: int) -> Exam:
    """The exam with its views and images.

    Raises
    ------
    Http404
        If the project has no exam of this number.
    """
    views = View.objects.select_related("synthesis__batch").prefetch_related("images")
    exam = (
        Exam.objects.filter(project=project, number=number)
        .select_related("patient__site", "project")
        .prefetch_related(Prefetch("views", views))
        .first()
    )
    if exam is None:
        raise Http404("No such case.")
    return exam


def image_or_404(project: Project, image_id: int) -> Image:
    """An image of the project, with its view and exam.

    Raises
    ------
    Http404
        If the project has no such image.
    """
    image = (
        Image.objects.filter(view__exam__project=project, pk=image_id)
        .select_related("view__exam__project", "view__exam__patient")
        .first()
    )
    if image is None:
        raise Http404("No such image.")
    return image


def host_image(image: Image) -> Image | None:
    """The image of the same kind that a synthetic image was made from; None for an acquired image."""
    return Image.objects.filter(view__synthetic_children__view=image.view_id, kind=image.kind).first()


def annotations_of(exam: Exam) -> QuerySet[Annotation]:
    """Current outlines on the exam's views; withdrawn ones are left out."""
    return (
        Annotation.objects.filter(view__exam=exam, current=True, withdrawn=False)
        .select_related("lesion", "view", "author")
        .order_by("lesion__number", "view_id")
    )


def runs_for(exam: Exam) -> QuerySet[Run]:
    """Finished runs of the project whose findings on this exam may be seen, the newest experiment first.

    Where the exam is in a test set, the runs of an experiment are left out until all of them have ended. A run that
    looked and found nothing counts too: its test views are those of its dataset version. Each run carries `split`,
    the split of the exam's patient in its dataset version, or None.
    """
    return (
        _finished(exam)
        .exclude(_locked(exam))
        .select_related("arm__experiment__version__dataset", "arm__experiment__project")
        .annotate(
            findings=Count("predictions", filter=Q(predictions__view__exam=exam), distinct=True),
            split=Subquery(_assigned(exam).values("split")[:1]),
        )
        .order_by("-arm__experiment__number", "arm__position", "seed")
        .distinct()
    )


def locked_experiments(exam: Exam) -> list[int]:
    """Numbers of the experiments that have finished runs on this exam, hidden because other runs are open."""
    return sorted(set(locked_runs(exam).values_list("arm__experiment__number", flat=True)))


def locked_runs(exam: Exam) -> QuerySet[Run]:
    """Finished runs on this exam that are hidden because other runs of their experiment are open."""
    return _finished(exam).filter(_locked(exam))


def _finished(exam: Exam) -> QuerySet[Run]:
    """Finished runs that looked at the exam, locked ones included."""
    tested = Q(
        arm__experiment__version__version_views__view__exam=exam,
        arm__experiment__version__version_views__split__in=TEST_SETS,
    )
    runs = Run.objects.filter(arm__experiment__project=exam.project_id, state=RunState.DONE)
    return runs.filter(tested | Q(predictions__view__exam=exam))


def _locked(exam: Exam) -> Q:
    """Condition on runs: the exam is in a test set of their experiment, and the experiment has an open run."""
    return Q(Exists(_assigned(exam).filter(split__in=TEST_SETS))) & Q(run_open_beside())


def _assigned(exam: Exam) -> QuerySet[SplitAssignment]:
    """Within a query on runs: the split of the exam's patient in the version a run was trained on."""
    return SplitAssignment.objects.filter(version=OuterRef("arm__experiment__version"), patient=exam.patient_id)


def predictions_of(exam: Exam, run: Run, score: float = 0.0) -> QuerySet[Prediction]:
    """Findings of a run on the exam's views with a score above `score` (strictly, as in the protocol)."""
    return (
        Prediction.objects.filter(run=run, view__exam=exam, score__gt=score)
        .select_related("view")
        .order_by("view_id", "rank")
    )


def split_in(run: Run, exam: Exam) -> str | None:
    """Split of the exam's patient in the dataset version the run was trained on; None when not part of it."""
    return (
        SplitAssignment.objects.filter(version=run.arm.experiment.version_id, patient=exam.patient_id)
        .values_list("split", flat=True)
        .first()
    )


def newest_splits(exam: Exam) -> list[SplitAssignment]:
    """Split of the exam's patient in the newest frozen version of each dataset that holds the exam."""
    assignments = (
        SplitAssignment.objects.filter(
            patient=exam.patient_id,
            version__exams=exam,
            version__state="frozen",
            version__dataset__project=exam.project_id,
        )
        .select_related("version__dataset")
        .order_by("version__dataset__name", "-version__number")
    )
    newest: dict[int, SplitAssignment] = {}
    for assignment in assignments:
        newest.setdefault(assignment.version.dataset_id, assignment)
    return list(newest.values())


def acquired(exam: Exam) -> list[View]:
    """Views that were not simulated, of a prefetched exam."""
    return [view for view in exam.views.all() if view.origin != Origin.SYNTHETIC]


def synthetic(exam: Exam) -> list[View]:
    """Simulated views of a prefetched exam."""
    return [view for view in exam.views.all() if view.origin == Origin.SYNTHETIC]
