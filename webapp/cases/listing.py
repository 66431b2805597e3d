"""The filtered, sorted list of exams behind the cases page; the address's query says everything about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.contrib.auth.models import AnonymousUser
from django.db.models import F, Q, QuerySet
from django.http import QueryDict

from webapp.accounts.models import Project, User
from webapp.cases.facets import Choice, ExamFacet, Group, exam_facets, groups_of, total
from webapp.cases.models import Exam, ImportFile
from webapp.cases.selectors import exams_of
from webapp.core.registry import CaseColumn, case_columns

SORTS: dict[str, tuple[str, str]] = {
    "case": ("number", "case"),
    "patient": ("patient__pseudonym", "patient"),
    "site": ("patient__site__code", "site"),
    "age": ("patient__age", "age"),
    "date": ("date", "date"),
}
"""Name in the address → (column, word)."""
_LONGEST_SEARCH = 80


@dataclass(frozen=True)
class FacetLine:
    """One line as `components/facet.html` shows it."""

    value: str
    label: str
    count: int
    share: float
    selected: bool


@dataclass(frozen=True)
class ShownFacet:
    """A facet with its counts."""

    name: str
    label: str
    open: bool
    options: list[FacetLine]


@dataclass
class Listing:
    """Everything one address asks for.

    Attributes
    ----------
    exams : QuerySet of Exam
        Filtered and sorted.
    groups : list of Group
        Of exams that pass the search and the facets of other apps, but not this app's own facets.
    """

    project: Project
    query: QueryDict
    search: str
    import_number: int | None
    chosen: dict[str, list[Choice]]
    columns: dict[str, list[str]]
    sort: str
    exams: QuerySet[Exam]
    groups: list[Group]
    _bases: dict[str, QuerySet[Exam]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Exams in the list."""
        return total(group for group in self.groups if self._keeps(group))

    def _keeps(self, group: Group, *, without: str = "") -> bool:
        return all(
            facet.keeps(group, self.chosen[facet.name]) for facet in exam_facets.values() if facet.name != without
        )

    def facets(self) -> list[ShownFacet]:
        """All facets with the count that remains if a line is chosen."""
        shown = [self._own_facet(facet) for facet in exam_facets.values()]
        for name, column in case_columns.providers.items():
            shown.append(self._column_facet(name, column))
        return [facet for facet in shown if facet.options]

    def _own_facet(self, facet: ExamFacet) -> ShownFacet:
        others = [group for group in self.groups if self._keeps(group, without=facet.name)]
        chosen = self.chosen[facet.name]
        if facet.every:
            others = [group for group in others if facet.keeps(group, chosen)]
        everything = total(others)
        lines = []
        for choice in facet.choices(self.groups):
            count = total(group for group in others if choice.holds(group))
            selected = any(one.value == choice.value for one in chosen)
            if count or choice.always or selected:
                lines.append(
                    FacetLine(choice.value, choice.label, count, count / everything if everything else 0.0, selected)
                )
        return ShownFacet(facet.name, facet.label, facet.open, lines)

    def _column_facet(self, name: str, column: CaseColumn) -> ShownFacet:
        counts = column.choices(self.project, self._bases[name])
        largest = sum(count for _, count in counts)
        words = self.columns[name]
        lines = [
            FacetLine(word, word, count, count / largest if largest else 0.0, word in words) for word, count in counts
        ]
        return ShownFacet(name, column.label, True, lines)

    def chips(self) -> list[dict[str, str]]:
        """What is filtered by, each with the address without it."""
        chips = []
        if self.search:
            chips.append(self._chip(f"“{self.search}”", "q", self.query.get("q", "")))
        if self.import_number is not None:
            chips.append(self._chip(f"Import {self.import_number}", "import", str(self.import_number)))
        for facet in exam_facets.values():
            chips += [
                self._chip(f"{facet.label}: {one.label}", facet.name, one.value) for one in self.chosen[facet.name]
            ]
        for name, column in case_columns.providers.items():
            chips += [self._chip(f"{column.label}: {word}", name, word) for word in self.columns[name]]
        return chips

    def _chip(self, label: str, name: str, value: str) -> dict[str, str]:
        rest = self.query.copy()
        rest.setlist(name, [one for one in rest.getlist(name) if one != value])
        rest.pop("page", None)
        return {"label": label, "remove_url": f"?{rest.urlencode()}"}

    def address(self, **changes: str) -> str:
        """The query with some parameters replaced (removed where empty), on page 1."""
        query = self.query.copy()
        query.pop("page", None)
        for name, value in changes.items():
            if value:
                query[name] = value
            else:
                query.pop(name, None)
        return f"?{query.urlencode()}"

    @property
    def sorted_by(self) -> str:
        """``sorted by case, rising``."""
        return f"sorted by {SORTS[self.sort.lstrip('-')][1]}, {'falling' if self.sort.startswith('-') else 'rising'}"


