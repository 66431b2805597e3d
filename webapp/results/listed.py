"""The list of cases that an address asks for, for its page and for going through it in the viewer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, QueryDict

from webapp.accounts.models import Project
from webapp.core.errors import UserError
from webapp.experiments.models import Experiment
from webapp.results import cases as behind
from webapp.results import levels, selectors, subgroups, thresholds
from webapp.results.cases import CaseList
from webapp.results.forms import CasesForm
from webapp.results.models import Evaluation

NO_PART = ("page", "open")
"""Parameters of the address that say nothing about which cases are listed."""


@dataclass(frozen=True)
class Listed:
    """What an address of cases names.

    Attributes
    ----------
    asked : dict
        Cleaned data of `CasesForm`.
    evaluation : Evaluation
    against : Evaluation or None
        Of the run that is compared with.
    query : str
        The address's query, without what says nothing about the cases.
    """

    project: Project
    experiment: Experiment
    asked: dict[str, Any]
    evaluation: Evaluation
    against: Evaluation | None
    query: str

    @cached_property
    def cases(self) -> CaseList:
        """The cases, in the order of exam and view.

        Raises
        ------
        Http404
            If the matching of the protocol has no other threshold.
        """
        asked, score = self.asked, self.asked["score"]
        only = behind.bounded(asked["measure"], asked["at_least"], asked["below"])
        if asked["subgroup"]:
            only = subgroups.within(self.experiment, self.evaluation, asked["subgroup"])
        try:
            if asked["level"]:
                return levels.cases(
                    self.project, self.evaluation, asked["level"], asked["group"], asked["outcome"], score, only=only
                )
            at = None if score is None else thresholds.outcomes_above(self.evaluation, score)
        except UserError as error:
            raise Http404(str(error)) from error
        return behind.cases(
            self.project,
            self.evaluation,
            asked["measure"],
            asked["group"],
            asked["outcome"],
            reason=asked["reason"],
            against=self.against,
            at=at,
            only=only,
        )

    @property
    def measure(self) -> str:
        """What is listed, in words."""
        return selectors.MEASURES.get(self.asked["measure"]) or f"Views by {levels.LEVELS[self.asked['level']].lower()}"

    @property
    def title(self) -> str:
        """Measure, lesions and test set."""
        asked = self.asked
        return f"{self.measure}, {selectors.GROUPS[asked['group']].lower()}, {selectors.TEST_SETS[asked['test_set']]}"

    @property
    def words(self) -> str:
        """One line for a page that goes through the cases."""
        offered = behind.OUTCOMES[self.asked["measure"]] | behind.CHANGES
        parts = [offered[self.asked["outcome"]], self.title, str(self.evaluation.run)]
        parts += [part for part in (self.asked["reason"], subgroups.words(self.asked["subgroup"])) if part]
        return "; ".join(parts)

    @property
    def walk(self) -> str:
        """As `walk`."""
        return walk(self.experiment.number, self.query)


def walk(number: int, query: str) -> str:
    """What an address of the viewer carries so that next and previous go through the cases of an experiment's list."""
    return urlencode({"behind": f"{number}?{query}"})


def listed(project: Project, experiment: Experiment, query: QueryDict) -> Listed:
    """What a query asks for; the caller has made sure that the results are open.

    Raises
    ------
    Http404
        If it names no number of the experiment's results.
    """
    form = CasesForm(query)
    if not form.is_valid():
        raise Http404("The address names no number of these results.")
    asked = form.cleaned_data
    evaluated = selectors.evaluations(experiment)
    evaluation = evaluated.get((asked["run"], asked["test_set"]))
    against = evaluated.get((asked["against"], asked["test_set"]))
    if evaluation is None or (asked["against"] and against is None):
        raise Http404("This run was not evaluated on this test set.")
    part = query.copy()
    for name in NO_PART:
        part.pop(name, None)
    return Listed(project, experiment, asked, evaluation, against, part.urlencode())
