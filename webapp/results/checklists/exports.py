"""The checklists as CSV: one row a topic and checklist that asks for it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from webapp.results.checklists.filling import entries
from webapp.results.checklists.topics import CHECKLISTS
from webapp.results.exports.columns import write
from webapp.results.reports.basis import Basis

COLUMNS = (
    "experiment",
    "checklist",
    "items",
    "topic",
    "state",
    "records_say",
    "records_do_not_say",
    "authors_say",
    "author",
    "revision",
    "report_chapter",
    "protocol_digest",
    "test_set_digests",
    "data_hash",
    "source_hash",
)


def as_csv(basis: Basis) -> str:
    """Columns: docs/formats/results.md."""
    handle = io.StringIO()
    write(handle, COLUMNS, _rows(basis))
    return handle.getvalue()


def _rows(basis: Basis) -> Iterator[dict[str, Any]]:
    kept = basis.experiment.reproducibility
    digests = [digest for test_set in basis.test_sets for digest in basis.digests(test_set)]
    for entry in entries(basis):
        for checklist, items in (entry.topic.items or {"": ""}).items():
            yield {
                "experiment": basis.experiment.number,
                "checklist": CHECKLISTS.get(checklist, "all"),
                "items": items,
                "topic": entry.topic.words,
                "state": entry.state,
                "records_say": " ".join(entry.filled.statements) if entry.filled else "",
                "records_do_not_say": entry.filled.missing if entry.filled else "",
                "authors_say": entry.text,
                "author": entry.answer.author_name if entry.answer else "",
                "revision": entry.answer.revision if entry.answer else None,
                "report_chapter": entry.filled.chapter if entry.filled else "Checklists",
                "protocol_digest": basis.protocol.digest(),
                "test_set_digests": " ".join(digests),
                "data_hash": kept.get("data_hash"),
                "source_hash": kept.get("source_hash"),
            }
