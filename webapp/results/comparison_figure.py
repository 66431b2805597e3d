"""Paired differences as forest plots, one for each measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webapp.core.templatetags.cemlab import FEWEST_SHOWN, interval_parts
from webapp.results.cases import OPEN
from webapp.results.comparison import Compared, Comparison
from webapp.results.figures import COLOURS, SYMBOLS
from webapp.results.selectors import GROUPS, MEASURES, TEST_SETS, ratio_words

STEP = 0.16
"""Distance between neighbouring markers on one line of the plot, in lines."""


def forests(comparison: Comparison, cases_url: Callable[..., str]) -> list[dict[str, Any]]:
    """One figure a measure, all with the same range, and the differences left out with their reasons."""
    limit = _limit(comparison.rows)
    return [_forest(comparison, measure, limit, cases_url) for measure in MEASURES]


def drawn(row: Compared) -> bool:
    """Whether a difference is defined, has an interval and rests on enough."""
    return row.interval["low"] is not None and row.interval["n"] >= FEWEST_SHOWN


def words_of(interval: dict[str, Any]) -> str:
    """A difference as plain text."""
    parts = interval_parts(interval, signed=True)
    if "undefined" in parts:
        return f"{parts['undefined']}: {parts['reason']}"
    return " ".join(part for part in (parts["value"], parts["range"] or parts["reason"], parts["n"]) if part)


def words(row: Compared) -> str:
    """The difference with its p values as plain text."""
    said = words_of(row.interval)
    if row.adjusted is None or row.p_value is None:
        return said
    return f"{said}, p {row.p_value:.3f}, adjusted {row.adjusted:.3f} ({row.family})"


def _forest(comparison: Comparison, measure: str, limit: float, cases_url: Callable[..., str]) -> dict[str, Any]:
    rows = [row for row in comparison.rows if row.measure == measure]
    lines = sorted(
        {(list(GROUPS).index(row.group), row.arm.position, row.group, row.arm) for row in rows},
        key=lambda line: line[:2],
    )
    places = {(group, arm.pk): place for place, (_, _, group, arm) in enumerate(lines)}
    traces = []
    for group in GROUPS:
        for test_set in TEST_SETS:
            members = [row for row in rows if (row.group, row.test_set) == (group, test_set) and drawn(row)]
            if not members:
                continue
            external = test_set == "external_test"
            seeds = sorted({row.run.seed for row in members})
            traces.append(
                {
                    "name": f"{GROUPS[group]}, {TEST_SETS[test_set]}",
                    "legendgroup": group,
                    "mode": "markers",
                    "x": [row.interval["value"] for row in members],
                    "y": [
                        places[group, row.arm.pk]
                        + (STEP if external else -STEP)
                        + STEP / 2 * (seeds.index(row.run.seed) - (len(seeds) - 1) / 2)
                        for row in members
                    ],
                    "marker": {
                        "color": COLOURS[group],
                        "symbol": SYMBOLS[group] + ("-open" if external else ""),
                        "size": 9,
                        "line": {"color": COLOURS[group], "width": 1.6},
                    },
                    "error_x": {
                        "type": "data",
                        "symmetric": False,
                        "array": [row.interval["high"] - row.interval["value"] for row in members],
                        "arrayminus": [row.interval["value"] - row.interval["low"] for row in members],
                        "color": COLOURS[group],
                        "thickness": 1,
                        "width": 0,
                    },
                    "customdata": [
                        {
                            "text": f"{GROUPS[group]}, {TEST_SETS[test_set]}, {row.words}: {words(row)}",
                            "url": cases_url(row, measure, **row.beside, **OPEN),
                        }
                        for row in members
                    ],
                    "hovertemplate": "%{customdata.text}<extra></extra>",
                }
            )
    return {
        "measure": measure,
        "label": MEASURES[measure],
        "figure": {"data": traces, "layout": _layout(lines, limit)},
        "height": 90 + 34 * max(1, len(lines)),
        "left_out": [
            f"{GROUPS[row.group].lower()}, {TEST_SETS[row.test_set]}, {row.words}: {words(row)}"
            for row in rows
            if not drawn(row)
        ],
    }


def _layout(lines: list[Any], limit: float) -> dict[str, Any]:
    ratios = [ratio_words(arm) for _, _, _, arm in lines]
    named = len(set(ratios)) < len({arm.pk for _, _, _, arm in lines})
    return {
        "xaxis": {
            "range": [-limit, limit],
            "title": {"text": "difference"},
            "showgrid": True,
            "zeroline": True,
            "zerolinewidth": 1.5,
            "zerolinecolor": "role:axis",
        },
        "yaxis": {
            "tickmode": "array",
            "tickvals": list(range(len(lines))),
            "ticktext": [
                f"{GROUPS[group].removeprefix('Malignant ').capitalize()}, {arm.name if named else ratio}"
                for (_, _, group, arm), ratio in zip(lines, ratios, strict=True)
            ],
            "range": [len(lines) - 0.5, -0.5],
            "zeroline": False,
        },
    }


def _limit(rows: list[Compared]) -> float:
    ends = [abs(row.interval[end]) for row in rows if drawn(row) for end in ("low", "high")]
    return min(1.02, max(ends, default=0.2) + 0.05)
