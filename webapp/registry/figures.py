"""How the scores of an application are spread."""

from __future__ import annotations

from typing import Any

BINS = 20


def histogram(scores: list[float]) -> dict[str, Any]:
    """Findings by score, in `BINS` equal bins over 0 to 1; a score on an edge counts in the upper bin, 1 in the last.

    Returns
    -------
    dict
        Plotly figure ``{"data", "layout"}``.
    """
    counts = [0] * BINS
    for score in scores:
        counts[min(int(score * BINS), BINS - 1)] += 1
    return {
        "data": [
            {
                "type": "bar",
                "name": "Findings",
                "x": [(number + 0.5) / BINS for number in range(BINS)],
                "y": counts,
                "width": 1 / BINS,
                "marker": {"color": "role:s1"},
                "customdata": [
                    {
                        "text": f"score {number / BINS:.2f} to {(number + 1) / BINS:.2f}: {count} finding"
                        + ("" if count == 1 else "s")
                    }
                    for number, count in enumerate(counts)
                ],
                "hovertemplate": "%{customdata.text}<extra></extra>",
            }
        ],
        "layout": {
            "bargap": 0.06,
            "showlegend": False,
            "xaxis": {"title": {"text": "score"}, "range": [0, 1], "dtick": 0.1},
            "yaxis": {"title": {"text": "findings"}, "rangemode": "tozero"},
        },
    }
