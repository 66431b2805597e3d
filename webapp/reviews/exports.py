"""Answers as CSV: every revision the person may read."""

from __future__ import annotations

import csv
import io

from django.db.models import QuerySet

from webapp.reviews.models import Answer

COLUMNS = (
    "review",
    "position",
    "kind",
    "experiment",
    "arm",
    "seed",
    "test_set",
    "group",
    "score_above",
    "protocol_hash",
    "test_set_digest",
    "case",
    "view",
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
    "time",
)


def as_csv(answers: QuerySet[Answer]) -> str:
    """One row a revision, in the order of item, reader and revision."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(COLUMNS)
    for one in answers.order_by("item__queue__number", "item__position", "reader__username", "revision"):
        item, queue = one.item, one.item.queue
        writer.writerow(
            [
                queue.number,
                item.position,
                queue.kind,
                queue.run.arm.experiment.number,
                _text(queue.finder.arm.name),
                queue.finder.seed,
                queue.test_set,
                queue.group,
                queue.score_above,
                queue.protocol_hash,
                queue.test_set_digest,
                item.view.exam.number,
                f"{item.view.laterality} {item.view.position}",
                _text(item.view.exam.patient.site.code),
                item.lesion.number if item.lesion else "",
                item.outcome,
                "" if item.score is None else item.score,
                item.iou,
                _text(one.reader.username),
                one.revision,
                int(one.current),
                one.state,
                one.reason,
                _text(one.note),
                round(one.seconds, 1),
                one.time.isoformat(),
            ]
        )
    return written.getvalue()


def _text(words: str) -> str:
    """Free text that a spreadsheet does not take for a formula."""
    return f"'{words}" if words[:1] in {"=", "+", "-", "@", "\t", "\r"} else words
