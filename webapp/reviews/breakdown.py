"""Answers by reason, arm, site and reader: proportions with Wilson intervals, agreement, and the figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from webapp.core.templatetags.cemlab import FEWEST_SHOWN, interval_text
from webapp.reviews.models import Answer, Reason

COLOURS = [f"role:s{number}" for number in range(1, 7)]
BY: dict[str, Callable[[Answer], str]] = {
    "arm": lambda answer: answer.item.queue.finder.arm.name,
    "site": lambda answer: answer.item.view.exam.patient.site.code,
}
Address = Callable[..., str]


def once(answers: Iterable[Answer], by: str) -> list[Answer]:
    """Each lesion view (or finding) of an arm or site once, with the newest answer.

    Several queues may hold it: of two thresholds, seeds or, within a site, arms.
    """
    newest: dict[tuple[str, int, int | None, int | None], Answer] = {}
    for one in sorted(answers, key=lambda answer: (answer.time, answer.pk)):
        item = one.item
        newest[BY[by](one), item.view_id, item.lesion_id, None if item.lesion_id else item.finding] = one
    return list(newest.values())


def tables(answers: list[Answer], by: str, address: Address) -> list[dict[str, Any]]:
    """One block for each arm or site, one row for each reason given anywhere.

    Returns
    -------
    list of dict
        ``{"name", "n", "rows": [{"reason", "label", "interval", "url"}]}``; the interval is Wilson's over the answers
        of the block, as JSON.
    """
    from detection.evaluation.intervals import proportion_interval

    blocks: dict[str, Counter[str]] = {}
    for one in once(answers, by):
        blocks.setdefault(BY[by](one), Counter())[one.reason] += 1
    given = [reason for reason in Reason if any(counts[reason] for counts in blocks.values())]
    return [
        {
            "name": name,
            "n": counts.total(),
            "rows": [
                {
                    "reason": reason.value,
                    "label": reason.label,
                    "interval": proportion_interval(counts[reason], counts.total()).to_json(),
                    "url": address(**{by: name, "reason": reason.value}),
                }
                for reason in given
            ],
        }
        for name, counts in sorted(blocks.items())
    ]


def figure(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """Bars with intervals, one series a block; blocks of fewer than ten answers are not drawn."""
    drawn = [block for block in blocks if block["n"] >= FEWEST_SHOWN]
    return {
        "data": [
            {
                "type": "bar",
                "name": block["name"],
                "x": [row["label"] for row in block["rows"]],
                "y": [row["interval"]["value"] for row in block["rows"]],
                "marker": {"color": COLOURS[index % len(COLOURS)], "opacity": 0.6},
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [row["interval"]["high"] - row["interval"]["value"] for row in block["rows"]],
                    "arrayminus": [row["interval"]["value"] - row["interval"]["low"] for row in block["rows"]],
                    "color": "role:text",
                    "thickness": 1,
                    "width": 3,
                },
                "customdata": [
                    {
                        "text": f"{block['name']}, {row['label'].lower()}: {interval_text(row['interval'])}",
                        "url": row["url"],
                    }
                    for row in block["rows"]
                ],
                "hovertemplate": "%{customdata.text}<extra></extra>",
            }
            for index, block in enumerate(drawn)
        ],
        "layout": {
            "barmode": "group",
            "yaxis": {"range": [0, 1], "title": {"text": "share of answers"}},
            "xaxis": {"automargin": True},
        },
    }


def agreement(first: Iterable[Answer], second: Iterable[Answer]) -> dict[str, Any]:
    """Cohen's kappa of two readers over the items to which both gave a reason.

    Asymptotic 95 % interval (Fleiss, Cohen and Everitt 1969), by statsmodels.

    Returns
    -------
    dict
        ``{"value", "low", "high", "n", "reason"}``; no value where undefined or under ten items.
    """
    given = {one.item_id: one.reason for one in first}
    pairs = [(given[one.item_id], one.reason) for one in second if one.item_id in given]
    empty = {"value": None, "low": None, "high": None, "n": len(pairs)}
    if len(pairs) < FEWEST_SHOWN:
        return empty | {"reason": "undefined: fewer than ten items answered by both"}
    used = sorted({reason for pair in pairs for reason in pair})
    if len(used) == 1:
        return empty | {"reason": "undefined: both readers gave one and the same reason throughout"}
    import numpy as np
    from statsmodels.stats.inter_rater import cohens_kappa

    table = np.zeros((len(used), len(used)))
    for one, other in pairs:
        table[used.index(one), used.index(other)] += 1
    result = cohens_kappa(table)
    return {
        "value": float(result.kappa),
        "low": float(result.kappa_low),
        "high": min(1.0, float(result.kappa_upp)),
        "n": len(pairs),
        "reason": None,
    }
