"""What views are to a model: trained on, of a test patient, locked; and which of them it may be applied to."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import Count, QuerySet

from webapp.cases.models import ImageKind, Origin, View
from webapp.datasets.models import Split, SplitAssignment, VersionView
from webapp.experiments.models import ArmSyntheticView, Experiment, RunState
from webapp.experiments.selectors import all_runs_ended
from webapp.registry.models import RegisteredModel

TEST_SETS = (Split.INTERNAL_TEST, Split.EXTERNAL_TEST)


@dataclass(frozen=True)
class PlannedView:
    """A view a model would be applied to."""

    view_id: int
    origin: str
    split: str
    trained_on: bool


@dataclass
class Plan:
    """What an application would do.

    Attributes
    ----------
    views : list of PlannedView
    left_out : dict of str to int
        Reason → views.
    warnings : list of str
    """

    views: list[PlannedView] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def _leave_out(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1

    @property
    def trained_on(self) -> int:
        """Views the model was trained on."""
        return sum(one.trained_on for one in self.views)

    @property
    def synthetic(self) -> int:
        """Synthetic views."""
        return sum(one.origin == Origin.SYNTHETIC for one in self.views)

    @property
    def tested(self) -> int:
        """Views of test patients of the model's own experiment."""
        return sum(one.split in TEST_SETS for one in self.views)


def plan(model: RegisteredModel, views: QuerySet[View], *, synthetic: bool = False) -> Plan:
    """Which of the views the model may be applied to.

    Views of test patients stay out while runs of the model's own experiment are open (decision 0008: findings of its
    runs on a test set are its results). Synthetic views stay out unless asked for, incomplete ones always.
    """
    experiment = model.run.arm.experiment
    open_runs = not all_runs_ended(experiment)
    splits = dict(SplitAssignment.objects.filter(version=model.version_id).values_list("patient_id", "split"))
    trained = set(
        VersionView.objects.filter(version=model.version_id, split=Split.TRAIN).values_list("view_id", flat=True)
    ) | set(ArmSyntheticView.objects.filter(arm=model.run.arm_id).values_list("synthetic_view__view_id", flat=True))
    made = Plan()
    patients: set[int] = set()
    rows = (
        views.order_by("exam__number", "pk")
        .annotate(
            kinds=Count("images", distinct=True),
            row_sizes=Count("images__rows", distinct=True),
            column_sizes=Count("images__columns", distinct=True),
        )
        .values_list("pk", "origin", "exam__patient_id", "kinds", "row_sizes", "column_sizes")
    )
    for view, origin, patient, kinds, row_sizes, column_sizes in rows:
        split = splits.get(patient, "")
        if (kinds, row_sizes, column_sizes) != (len(ImageKind.values), 1, 1):
            made._leave_out("incomplete: an image is missing, or the two differ in size")
        elif origin == Origin.SYNTHETIC and not synthetic:
            made._leave_out("synthetic, not asked for")
        elif split in TEST_SETS and open_runs:
            made._leave_out(f"in a locked test set: runs of experiment {experiment.number} have not ended")
        else:
            made.views.append(PlannedView(view, origin, split, view in trained))
            patients.add(patient)
    made.warnings = [*_warnings(made), *_other_experiments(model, patients)]
    return made


def _warnings(made: Plan) -> list[str]:
    words = []
    if made.trained_on:
        words.append(
            f"{made.trained_on} of {len(made.views)} views are in the model's training data. Findings there are no "
            "evidence; they are marked."
        )
    if made.tested:
        words.append(
            f"{made.tested} views are of test patients of the model's own experiment. Opening the findings is a look "
            "at its test sets, and counted."
        )
    if made.synthetic:
        words.append(f"{made.synthetic} views are synthetic; they are marked.")
    return words


def _other_experiments(model: RegisteredModel, patients: set[int]) -> list[str]:
    """Experiments of the project that are under way and test on the same patients."""
    own = model.run.arm.experiment_id
    under_way = (
        Experiment.objects.filter(project=model.project_id, arms__runs__state__in=(RunState.QUEUED, RunState.RUNNING))
        .exclude(pk=own)
        .distinct()
        .order_by("number")
    )
    words = []
    for one in under_way:
        tested = set(
            SplitAssignment.objects.filter(version=one.version_id, split__in=TEST_SETS).values_list(
                "patient_id", flat=True
            )
        )
        if shared := len(tested & patients):
            words.append(
                f"{shared} of the patients are in the test sets of experiment {one.number}, which is under way. Its "
                "own results stay locked; do not choose anything in it by what you see here."
            )
    return words
