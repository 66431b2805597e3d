"""The cases behind a number: lesion views found and missed, or findings right and wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
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
OUTCOMES = {
    "sensitivity": {"all": "All", "found": "Found", "missed": "Missed"},
    "precision": {"all": "All", "right": "Right", "wrong": "Wrong"},
    "auc": {"all": "All", "malignant": "Malignant", "benign": "Benign"},
}
"""What each measure counts, and how the list may be narrowed."""


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


def cases(project: Project, evaluation: Evaluation, measure: str, group: str, outcome: str) -> list[Case]:
    """The rows that the stored number counts, in the order of exam and view.

    Parameters
    ----------
    measure : {"sensitivity", "precision", "auc"}
        Sensitivity counts malignant lesion views; precision findings called malignant; AUC located findings.
    group : str
        Key of `LESION_TYPES`.
    outcome : str
        Key of `OUTCOMES[measure]`.
    """
    records = [
        (record, kind)
        for record in _records(evaluation, measure, group)
        if outcome in {"all", kind := _kind(record, measure)}
    ]
    views = (
        View.objects.filter(exam__project=project)
        .select_related("exam")
        .prefetch_related("images")
        .in_bulk([view_id(record["sample_id"]) for record, _ in records])
    )
    keys = {
        int(key) for record, _ in records for key in (record.get("lesion_id"), record.get("localised_lesion_id")) if key
    }
    lesions = Lesion.objects.filter(exam__project=project).in_bulk(keys)
    protocol_score = float(evaluation.protocol["score_above"])
    found = [
        _case(project, evaluation, record, kind, measure, views[view_id(record["sample_id"])], lesions, protocol_score)
        for record, kind in records
        if view_id(record["sample_id"]) in views
    ]
    return sorted(found, key=lambda case: (case.view.exam.number, case.view.laterality, case.view.position))


def _records(evaluation: Evaluation, measure: str, group: str) -> list[dict[str, Any]]:
    types = LESION_TYPES[group]
    if measure == "sensitivity":
        return [
            record
            for record in evaluation.result["lesions"]
            if record["malignancy"] == "malignant" and record["lesion_type"] in types
        ]
    findings = evaluation.result["findings"]
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
    evaluation: Evaluation,
    record: dict[str, Any],
    kind: str,
    measure: str,
    view: View,
    lesions: dict[int, Lesion],
    score_above: float,
) -> Case:
    key = record.get("lesion_id") or record.get("localised_lesion_id")
    lesion = lesions.get(int(key)) if key else None
    words = f"{lesion}, {lesion.get_lesion_type_display().lower()}, {lesion.malignancy}" if lesion else "no lesion"
    state = {"found": "ok", "right": "ok", "missed": "missed", "wrong": "warning"}.get(kind, "ok")
    # a miss of low score shows only when findings down to that score are drawn
    score = record["score"]
    shown_above = score_above if score is None or score > score_above else max(0.0, score - 0.005)
    query = urlencode({"run": evaluation.run_id, "score": f"{shown_above:.3f}", "lesion": key or ""})
    kinds = {image.kind: image for image in view.images.all()}
    return Case(
        view=view,
        lesion=words,
        outcome=OUTCOMES[measure][kind],
        reason=record["reason"] or "",
        state=state,
        score=score,
        malignancy=record.get("malignancy") if measure != "sensitivity" else None,
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


def cases_address(project: Project, number: int) -> Callable[..., str]:
    """A function from row, measure and outcome to the address of the cases behind a number."""
    base = reverse("results:cases", args=[project.slug, number])

    def address(row: Any, measure: str, outcome: str = "all") -> str:
        query = {
            "run": row.run.pk,
            "test_set": row.test_set,
            "group": row.group,
            "measure": measure,
            "outcome": outcome,
        }
        return f"{base}?{urlencode(query)}"

    return address
