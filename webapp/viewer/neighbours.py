"""The case before and after, as the list the reader came from has them: the cases page, or cases behind a number."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404, QueryDict

from webapp.accounts.models import Project, User
from webapp.cases.listing import filtered_exams
from webapp.cases.models import Exam
from webapp.cases.selectors import exams_of
from webapp.experiments.selectors import all_runs_ended
from webapp.results.kept import kept
from webapp.results.listed import Listed, listed
from webapp.results.selectors import experiments_with_results

FINDER = ("run", "application", "score")
"""Parameters of the address that say whose findings are shown; they go along to the next case."""
DISPLAY = (*FINDER, "layout", "kind", "synthetic", "shown", "place", "focus", "off")
"""Parameters of the address that say how a case is shown; all but these and `behind` filter the cases page."""
BEHIND = "behind"
"""Parameter that holds ``<experiment>?<query of a list of cases of its results>``."""
KEPT = 600
"""Seconds for which the order of the cases behind a number is kept."""


@dataclass(frozen=True)
class Stop:
    """A case to go to, and the lesion it opens on (empty for none)."""

    number: int
    focus: str = ""


@dataclass(frozen=True)
class Neighbours:
    """Where a case stands in the list; None at its ends."""

    position: int
    total: int
    previous: Stop | None
    following: Stop | None


def list_query(query: QueryDict) -> QueryDict:
    """The part of the address that says which cases are gone through."""
    kept_part = query.copy()
    for name in DISPLAY:
        kept_part.pop(name, None)
    return kept_part


def neighbours(user: User, project: Project, exam: Exam, query: QueryDict) -> Neighbours:
    """Position of the case in the filtered list; in exam order where the filter leaves it out."""
    numbers = list(filtered_exams(user, project, query).values_list("number", flat=True))
    if exam.number not in numbers:
        numbers = list(exams_of(user, project).order_by("number").values_list("number", flat=True))
    return _around([Stop(number) for number in numbers], numbers.index(exam.number))


def cases_behind(user: User, project: Project, value: str) -> Listed:
    """The cases behind a number of results that an address goes through.

    Raises
    ------
    Http404
        If it names none, or the results of its experiment are locked.
    """
    number, _, query = value.partition("?")
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise Http404("The address names no results to go through.")
    experiment = experiments_with_results(user, project).filter(number=int(number)).first()
    if experiment is None or not all_runs_ended(experiment):
        raise Http404("The address names no results to go through.")
    return listed(project, experiment, QueryDict(query))


def neighbours_behind(found: Listed, exam: Exam, focus: str) -> Neighbours:
    """Position of the case, and of the lesion it opens on, among the cases behind a number.

    Raises
    ------
    Http404
        If the case is not one of them.
    """
    stops = kept(
        "stops",
        [found.evaluation.inputs_hash, found.against.inputs_hash if found.against else "", found.query],
        lambda: [Stop(number, lesion) for number, lesion in found.cases.stops()],
        seconds=KEPT,
    )
    of_exam = [place for place, stop in enumerate(stops) if stop.number == exam.number]
    if not of_exam:
        raise Http404("The case is not in the list that the address goes through.")
    return _around(stops, next((place for place in of_exam if stops[place].focus == focus), of_exam[0]))


def _around(stops: list[Stop], index: int) -> Neighbours:
    return Neighbours(
        position=index + 1,
        total=len(stops),
        previous=stops[index - 1] if index > 0 else None,
        following=stops[index + 1] if index + 1 < len(stops) else None,
    )
