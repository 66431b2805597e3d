"""Answers by reason, arm, site and reader: shares with intervals over patients, agreement, and the figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import reverse

from webapp.accounts.models import Project, User
from webapp.core.templatetags.cemlab import FEWEST_SHOWN, interval_text
from webapp.reviews import selectors
from webapp.reviews.models import Answer, Reason, ReviewQueue

COLOURS = [f"role:s{number}" for number in range(1, 7)]
RESAMPLES = 2000
SEED = 0


def arm_of(answer: Answer) -> str:
    """The arm whose misses or false findings are asked about; of gained and lost lesions both arms."""
    queue = answer.item.queue
    if queue.against is None:
        return queue.run.arm.name
    return f"{queue.run.arm.name} beside {queue.against.arm.name}"


BY: dict[str, Callable[[Answer], str]] = {
    "arm": arm_of,
    "site": lambda answer: answer.item.view.exam.patient.site.code,
}
Address = Callable[..., str]


@dataclass(frozen=True)
class Chosen:
    """Answers of one reader, as a breakdown counts them, and whose others there are to choose from."""

    reader: User | None
    answers: list[Answer]
    readers: list[tuple[User, int]]
    """Everyone whose answers the person may read, with their number, by name."""


def chosen(user: User, project: Project, queues: QuerySet[ReviewQueue], reader: int | None) -> Chosen:
    """Reasons given by `reader`; by default by the person, else by whoever gave most."""
    given = selectors.readable_answers(user, project, queues).filter(current=True, state=Answer.State.ANSWERED)
    by_reader: dict[int, list[Answer]] = {}
    for one in given.order_by("item__queue__number", "item__position"):
        by_reader.setdefault(one.reader_id, []).append(one)
    people = {key: answers[0].reader for key, answers in by_reader.items()}
    asked = user.pk if reader is None else reader
    if asked not in by_reader:
        asked = max(by_reader, key=lambda key: len(by_reader[key]), default=0)
    return Chosen(
        reader=people.get(asked),
        answers=by_reader.get(asked, []),
        readers=sorted(
            ((people[key], len(answers)) for key, answers in by_reader.items()), key=lambda pair: pair[0].username
        ),
    )


def addresses(project: Project, chosen: Chosen, where: dict[str, Any]) -> Address:
    """Where the answers behind a number are listed; `where` narrows to a queue, or to an experiment and a kind."""
    base = reverse("reviews:answers", args=[project.slug])
    reader = chosen.reader.pk if chosen.reader else 0
    return lambda **narrowed: f"{base}?{urlencode({**where, 'reader': reader, **narrowed})}"


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
        ``{"name", "n", "patients", "rows": [{"reason", "label", "interval", "url"}]}``; the interval, as JSON, is a
        bootstrap of the patients of the block, since the lesion views of a patient go together.
    """
    from detection.evaluation.intervals import clustered_ratio_interval

    blocks: dict[str, list[Answer]] = {}
    for one in once(answers, by):
        blocks.setdefault(BY[by](one), []).append(one)
    given = [reason for reason in Reason if any(one.reason == reason for block in blocks.values() for one in block)]
    found = []
    for name, block in sorted(blocks.items()):
        patients = [str(one.item.view.exam.patient_id) for one in block]
        found.append(
            {
                "name": name,
                "n": len(block),
                "patients": len(set(patients)),
                "rows": [
                    {
                        "reason": reason.value,
                        "label": reason.label,
                        "interval": clustered_ratio_interval(
                            [one.reason == reason for one in block],
                            [1] * len(block),
                            patients,
                            resamples=RESAMPLES,
                            seed=SEED,
                        ).to_json(),
                        "url": address(**{by: name, "reason": reason.value}),
                    }
                    for reason in given
                ],
            }
        )
    return found


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
                    "array": [_reach(row["interval"], "high") for row in block["rows"]],
                    "arrayminus": [_reach(row["interval"], "low") for row in block["rows"]],
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


def _reach(interval: dict[str, Any], end: str) -> float:
    """From the share to an end of its interval; 0 where no interval can be drawn."""
    return abs(interval[end] - interval["value"]) if interval[end] is not None else 0.0


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
