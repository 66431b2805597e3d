"""Numbers per image, breast, patient and lesion beside those of lesions on a view."""

from __future__ import annotations

from typing import Any

from webapp.results import levels
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Block, Section, Table, Text
from webapp.results.reports.misses import GROUP, nowhere
from webapp.results.reports.words import cell
from webapp.results.selectors import TEST_SETS


def levels_chapter(basis: Basis) -> Section:
    """One table a level: every run on every test set."""
    panels = [panel for panel in levels.panels(basis.experiment, GROUP, nowhere) if panel["levels"]]
    blocks: list[Block] = [
        _table(
            basis,
            label,
            [(panel["test_set"], one) for panel in panels for one in panel["levels"] if one["level"] == level],
        )
        for level, label in levels.LEVELS.items()
        if panels
    ]
    return Section("Levels", tuple(blocks) or (Text("No run was evaluated."),))


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
        (("Test set, run", 0.28), *((levels.COLUMNS[name][0], 0.72 / len(shown)) for name in shown)),
        tuple(
            (f"{TEST_SETS[test_set].capitalize()}, {row['run']}", *(cell(one[name]) for name in shown))
            for (test_set, row), one in zip(rows, numbers, strict=True)
        ),
        basis.caption(
            ". ".join([f"{label}: all malignant lesions, value, interval, n; no value under n=10", *left_out]),
            n=f"in the table; {counted}; {basis.size()}",
            method=next((block["sentence"] for _, block in blocks if block["sentence"]), "none: nothing is defined"),
        ),
    )
