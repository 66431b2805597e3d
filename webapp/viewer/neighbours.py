"""The case before and after, as the list the reader came from has them."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import QueryDict

from webapp.accounts.models import Project, User
from webapp.cases.listing import filtered_exams
from webapp.cases.models import Exam
from webapp.cases.selectors import exams_of

DISPLAY = ("run", "application", "score", "layout", "kind", "synthetic", "place")
"""Parameters of the address that say how a case is shown; all others are the filter of the cases page."""


@dataclass(frozen=True)
class Neighbours:
    """Where a case stands in the list; numbers are None at its ends."""

    position: int
    total: int
    previous: int | None
    following: int | None


def list_query(query: QueryDict) -> QueryDict:
    """The part of the address that filters and sorts the cases page."""
    kept = query.copy()
    for name in DISPLAY:
        kept.pop(name, None)
    return kept


def neighbours(user: User, project: Project, exam: Exam, query: QueryDict) -> Neighbours:
    """Position of the case in the filtered list; in exam order where the filter leaves it out."""
    numbers = list(filtered_exams(user, project, query).values_list("number", flat=True))
    if exam.number not in numbers:
        numbers = list(exams_of(user, project).order_by("number").values_list("number", flat=True))
    index = numbers.index(exam.number)
    return Neighbours(
        position=index + 1,
        total=len(numbers),
        previous=numbers[index - 1] if index > 0 else None,
        following=numbers[index + 1] if index + 1 < len(numbers) else None,
    )
