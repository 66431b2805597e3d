"""Facets of the cases page that need no query of their own.

Exams are counted once, grouped by everything such facets look at; a facet's counts (what remains if chosen) are sums
over these few groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet
from django.db.models.lookups import Exact, GreaterThan

from webapp.cases import matrix
from webapp.cases.models import Exam, Origin
from webapp.core.registry import Registry


@dataclass(frozen=True)
class Group:
    """Exams that are alike in everything the facets look at."""

    site: str
    origin: str
    cells: int
    needs_look: bool
    lesion_classes: int
    count: int


@dataclass(frozen=True)
class Choice:
    """One line of a facet: how it tells a group, and the same as a condition of the database."""

    value: str
    label: str
    holds: Callable[[Group], bool]
    condition: Q
    always: bool = True
    """Shown even where no exam of the project has it."""


@dataclass(frozen=True)
class ExamFacet:
    """A facet over columns of the exam. With `every`, chosen lines must all hold; else one of them."""

    name: str
    label: str
    choices: Callable[[list[Group]], list[Choice]]
    every: bool = False
    open: bool = True

    def keeps(self, group: Group, chosen: list[Choice]) -> bool:
        """Whether exams of the group stay when these lines are chosen."""
        if not chosen:
            return True
        holds = (choice.holds(group) for choice in chosen)
        return all(holds) if self.every else any(holds)

    def condition(self, chosen: list[Choice]) -> Q:
        """The chosen lines as one condition."""
        whole = Q()
        for choice in chosen:
            whole = whole & choice.condition if self.every else whole | choice.condition
        return whole


exam_facets: Registry[ExamFacet] = Registry("facets over columns of the exam")


def any_bit(column: str, mask: int) -> Q:
    """Exams that have one of the bits."""
    return Q(GreaterThan(F(column).bitand(mask), 0))


def all_bits(column: str, mask: int) -> Q:
    """Exams that have all of the bits."""
    return Q(Exact(F(column).bitand(mask), mask))


def groups_of(exams: QuerySet[Exam]) -> list[Group]:
    """Count exams by everything the facets look at (one query)."""
    rows = (
        exams.order_by()
        .values_list("patient__site__code", "origin", "cells", "needs_look", "lesion_classes")
        .annotate(count=Count("pk"))
    )
    return [Group(*row) for row in rows]


def _sites(groups: list[Group]) -> list[Choice]:
    codes = sorted({group.site for group in groups})
    return [_site(code) for code in codes]


def _site(code: str) -> Choice:
    return Choice(code, code, lambda group: group.site == code, Q(patient__site__code=code))


def _images(_: list[Group]) -> list[Choice]:
    return [
        Choice("all", "All eight images", lambda group: group.cells == matrix.ALL, Q(cells=matrix.ALL)),
        Choice("complete", "Every pair complete", lambda group: matrix.is_complete(group.cells), Q(complete=True)),
        Choice(
            "partner-missing",
            "Partner missing",
            lambda group: bool(matrix.missing_partners(group.cells)),
            Q(complete=False) & ~Q(cells=0),
        ),
        Choice("needs-look", "Needs a look", lambda group: group.needs_look, Q(needs_look=True)),
    ]


def _views(_: list[Group]) -> list[Choice]:
    choices = []
    for laterality, position in matrix.VIEWS:
        mask = matrix.pair_bits(laterality, position)
        choices.append(
            Choice(
                f"{laterality}{position}",
                f"{laterality} {position}",
                lambda group, mask=mask: group.cells & mask == mask,  # type: ignore[misc]
                all_bits("cells", mask),
            )
        )
    return choices


def _origins(_: list[Group]) -> list[Choice]:
    return [
        Choice(origin.value, str(origin.label), lambda group, origin=origin: group.origin == origin, Q(origin=origin))  # type: ignore[misc]
        for origin in (Origin.REAL, Origin.PHANTOM)
    ]


def register_own(registry: Registry[ExamFacet] = exam_facets) -> None:
    """The facets of this app; others follow from the apps above."""
    registry.register("site", ExamFacet("site", "Site", _sites))
    registry.register("images", ExamFacet("images", "Images", _images))
    registry.register("view", ExamFacet("view", "Has both images of", _views, every=True))
    registry.register("origin", ExamFacet("origin", "Origin", _origins))


def total(groups: Iterable[Group]) -> int:
    """How many exams the groups hold."""
    return sum(group.count for group in groups)
