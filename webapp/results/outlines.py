"""How well found lesions are outlined: Dice of every lesion view as violins, means over found and over all."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from webapp.accounts.models import Project
from webapp.core.templatetags.cemlab import FEWEST_SHOWN
from webapp.experiments.models import Experiment, Run
from webapp.experiments.sample_sets import view_id
from webapp.results import selectors
from webapp.results.cases import LESION_TYPES, cases_address, places_of
from webapp.results.curves import COLOURS, Evaluated
from webapp.results.kept import kept
from webapp.results.listed import walk
from webapp.results.models import Evaluation
from webapp.results.stored import result_of

SPREAD = 0.3
"""Width over which the points of a run are spread, in runs, so that they do not cover each other."""
GOLDEN = 0.6180339887
"""Steps of this share of the width fall evenly and never twice on one place."""


def numbers(evaluation: Evaluation, group: str) -> dict[str, Any]:
    """`detection.evaluation.dice.MeanDice` as JSON, and the Dice of each found lesion view in ``"values"``."""
    return kept("dice", [evaluation.inputs_hash, group], lambda: _compute(evaluation, group))


def _compute(evaluation: Evaluation, group: str) -> dict[str, Any]:
    from detection.evaluation.dice import mean_dice

    result = result_of(evaluation)
    values = [
        {"sample_id": row.sample_id, "lesion_id": row.lesion_id, "dice": row.dice, "score": row.score}
        for row in result.lesions
        if row.malignancy == "malignant" and row.lesion_type in LESION_TYPES[group] and row.dice is not None
        if result.groups_known or group == "malignant"
    ]
    return mean_dice(result, group).to_json() | {"values": values}  # type: ignore[arg-type]


def panels(experiment: Experiment, group: str, project: Project) -> list[dict[str, Any]]:
    """One entry a test set, internal first.

    Returns
    -------
    list of dict
        ``{"test_set", "label", "figure", "rows": [{"run", "found", "every", "without", "found_url", "every_url"}],
        "points"}``; ``points`` is how many the figure has.
    """
    found = selectors.evaluations(experiment)
    address = cases_address(project, experiment.number)
    entries = []
    for test_set in selectors.present_test_sets(experiment):
        members = [
            (run, numbers(found[run.pk, test_set], group))
            for arm in experiment.arms.all()
            for run in arm.runs.all()
            if (run.pk, test_set) in found
        ]
        rows = [
            {
                "run": run,
                **{name: body[name] for name in ("found", "every", "without")},
                "found_url": address(Evaluated(run, test_set, group), "sensitivity", "found"),
                "every_url": address(Evaluated(run, test_set, group), "sensitivity"),
            }
            for run, body in members
        ]
        listed = {row["run"].pk: walk(experiment.number, row["found_url"].partition("?")[2]) for row in rows}
        score_above = float(experiment.protocol["score_above"])
        entries.append(
            {
                "test_set": test_set,
                "label": selectors.TEST_SETS[test_set],
                "rows": rows,
                "points": sum(len(body["values"]) for _, body in members),
                "figure": _figure(members, project, score_above, listed),
            }
        )
    return entries


def _figure(
    members: list[tuple[Run, dict[str, Any]]], project: Project, score_above: float, listed: dict[int, str]
) -> dict[str, Any]:
    """Violins and points; `listed` says by run what next and previous of an opened case go through."""
    places = places_of({view_id(row["sample_id"]) for _, body in members for row in body["values"]})
    traces: list[dict[str, Any]] = []
    for place, (run, body) in enumerate(members):
        rows = [row for row in body["values"] if view_id(row["sample_id"]) in places]
        colour = f"role:s{run.arm.position % COLOURS + 1}"
        if len(rows) >= FEWEST_SHOWN:
            traces.append(
                {
                    "type": "violin",
                    "name": f"{run}, distribution",
                    "legendgroup": f"arm-{run.arm.position}",
                    "x": [place] * len(rows),
                    "y": [row["dice"] for row in rows],
                    "points": False,
                    "meanline": {"visible": True},
                    "line": {"color": colour, "width": 1},
                    "spanmode": "hard",
                    "hoverinfo": "skip",
                }
            )
        traces.append(
            {
                "name": str(run),
                "legendgroup": f"arm-{run.arm.position}",
                "mode": "markers",
                "x": [place + SPREAD * ((number * GOLDEN) % 1 - 0.5) for number in range(len(rows))],
                "y": [row["dice"] for row in rows],
                "marker": {"color": colour, "symbol": "circle", "size": 5, "opacity": 0.8},
                "customdata": [
                    {
                        "text": f"{run}: Dice {row['dice']:.2f}, exam {exam} {' '.join(view)}",
                        "url": f"{_viewer(project, run, exam, row['lesion_id'], score_above)}&{listed[run.pk]}",
                    }
                    for row in rows
                    for exam, *view in [places[view_id(row["sample_id"])]]
                ],
                "hovertemplate": "%{customdata.text}<extra></extra>",
            }
        )
    return {
        "data": traces,
        "layout": {
            "xaxis": {
                "tickmode": "array",
                "tickvals": list(range(len(members))),
                "ticktext": [str(run) for run, _ in members],
                "range": [-0.5, max(1, len(members)) - 0.5],
                "zeroline": False,
            },
            "yaxis": {"title": {"text": "Dice"}, "range": [-0.02, 1.03], "zeroline": False},
        },
    }


def _viewer(project: Project, run: Run, exam: int, lesion: str, score_above: float) -> str:
    query = urlencode({"run": run.pk, "score": f"{score_above:.3f}", "focus": lesion})
    return f"{reverse('viewer:case', args=[project.slug, exam])}?{query}"
