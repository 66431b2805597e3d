"""The checklists as a chapter."""

from __future__ import annotations

from webapp.results.checklists.filling import Entry, entries
from webapp.results.checklists.topics import CHECKLISTS
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Block, Section, Table, Text

UNWRITTEN = "To be written by the authors: "


def checklists(basis: Basis) -> Section:
    """One row a topic: where it is asked for, what the records say, what the authors say."""
    listed = entries(basis)
    open_ones = sum(entry.required for entry in listed)
    blocks: list[Block] = [
        Text(
            "What the records answer by themselves, and what the authors wrote. CLAIM by its numbering of 2020, which "
            "the revision of 2024 changes; METRICS with item and weight. Item letters of TRIPOD+AI and later items of "
            "METRICS are to be verified before printing and are left out."
        ),
        Text(f"{open_ones} of {len(listed)} topics still wait for the authors." if open_ones else "Nothing is open."),
        Table(
            (("Topic", 0.2), ("Asked for by", 0.2), ("What is said", 0.42), ("Chapter", 0.18)),
            tuple(
                (entry.topic.words, _asked(entry), _said(entry), entry.filled.chapter if entry.filled else "")
                for entry in listed
            ),
            basis.caption(
                "Topics of CLAIM, METRICS and TRIPOD+AI",
                n=f"{len(listed)} topics; {basis.size()}",
                method="statements are counted in the records; text after “Authors” is theirs",
            ),
        ),
    ]
    return Section("Checklists", tuple(blocks))


def _asked(entry: Entry) -> str:
    return (
        "; ".join(
            f"{CHECKLISTS[name].partition(',')[0]}{f' {items}' if items[0].isdigit() else ' (item to be verified)'}"
            for name, items in entry.topic.items.items()
        )
        or "the authors' part of all"
    )


def _said(entry: Entry) -> str:
    parts = list(entry.filled.statements) if entry.filled else []
    if entry.filled and entry.filled.missing:
        parts.append(entry.filled.missing)
    if entry.text:
        parts.append(f"Authors ({entry.answer.author_name if entry.answer else ''}): {entry.text}")
    elif entry.required:
        parts.append(UNWRITTEN + entry.topic.asks)
    return "\n".join(parts)
