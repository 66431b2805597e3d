"""Three panels against the synthetic ratio, as in Van Camp et al. (IWBI 2024), Figure 4."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from webapp.core.templatetags.cemlab import FEWEST_SHOWN, interval_text
from webapp.experiments.models import Experiment
from webapp.results.cases import OPEN
from webapp.results.selectors import GROUPS, MEASURES, TEST_SETS, Row, ratio_words, seed_medians

COLOURS = {"malignant_cluster": "role:s1", "malignant_mass": "role:s2", "malignant": "role:s3"}
SYMBOLS = {"malignant_cluster": "circle", "malignant_mass": "square", "malignant": "diamond"}
DODGE = 0.2
"""Distance between neighbouring series on the axis, in arms, so that intervals do not cover each other."""
SEED_STEP = 0.04
GAP = 0.08
"""Between internal and external test, as a share of the width."""

CasesURL = Callable[..., str]


def shown(number: dict[str, Any]) -> bool:
    """Whether a number is defined and rests on enough to be drawn (ui.md: not under n = 10)."""
    return number["value"] is not None and number["n"] >= FEWEST_SHOWN


def panels(experiment: Experiment, rows: list[Row], cases_url: CasesURL) -> list[dict[str, Any]]:
    """One figure a measure, all with the same range, and the points left out with their reasons.

    Returns
    -------
    list of dict
        ``{"measure", "label", "figure": {"data", "layout"}, "left_out": [str]}``.
    """
    limits = _range(rows)
    return [
        {
            "measure": measure,
            "label": label,
            "figure": {
                "data": _traces(experiment, rows, measure, cases_url),
                "layout": _layout(experiment, limits, beside=_beside(rows)),
            },
            "left_out": _left_out(rows, measure),
        }
        for measure, label in MEASURES.items()
    ]


def _traces(experiment: Experiment, rows: list[Row], measure: str, cases_url: CasesURL) -> list[dict[str, Any]]:
    places = {arm.pk: place for place, arm in enumerate(experiment.arms.all())}
    series: dict[tuple[str, str], list[list[Row]]] = {}
    for test_set, group, _, members in seed_medians(rows):
        series.setdefault((test_set, group), []).append(members)
    traces = []
    beside = _beside(rows)
    for number, (group, test_set) in enumerate((group, test_set) for group in GROUPS for test_set in TEST_SETS):
        arms = series.get((test_set, group))
        if not arms:
            continue
        offset = DODGE * (number // len(TEST_SETS) - (len(GROUPS) - 1) / 2)
        name = f"{GROUPS[group]}, {TEST_SETS[test_set]}"
        external = test_set == "external_test"
        several = any(len(members) > 1 for members in arms)
        line = {"color": COLOURS[group], "dash": "dot" if external else "solid", "width": 2}
        axes = {"xaxis": "x2" if external and beside else "x", "yaxis": "y"}
        if several:
            traces.append(axes | _median_line(arms, places, offset, measure, name, group, line))
        points = [
            (places[row.arm.pk] + offset + SEED_STEP * (seed - (len(members) - 1) / 2), row)
            for members in arms
            for seed, row in enumerate(members)
        ]
        numbers = [row.numbers[measure] for _, row in points]
        symbol = SYMBOLS[group] + ("-open" if external else "")
        traces.append(
            {
                **axes,
                "name": name,
                "legendgroup": group,
                "x": [place for place, _ in points],
                "y": [one["value"] if shown(one) else None for one in numbers],
                "mode": "markers" if several else "lines+markers",
                "connectgaps": False,
                "line": line,
                "marker": {
                    "color": COLOURS[group],
                    "symbol": symbol,
                    "size": 9,
                    "line": {"color": COLOURS[group], "width": 1.6},
                },
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [_reach(one, "high") for one in numbers],
                    "arrayminus": [_reach(one, "low") for one in numbers],
                    "color": COLOURS[group],
                    "thickness": 1,
                    "width": 0,
                },
                "customdata": [
                    {
                        "text": f"{name}, {row.arm.name}, seed {row.run.seed}: {interval_text(one)}",
                        "url": cases_url(row, measure, **OPEN),
                    }
                    for (_, row), one in zip(points, numbers, strict=True)
                ],
                "hovertemplate": "%{customdata.text}<extra></extra>",
            }
        )
    return traces


def _reach(number: dict[str, Any], end: str) -> float | None:
    """Length of an interval bar on one side; None where the number has no interval or is not drawn."""
    if not shown(number) or number[end] is None:
        return None
    return abs(float(number[end]) - float(number["value"]))


def _median_line(
    arms: list[list[Row]],
    places: dict[int, int],
    offset: float,
    measure: str,
    name: str,
    group: str,
    line: dict[str, Any],
) -> dict[str, Any]:
    values = []
    for members in arms:
        defined = [row.numbers[measure]["value"] for row in members if shown(row.numbers[measure])]
        values.append(median(defined) if defined else None)
    return {
        "name": f"{name}, median of seeds",
        "legendgroup": group,
        "x": [places[members[0].arm.pk] + offset for members in arms],
        "y": values,
        "mode": "lines",
        "connectgaps": False,
        "line": line,
        "hoverinfo": "skip",
    }


def _range(rows: list[Row]) -> list[float]:
    """The same for all panels: from a tenth below the lowest end drawn to 1."""
    ends = [
        end
        for row in rows
        for number in row.numbers.values()
        if shown(number)
        for end in (number["low"], number["value"])
        if end is not None
    ]
    lowest = min(ends, default=0.0)
    return [max(-0.02, int(10 * lowest - 0.5) / 10 - 0.02), 1.03]


def _beside(rows: list[Row]) -> bool:
    """Whether both test sets are there, to stand side by side on one scale."""
    return len({row.test_set for row in rows}) > 1


def _layout(experiment: Experiment, limits: list[float], *, beside: bool) -> dict[str, Any]:
    arms = list(experiment.arms.all())
    words = [ratio_words(arm) for arm in arms]
    named = len(set(words)) < len(words)
    axis = {
        "tickmode": "array",
        "tickvals": list(range(len(arms))),
        "ticktext": [arm.name if named else ratio for arm, ratio in zip(arms, words, strict=True)],
        "range": [-0.5, len(arms) - 0.5],
        "title": {"text": "arm" if named else "synthetic ratio"},
        "zeroline": False,
    }
    layout: dict[str, Any] = {"xaxis": axis, "yaxis": {"range": limits, "tickformat": ".1f", "zeroline": False}}
    if beside:
        layout["xaxis"] = axis | {"domain": [0, (1 - GAP) / 2]}
        layout["xaxis2"] = axis | {"domain": [(1 + GAP) / 2, 1], "anchor": "y"}
        layout["margin"] = {"l": 44, "r": 14, "t": 26, "b": 36}
        layout["annotations"] = [
            {
                "text": words_of_set,
                "x": (place + 0.5) * (1 - GAP) / 2 + place * GAP,
                "y": 1,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "center",
                "yanchor": "bottom",
                "showarrow": False,
            }
            for place, words_of_set in enumerate(TEST_SETS.values())
        ]
    return layout


def _left_out(rows: list[Row], measure: str) -> list[str]:
    """Points that are not drawn, grouped by reason."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        number = row.numbers[measure]
        if not shown(number):
            reason = number.get("reason") or "undefined"
            if number["value"] is not None:
                reason = f"n under {FEWEST_SHOWN}, too few"
            reasons.setdefault(reason, []).append(f"{row.group_words.lower()}, {row.test_set_words}, {row.arm.name}")
    return [
        f"{reason} ({members[0] if len(members) == 1 else f'{len(members)} points, such as {members[0]}'})"
        for reason, members in reasons.items()
    ]


def small(experiment: Experiment, rows: list[Row], endpoint: str, cases_url: CasesURL) -> dict[str, Any]:
    """The measure of the primary endpoint alone, for the project home."""
    measure = endpoint.partition(":")[0]
    found = next((one for one in panels(experiment, rows, cases_url) if one["measure"] == measure), None)
    return found or panels(experiment, rows, cases_url)[0]