def listing(user: User | AnonymousUser, project: Project, query: QueryDict) -> Listing:
    """Read an address. What it does not understand it leaves out, so that old addresses still open."""
    search = query.get("q", "").replace("\x00", "").strip()[:_LONGEST_SEARCH]
    number = query.get("import", "")
    import_number = int(number) if number.isdecimal() and len(number) < 10 else None
    base = exams_of(user, project).filter(_search(search))
    if import_number is not None:
        of_import = ImportFile.objects.filter(batch__project=project, batch__number=import_number, exam__isnull=False)
        base = base.filter(pk__in=of_import.values("exam_id"))
    columns = {name: _words(query, name) for name in case_columns.providers}
    restricted = _restrict(base, project, columns)
    groups = groups_of(restricted)
    chosen = {facet.name: _chosen(facet, groups, query) for facet in exam_facets.values()}
    own = Q()
    for facet in exam_facets.values():
        own &= facet.condition(chosen[facet.name])
    sort = query.get("sort", "case")
    if sort.lstrip("-") not in SORTS or sort.startswith("--"):
        sort = "case"
    return Listing(
        project=project,
        query=query,
        search=search,
        import_number=import_number,
        chosen=chosen,
        columns=columns,
        sort=sort,
        exams=_sorted(restricted.filter(own), sort),
        groups=groups,
        _bases={name: _restrict(base.filter(own), project, {**columns, name: []}) for name in case_columns.providers},
    )


def filtered_exams(user: User | AnonymousUser, project: Project, query: QueryDict) -> QuerySet[Exam]:
    """The exams of an address in its order, for pages that walk the same list."""
    return listing(user, project, query).exams


def _search(words: str) -> Q:
    """Case number (``12``, ``case 12``) or a part of the pseudonym."""
    if not words:
        return Q()
    condition = Q(patient__pseudonym__icontains=words)
    number = words.lower().removeprefix("case").strip(" #")
    if number.isdecimal() and len(number) < 10:
        condition |= Q(number=int(number))
    return condition


def _words(query: QueryDict, name: str) -> list[str]:
    return list(dict.fromkeys(value for value in query.getlist(name) if value and "\x00" not in value))


def _chosen(facet: ExamFacet, groups: list[Group], query: QueryDict) -> list[Choice]:
    wanted = _words(query, facet.name)
    if not wanted:
        return []
    known = {choice.value: choice for choice in facet.choices(groups)}
    # A line that no exam has any more still filters: to nothing, and its chip says so.
    nothing = [Choice(value, value, lambda group: False, Q(pk__in=[])) for value in wanted if value not in known]
    return [known[value] for value in wanted if value in known] + nothing


def _restrict(exams: QuerySet[Exam], project: Project, columns: dict[str, list[str]]) -> QuerySet[Exam]:
    for name, column in case_columns.providers.items():
        if columns[name]:
            exams = column.restrict(exams, project, columns[name])
    return exams


def _sorted(exams: QuerySet[Exam], sort: str) -> QuerySet[Exam]:
    column = F(SORTS[sort.lstrip("-")][0])
    falling = sort.startswith("-")
    first = column.desc(nulls_last=True) if falling else column.asc(nulls_last=True)
    return exams.order_by(first, "number")
