"""The cases behind a number: lesion views found and missed, or findings right and wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload
from urllib.parse import urlencode

from django.urls import reverse

from webapp.accounts.models import Project
from webapp.annotations.models import Lesion
from webapp.cases.models import View
from webapp.experiments.sample_sets import view_id
from webapp.results.models import Evaluation

LESION_TYPES = {
    "malignant": frozenset({"mass", "cluster", "both", "other"}),
    "malignant_mass": frozenset({"mass"}),
    "malignant_cluster": frozenset({"cluster", "both"}),
}
MOST_AT_ONCE = 500
"""Views asked for in one query."""
OUTCOMES = {
    "sensitivity": {"all": "All", "found": "Found", "missed": "Missed"},
    "precision": {"all": "All", "right": "Right", "wrong": "Wrong"},
    "auc": {"all": "All", "malignant": "Malignant", "benign": "Benign"},
    "views": {
        "all": "All",
        "tp": "Malignant, called so",
        "fn": "Malignant, missed",
        "fp": "Called malignant, is not",
        "tn": "Neither",
        "unscored": "Not scored",
    },
}
"""What each measure counts, and how the list may be narrowed."""
CHANGES = {"gained": "Gained", "lost": "Lost", "both": "Both found", "neither": "Both missed"}
"""Further outcomes of sensitivity beside a reference run: found by the run alone, by the other alone, by both, none."""


@dataclass(frozen=True)
class Case:
    """A lesion view, or a finding on a view, with what became of it."""

    view: View
    lesion: str
    outcome: str
    reason: str
    state: str
    score: float | None
    malignancy: float | None
    iou: float | None
    viewer_url: str
    images: list[dict[str, Any]]


@dataclass(frozen=True)
class Outcomes:
    """What became of lesions and findings at one score threshold, as `TestSetResult` stores it."""

    lesions: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    score_above: float

    @classmethod
    def stored(cls, evaluation: Evaluation) -> Outcomes:
        """Those at the threshold of the protocol."""
        result = evaluation.result
        return cls(result["lesions"], result["findings"], float(evaluation.protocol["score_above"]))


def places_of(views: set[int]) -> dict[int, tuple[Any, ...]]:
    """Exam number, laterality and position of views: the order of every list of cases."""
    wanted = sorted(views)
    return {
        key: tuple(place)
        # in parts: a test set may have more views than a query takes parameters
        for start in range(0, len(wanted), MOST_AT_ONCE)
        for key, *place in View.objects.filter(pk__in=wanted[start : start + MOST_AT_ONCE]).values_list(
            "pk", "exam__number", "laterality", "position"
        )
    }


class CaseList(Sequence[Case]):
    """Cases in the order of exam and view; pictures and addresses are looked up for the part that is read."""

    def __init__(
        self, project: Project, run_id: int, measure: str, score_above: float, rows: list[tuple[dict[str, Any], str]]
    ) -> None:
        self._project, self._run_id, self._measure, self._score_above = project, run_id, measure, score_above
        self._places = places_of({view_id(record["sample_id"]) for record, _ in rows})
        known = [(record, kind) for record, kind in rows if view_id(record["sample_id"]) in self._places]
        self._rows = sorted(known, key=lambda row: self._places[view_id(row[0]["sample_id"])])

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Case]:
        return iter(self[:])

    @overload
    def __getitem__(self, index: int) -> Case: ...
    @overload
    def __getitem__(self, index: slice) -> list[Case]: ...
    def __getitem__(self, index: int | slice) -> Case | list[Case]:
        if isinstance(index, int):
            return self._read([self._rows[index]])[0]
        return self._read(self._rows[index])

    def stops(self) -> list[tuple[int, str]]:
        """Number of the exam and key of the lesion (empty without one) of each case; a lesion on two views once."""
        places = ((int(self._places[view_id(record["sample_id"])][0]), _lesion_key(record)) for record, _ in self._rows)
        return list(dict.fromkeys(places))

    def _read(self, rows: list[tuple[dict[str, Any], str]]) -> list[Case]:
        keys = {view_id(record["sample_id"]) for record, _ in rows}
        views = View.objects.select_related("exam").prefetch_related("images").in_bulk(keys)
        lesions = Lesion.objects.filter(exam__project=self._project).in_bulk(
            {int(key) for record, _ in rows if (key := _lesion_key(record))}
        )
        return [
            _case(
                self._project,
                self._run_id,
                record,
                kind,
                self._measure,
                views[view_id(record["sample_id"])],
                lesions,
                self._score_above,
            )
            for record, kind in rows
        ]


def cases(
    project: Project,
    evaluation: Evaluation,
    measure: str,
    group: str,
    outcome: str,
    *,
    reason: str = "",
    against: Evaluation | None = None,
    at: Outcomes | None = None,
    only: Callable[[dict[str, Any]], bool] | None = None,
) -> CaseList:
    """The rows that a number counts, in the order of exam and view.

    Parameters
    ----------
    measure : {"sensitivity", "precision", "auc"}
        Sensitivity counts malignant lesion views; precision findings called malignant; AUC located findings.
    group : str
        Key of `LESION_TYPES`.
    outcome : str
        Key of `OUTCOMES[measure]`, or of `CHANGES` where `against` is given.
    reason : str, optional
        Only rows with this reason.
    against : Evaluation, optional
        Of the reference run, for lesions gained and lost.
    at : Outcomes, optional
        At another score threshold than the protocol's.
    only : callable, optional
        From a record to whether it is listed, for subgroups and bins.
    """
    at = at or Outcomes.stored(evaluation)
    chosen = [
        (record, _kind(record, measure)) for record in _records(at, measure, group) if only is None or only(record)
    ]
    if outcome in CHANGES:
        before = _hits(Outcomes.stored(against)) if against else set()
        wanted = "found" if outcome in {"gained", "both"} else "missed"
        chosen = [
            (record, kind)
            for record, kind in chosen
            if kind == wanted
            and ((record["sample_id"], record["lesion_id"]) in before) == (outcome in {"lost", "both"})
        ]
    elif outcome != "all":
        chosen = [(record, kind) for record, kind in chosen if kind == outcome]
    if reason:
        chosen = [(record, kind) for record, kind in chosen if record["reason"] == reason]
    return CaseList(project, evaluation.run_id, measure, at.score_above, chosen)


def bounded(measure: str, at_least: float | None, below: float | None) -> Callable[[dict[str, Any]], bool] | None:
    """Whether the probability of a record lies in [at_least, below): malignancy of a finding, score of a view."""
    if at_least is None and below is None:
        return None
    name = "score" if measure == "views" else "malignancy"
    low, high = at_least or 0.0, 2.0 if below is None else below
    return lambda record: low <= float(record[name]) < high


def _hits(outcomes: Outcomes) -> set[tuple[str, str]]:
    return {(record["sample_id"], record["lesion_id"]) for record in outcomes.lesions if record["outcome"] == "TP"}


def _lesion_key(record: dict[str, Any]) -> str:
    return str(record.get("lesion_id") or record.get("localised_lesion_id") or "")


def _records(at: Outcomes, measure: str, group: str) -> list[dict[str, Any]]:
    types = LESION_TYPES[group]
    if measure == "sensitivity":
        return [
            record for record in at.lesions if record["malignancy"] == "malignant" and record["lesion_type"] in types
        ]
    findings = at.findings
    if measure == "precision":
        called = [record for record in findings if record["called_malignant"] and record["outcome"] in {"TP", "FP"}]
        if group == "malignant":
            return called
        return [record for record in called if record["lesion_type"] == group.removeprefix("malignant_")]
    return [
        record
        for record in findings
        if record["localised_malignancy"] in {"benign", "malignant"} and record["localised_type"] in types
    ]


def _kind(record: dict[str, Any], measure: str) -> str:
    right = record["outcome"] == "TP"
    if measure == "sensitivity":
        return "found" if right else "missed"
    if measure == "precision":
        return "right" if right else "wrong"
    return str(record["localised_malignancy"])


def _case(
    project: Project,
    run_id: int,
    record: dict[str, Any],
    kind: str,
    measure: str,
    view: View,
    lesions: dict[int, Lesion],
    score_above: float,
) -> Case:
    key = _lesion_key(record)
    lesion = lesions.get(int(key)) if key else None
    words = record.get("words", "no lesion")
    if lesion:
        words = f"{lesion}, {lesion.get_lesion_type_display().lower()}, {lesion.malignancy}"
    state = {"missed": "missed", "fn": "missed", "wrong": "warning", "fp": "warning"}.get(kind, "ok")
    query = urlencode({"run": run_id, "score": f"{score_above:.3f}"} | ({"focus": key} if key else {}))
    kinds = {image.kind: image for image in view.images.all()}
    return Case(
        view=view,
        lesion=words,
        outcome=OUTCOMES[measure][kind],
        reason=record["reason"] or "",
        state=state,
        score=record["score"],
        malignancy=record.get("malignancy") if measure in {"precision", "auc"} else None,
        iou=record["iou"],
        viewer_url=f"{reverse('viewer:case', args=[project.slug, view.exam.number])}?{query}",
        images=[
            {
                "label": f"{view}, {words_of_kind}",
                "url": reverse("viewer:rendered", args=[project.slug, kinds[kind].pk]) if kind in kinds else None,
            }
            for kind, words_of_kind in (("low_energy", "low energy"), ("recombined", "recombined"))
        ],
    )


OPEN = {"open": "first"}
"""What the marks of figures add to the address of their cases: the viewer opens on the first of them."""


def cases_address(project: Project, number: int) -> Callable[..., str]:
    """A function from row, measure and outcome to the address of the cases behind a number."""
    base = reverse("results:cases", args=[project.slug, number])

    def address(row: Any, measure: str, outcome: str = "all", **narrowed: Any) -> str:
        query = {
            "run": row.run.pk,
            "test_set": row.test_set,
            "group": row.group,
            "measure": measure,
            "outcome": outcome,
            **narrowed,
        }
        return f"{base}?{urlencode(query)}"

    return address
