"""Where lower pages learn what higher apps know, without importing them.

An app registers in its `AppConfig.ready()`. Providers are called in registration order (the order of the apps).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Provider = TypeVar("Provider")


@dataclass
class Registry(Generic[Provider]):
    """An ordered list of named providers."""

    purpose: str
    providers: dict[str, Provider] = field(default_factory=dict)

    def register(self, name: str, provider: Provider) -> Provider:
        """Add `provider`; a second registration under the same name is a programming error."""
        if name in self.providers:
            raise ValueError(f"{self.purpose}: {name!r} is registered already")
        self.providers[name] = provider
        return provider

    def values(self) -> list[Provider]:
        """All providers in order of registration."""
        return list(self.providers.values())


@dataclass(frozen=True)
class Panel:
    """A panel of a page, given by an app above it.

    `context(request, project, subject)` returns the template's context, or None to leave the panel out.
    `area` places it ("main" or "side"); panels of one area stand in order of `position`.
    """

    template: str
    context: Callable[[Any, Any, Any], dict[str, Any] | None]
    area: str = "main"
    position: int = 50


@dataclass(frozen=True)
class CaseColumn:
    """A column or facet of the cases page, given by an app above it.

    `values(project, exam_ids)` returns {exam id: list of words}; `choices(project)` the facet's words with counts;
    `restrict(queryset, project, words)` keeps the exams that have one of the words.
    """

    label: str
    values: Callable[[Any, list[int]], dict[int, list[str]]]
    choices: Callable[[Any, Any], list[tuple[str, int]]]
    restrict: Callable[[Any, Any, list[str]], Any]


@dataclass(frozen=True)
class SelectionAction:
    """What may be done with chosen exams of the cases page, given by an app above it.

    The page's form is posted to `url_name` (argument: project slug) with `case` (exam numbers, repeated) or with
    `all=1` and `query` (the page's filters); `cases.selection.selected_exams(request, project)` reads either.
    `primary` makes it the one that stands out; it and `whole_list` are also offered for all exams of the list;
    `visible(role)` hides it from people who cannot use it.
    """

    label: str
    url_name: str
    icon: str = "plus"
    primary: bool = False
    whole_list: bool = False
    note: str = ""
    visible: Callable[[str], bool] = lambda role: True


@dataclass(frozen=True)
class NavigationEntry:
    """An entry of the rail; `visible(role)` hides it from people who cannot use it."""

    section: str
    label: str
    icon: str
    url_name: str
    key: str
    position: int
    visible: Callable[[str], bool] = lambda role: True
    count: Callable[[Any], int] | None = None


@dataclass(frozen=True)
class ResultAction:
    """What may be done with the cases behind a number of results, given by an app above them.

    A link to `url_name` (argument: project slug) that carries the query of the list of cases. `label` is a verb.
    """

    label: str
    url_name: str
    icon: str
    visible: Callable[[str], bool] = lambda role: True


home_panels: Registry[Panel] = Registry("panels of the project home")
case_panels: Registry[Panel] = Registry("panels of the case page")
run_panels: Registry[Panel] = Registry("panels of the page of a run")
case_columns: Registry[CaseColumn] = Registry("columns and facets of the cases page")
selection_actions: Registry[SelectionAction] = Registry("actions on chosen exams of the cases page")
result_actions: Registry[ResultAction] = Registry("actions on the cases behind a number")
navigation: Registry[NavigationEntry] = Registry("entries of the rail")
