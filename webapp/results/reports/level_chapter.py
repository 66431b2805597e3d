"""Numbers per image, breast, patient and lesion beside those of lesions on a view."""

from __future__ import annotations

from typing import Any

from webapp.results import levels
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Heading, Section, Table, Text
from webapp.results.reports.words import cell, methods, nowhere
from webapp.results.selectors import TEST_SETS

GROUP = "malignant"
VIEWS = "lesion on a view"
"""The level of the protocol."""
WAYS = ("Located", "Sensitivity of located", "Sensitivity end to end", "AUC of located", "AUC end to end")
"""Cells of `levels.both_ways`."""


def levels_chapter(basis: Basis) -> Section:
    """One table a level with every run on every test set, and what was located beside end to end."""
    panels = [panel for panel in levels.panels(basis.experiment, GROUP, nowhere) if panel["levels"]]
    if not panels:
        return Section("Levels", (Text("No run was evaluated."),))
    return Section(
        "Levels",
        (
            Text(
                "The same findings, counted once per image, breast, patient or lesion, for all malignant lesions. "
                "Lesions on a view stand under Numbers; the export has them here, too, with F1, masses and clusters.",
                "note",
            ),
            *(
                _table(
                    basis,
                    label,
                    [(panel["test_set"], one) for panel in panels for one in panel["levels"] if one["level"] == level],
                )
                for level, label in levels.LEVELS.items()
                if level != VIEWS
            ),
            Heading("Located, and end to end"),
            _both_ways(basis),
        ),
    )


def _table(basis: Basis, label: str, blocks: list[tuple[str, dict[str, Any]]]) -> Table:
    rows = [(test_set, row) for test_set, block in blocks for row in block["rows"]]
    numbers = [dict(zip(levels.COLUMNS, (number for number, _ in row["cells"]), strict=True)) for _, row in rows]
    shown = [name for name in levels.COLUMNS if any(one[name]["value"] is not None for one in numbers)]
    left_out = [
        f"{levels.COLUMNS[name][0]} is {numbers[0][name]['reason']}" for name in levels.COLUMNS if name not in shown
    ]
    counted = "; ".join(
        f"{TEST_SETS[test_set]} {block['rows'][0]['units']} units, {block['rows'][0]['malignant']} with a malignant "
        f"lesion, {block['rows'][0]['unscored']} not scored"
        for test_set, block in blocks
        if block["rows"]
    )
    return Table(
        (("Test set, run", 0.2), *((levels.COLUMNS[name][0], 0.8 / len(shown)) for name in shown)),
        tuple(
            (f"{TEST_SETS[test_set].capitalize()}, {basis.run_label(row['run'])}", *(cell(one[name]) for name in shown))
            for (test_set, row), one in zip(rows, numbers, strict=True)
        ),
        basis.caption(
            ". ".join([f"{label}: all malignant lesions, value, interval, n; no value under n=10", *left_out]),
            n=f"in the table; {counted}; {basis.size()}",
            method=next((block["sentence"] for _, block in blocks if block["sentence"]), "none: nothing is defined"),
        ),
    )


def _both_ways(basis: Basis) -> Table:
    rows, numbers = [], []
    for panel in levels.both_ways(basis.experiment, GROUP, nowhere):
        for block in panel["levels"]:
            if block["label"] != levels.LEVELS[VIEWS]:
                continue
            for row in block["rows"]:
                numbers += row["cells"]
                rows.append((f"{panel['label'].capitalize()}, {basis.run_label(row['run'])}", *map(cell, row["cells"])))
    return Table(
        (("Test set, run", 0.2), *((words, 0.16) for words in WAYS)),
        tuple(rows),
        basis.caption(
            "A classifier judged on what was located looks better than the system with its detector; read both. "
            "Malignant lesions on a view; the export has patients and lesions over their views. Located: share found "
            "by position alone. Of located: share of these called malignant. End to end: share of all located and "
            "called malignant; the AUC end to end gives what is not located a score of 0",
            n=f"in the table; {basis.size()}",
            method=methods(numbers),
        ),
    )
