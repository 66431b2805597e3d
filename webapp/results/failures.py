"""Why lesions were missed, at the threshold of the protocol, by arm and test set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from webapp.experiments.models import Experiment, Run
from webapp.results import selectors
from webapp.results.cases import LESION_TYPES, OPEN
from webapp.results.curves import Evaluated
from webapp.results.forms import REASONS
from webapp.results.kept import kept
from webapp.results.models import Evaluation
from webapp.results.stored import result_of

FOUND = "found"
COLOURS = {
    FOUND: "role:s3",
    "no overlap": "role:s2",
    "low score": "role:s1",
    "wrong class": "role:s4",
    "outside top": "role:s5",
    "finding taken": "role:s6",
}


def breakdown(experiment: Experiment, group: str, cases_url: Callable[..., str]) -> list[dict[str, Any]]:
    """One stacked figure a test set: malignant lesion views found, and missed by reason; each part opens its cases."""
    found = selectors.evaluations(experiment)
    panels = []
    for test_set in selectors.present_test_sets(experiment):
        rows = []
        for run in _runs(experiment):
            evaluation = found.get((run.pk, test_set))
            if evaluation is not None and selectors.short(evaluation)["sensitivity"][group]["denominator"]:
                rows.append((run, found_and_missed(evaluation, group)))
        traces = [
            {
                "type": "bar",
                "orientation": "h",
                "name": outcome,
                "x": [reasons[outcome] for _, reasons in rows],
                "y": [str(run) for run, _ in rows],
                "marker": {"color": COLOURS[outcome]},
                "customdata": [
                    {
                        "text": f"{run}: {reasons[outcome]} of {sum(reasons.values())} {outcome}",
                        "url": _address(cases_url, Evaluated(run, test_set, group), outcome, **OPEN),
                    }
                    for run, reasons in rows
                ],
                "hovertemplate": "%{customdata.text}<extra></extra>",
            }
            for outcome in COLOURS
        ]
        panels.append(
            {
                "test_set": test_set,
                "label": selectors.TEST_SETS[test_set],
                "rows": [
                    {
                        "run": run,
                        "lesions": sum(reasons.values()),
                        "parts": [
                            {
                                "count": reasons[outcome],
                                "url": _address(cases_url, Evaluated(run, test_set, group), outcome),
                            }
                            for outcome in COLOURS
                        ],
                    }
                    for run, reasons in rows
                ],
                "figure": {
                    "data": traces,
                    "layout": {
                        "barmode": "stack",
                        "xaxis": {"title": {"text": "lesion views"}, "rangemode": "tozero"},
                        "yaxis": {"autorange": "reversed"},
                    },
                },
                "height": 110 + 34 * max(1, len(rows)),
            }
        )
    return panels


def _address(cases_url: Callable[..., str], row: Evaluated, outcome: str, **narrowed: str) -> str:
    if outcome == FOUND:
        return cases_url(row, "sensitivity", "found", **narrowed)
    return cases_url(row, "sensitivity", "missed", reason=outcome, **narrowed)


def found_and_missed(evaluation: Evaluation, group: str) -> Counter[str]:
    """How many lesion views of the group were found, and missed for each reason."""
    return kept("reasons", [evaluation.inputs_hash, group], lambda: _count(evaluation, group))


def _count(evaluation: Evaluation, group: str) -> Counter[str]:
    counted: Counter[str] = Counter(dict.fromkeys((FOUND, *REASONS), 0))
    for row in result_of(evaluation).lesions:
        if row.malignancy == "malignant" and row.lesion_type in LESION_TYPES[group]:
            counted[FOUND if row.outcome == "TP" else str(row.reason)] += 1
    return counted


def _runs(experiment: Experiment) -> Iterable[Run]:
    return (run for arm in experiment.arms.all() for run in arm.runs.all())
