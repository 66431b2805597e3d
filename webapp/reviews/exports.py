"""Answers as CSV: every revision the person may read."""

from __future__ import annotations

import csv
import io

from django.db.models import QuerySet

from webapp.core.spreadsheets import plain_text
from webapp.reviews import selectors
from webapp.reviews.models import Answer

COLUMNS = (
    "review",
    "items",
    "position",
    "kind",
    "dataset",
    "version",
    "experiment",
    "arm",
    "seed",
    "beside_arm",
    "beside_seed",
    "test_set",
    "group",
    "score_above",
    "protocol_hash",
    "test_set_digest",
    "case",
    "view",
    "patient",
    "site",
    "lesion",
    "outcome",
    "score",
    "iou",
    "reader",
    "revision",
    "current",
    "state",
    "reason",
    "note",
    "seconds",
    "seconds_in_all",
    "seconds_before_reveal",
    "revealed",
    "time",
)


def as_csv(answers: QuerySet[Answer]) -> str:
    """One row a revision, in the order of item, reader and revision.

    `answers` are those of `selectors.readable_answers`. `arm` and `seed` are those of the run whose miss or false
    finding is asked about; times are over all visits, `seconds` until the revision.
    """
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(COLUMNS)
    rows = list(answers.order_by("item__queue__number", "item__position", "reader__username", "revision"))
    times = selectors.times(rows)
    for one in rows:
        time = times[one.item_id, one.reader_id]
        item, queue = one.item, one.item.queue
        version = queue.run.arm.experiment.version
        beside = queue.beside
        writer.writerow(
            [
                queue.number,
                queue.size,
                item.position,
                queue.kind,
                plain_text(version.dataset.name),
                version.number,
                queue.run.arm.experiment.number,
                plain_text(queue.finder.arm.name),
                queue.finder.seed,
                plain_text(beside.arm.name) if beside else "",
                beside.seed if beside else "",
                queue.test_set,
                queue.group,
                queue.score_above,
                queue.protocol_hash,
                queue.test_set_digest,
                item.view.exam.number,
                f"{item.view.laterality} {item.view.position}",
                plain_text(item.view.exam.patient.pseudonym),
                plain_text(item.view.exam.patient.site.code),
                item.lesion.number if item.lesion else "",
                item.outcome,
                "" if item.score is None else item.score,
                item.iou,
                plain_text(one.reader.username),
                one.revision,
                int(one.current),
                one.state,
                one.reason,
                plain_text(one.note),
                round(one.seconds, 1),
                round(time.spent, 1),
                "" if time.before_reveal is None else round(time.before_reveal, 1),
                "" if time.revealed is None else time.revealed.isoformat(),
                one.time.isoformat(),
            ]
        )
    return written.getvalue()
