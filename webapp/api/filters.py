"""Filters of lists; an unknown value of a choice is an error, not an empty list."""

from __future__ import annotations

import django_filters as filters
from django.db.models import Exists, OuterRef, Q, QuerySet

from webapp.annotations.models import Lesion, LesionType, Malignancy
from webapp.cases.models import Exam, Origin
from webapp.datasets.models import Split, SplitAssignment
from webapp.experiments.models import Prediction
from webapp.jobs.models import Job, JobState
from webapp.registry.models import RegisteredModel, Stage
from webapp.reviews.models import Answer, Reason
from webapp.simulations.models import SyntheticView


class CaseFilter(filters.FilterSet):
    """By number or pseudonym, site, origin, state, and a lesion of the given class."""

    q = filters.CharFilter(method="search", label="Case number, or a part of the pseudonym.")
    site = filters.CharFilter(field_name="patient__site__code", label="Code of the site.")
    origin = filters.ChoiceFilter(choices=Origin.choices)
    complete = filters.BooleanFilter()
    needs_look = filters.BooleanFilter()
    lesion_type = filters.ChoiceFilter(choices=LesionType.choices, method="with_lesion", label="Of a lesion.")
    malignancy = filters.ChoiceFilter(
        choices=Malignancy.choices, method="with_lesion", label="Of a lesion: of the same one as `lesion_type`."
    )

    class Meta:
        model = Exam
        fields: list[str] = []

    def search(self, exams: QuerySet[Exam], name: str, words: str) -> QuerySet[Exam]:
        """As on the cases page."""
        found = Q(patient__pseudonym__icontains=words)
        if words.isdecimal() and len(words) < 10:
            found |= Q(number=int(words))
        return exams.filter(found)

    def with_lesion(self, exams: QuerySet[Exam], name: str, value: str) -> QuerySet[Exam]:
        """Both parameters speak of one lesion; asked twice, it restricts the same way twice."""
        chosen = {key: self.form.cleaned_data[key] for key in ("lesion_type", "malignancy")}
        wanted = {key: word for key, word in chosen.items() if word}
        return exams.filter(Exists(Lesion.objects.filter(exam=OuterRef("pk"), **wanted)))


class LesionFilter(filters.FilterSet):
    """By case and class."""

    case = filters.NumberFilter(field_name="exam__number", label="Number of the case.")
    lesion_type = filters.ChoiceFilter(choices=LesionType.choices)
    malignancy = filters.ChoiceFilter(choices=Malignancy.choices)
    origin = filters.ChoiceFilter(choices=Origin.choices)

    class Meta:
        model = Lesion
        fields: list[str] = []


class SplitFilter(filters.FilterSet):
    """By split."""

    split = filters.ChoiceFilter(choices=Split.choices)

    class Meta:
        model = SplitAssignment
        fields: list[str] = []


class PredictionFilter(filters.FilterSet):
    """By split (required, since test sets are locked and counted), case and score."""

    split = filters.ChoiceFilter(choices=Split.choices, required=True)
    case = filters.NumberFilter(field_name="view__exam__number", label="Number of the case.")
    score_above = filters.NumberFilter(field_name="score", lookup_expr="gt", label="Strictly above.")

    class Meta:
        model = Prediction
        fields: list[str] = []


class ModelFilter(filters.FilterSet):
    """By stage, preset, dataset and experiment."""

    stage = filters.ChoiceFilter(choices=Stage.choices, label="In force.")
    preset = filters.CharFilter()
    dataset = filters.CharFilter(field_name="version__dataset__slug", label="Slug of the dataset it was trained on.")
    experiment = filters.NumberFilter(field_name="run__arm__experiment__number", label="Number of the experiment.")

    class Meta:
        model = RegisteredModel
        fields: list[str] = []


class JobFilter(filters.FilterSet):
    """By state and kind."""

    state = filters.ChoiceFilter(choices=JobState.choices)
    kind = filters.CharFilter()

    class Meta:
        model = Job
        fields: list[str] = []


class SyntheticViewFilter(filters.FilterSet):
    """By class and verdict."""

    malignancy = filters.ChoiceFilter(choices=[("benign", "Benign"), ("malignant", "Malignant")])
    quality = filters.ChoiceFilter(choices=SyntheticView.Quality.choices)

    class Meta:
        model = SyntheticView
        fields: list[str] = []


class AnswerFilter(filters.FilterSet):
    """By reader, reason, item and whether it is in force."""

    reader = filters.CharFilter(field_name="reader__username", label="Name of the reader.")
    reason = filters.ChoiceFilter(choices=Reason.choices)
    position = filters.NumberFilter(field_name="item__position", label="Position of the item.")
    current = filters.BooleanFilter(label="Only answers in force, or only earlier revisions.")

    class Meta:
        model = Answer
        fields: list[str] = []
