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
    """One table a test set: every level and run."""
    blocks: list[Block] = []
    for panel in levels.panels(basis.experiment, GROUP, nowhere):
        if panel["levels"]:
            blocks.append(_table(basis, panel))
        else:
            blocks.append(Text(f"No run was evaluated on the {panel['label']} test set."))
    return Section("Levels", tuple(blocks))


def _table(basis: Basis, panel: dict[str, Any]) -> Table:
    test_set = panel["test_set"]
    counted = "; ".join(
        f"{level['label'].lower()} {level['rows'][0]['units']} units, {level['rows'][0]['malignant']} with a malignant "
        f"lesion, {level['rows'][0]['unscored']} not scored"
        for level in panel["levels"]
    )
    return Table(
        (("Level, run", 0.25), *((words, 0.15) for words, _ in levels.COLUMNS.values())),
        tuple(
            (f"{level['label']}: {row['run']}", *(cell(number) for number, _ in row["cells"]))
            for level in panel["levels"]
            for row in level["rows"]
        ),
        basis.caption(
            f"All malignant lesions, {TEST_SETS[test_set]} test, counted at each level: value, interval, n; no value "
            "under n=10",
            n=f"in the table; {counted}; {basis.size([test_set])}",
            method=" ".join(level["sentence"] for level in panel["levels"] if level["sentence"]),
            test_sets=[test_set],
        ),
    )
