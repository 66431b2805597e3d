"""What the cases page learns from datasets: the split of a case in the newest frozen version of the project."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet, Subquery

from webapp.accounts.models import Project
from webapp.cases.models import Exam
from webapp.core.registry import CaseColumn
from webapp.datasets.models import DatasetVersion, Split, SplitAssignment


def _frozen(project: Project) -> QuerySet[DatasetVersion]:
    frozen = DatasetVersion.objects.filter(dataset__project=project, state=DatasetVersion.State.FROZEN)
    return frozen.order_by("-frozen_at", "-pk")


def _newest(project: Project) -> Subquery:
    return Subquery(_frozen(project).values("pk")[:1])


def is_shown(version: DatasetVersion) -> bool:
    """Whether the splits of the cases page are those of this version."""
    return _frozen(version.dataset.project).first() == version


def _values(project: Project, exams: list[int]) -> dict[int, list[str]]:
    rows = SplitAssignment.objects.filter(version=_newest(project), patient__exams__in=exams)
    return {exam: [Split(split).label] for exam, split in rows.values_list("patient__exams", "split")}


def _choices(project: Project, exams: QuerySet[Exam]) -> list[tuple[str, int]]:
    counts = (
        SplitAssignment.objects.filter(version=_newest(project), patient__exams__in=exams.order_by().values("pk"))
        .values_list("split")
        .annotate(exams=Count("patient__exams"))
    )
    found = {str(split): int(number) for split, number in counts}
    return [(split.label, found.get(split.value, 0)) for split in Split]


def _restrict(queryset: QuerySet[Exam], project: Project, words: list[str]) -> Any:
    splits = [split.value for split in Split if split.label in words]
    return queryset.filter(
        patient__in=SplitAssignment.objects.filter(version=_newest(project), split__in=splits).values("patient")
    )


SPLIT_COLUMN = CaseColumn("Split", values=_values, choices=_choices, restrict=_restrict)
