"""Why lesions were missed, and sensitivity in subgroups."""

from __future__ import annotations

from webapp.results import failures, subgroups
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Bars, Block, Figure, Heading, Section, Table, Text
from webapp.results.reports.words import cell, methods, nowhere
from webapp.results.selectors import TEST_SETS

GROUP = "malignant"
MOST_RUNS = 4
"""Runs beside each other in one table of subgroups."""
FEW, WIDE, CLOSE = 10, 24, 15
"""Up to so many bars stand wide apart; height of each, in points."""


def misses(basis: Basis) -> Section:
    """Found and missed lesion views by reason, and subgroups."""
    blocks: list[Block] = [_reasons(basis, panel) for panel in failures.breakdown(basis.experiment, GROUP, nowhere)]
    for panel in subgroups.subgroups(basis.experiment, GROUP):
        blocks += [Heading(f"Subgroups, {panel['label']} test"), *_subgroups(basis, panel)]
    return Section("Misses and subgroups", tuple(blocks))


def _reasons(basis: Basis, panel: dict[str, object]) -> Block:
    rows = panel["rows"]
    assert isinstance(rows, list)
    if not rows:
        return Text(f"No run was evaluated on malignant lesions of the {panel['label']} test set.")
    return Figure(
        (
            Bars(
                f"{str(panel['label']).capitalize()} test",
                "malignant lesion views",
                tuple(basis.run_label(row["run"]) for row in rows),
                tuple(failures.COLOURS),
                tuple(tuple(part["count"] for part in row["parts"]) for row in rows),
            ),
        ),
        basis.caption(
            "Malignant lesion views found, and missed by the first reason that holds: finding taken (spent on another "
            f"lesion), wrong class, outside top (not among the best {basis.protocol.top} of the view), low score, no "
            "overlap",
            n=f"{rows[0]['lesions']} lesion views in each run; {basis.size([str(panel['test_set'])])}",
            method="counted at the threshold of the protocol",
            test_sets=[str(panel["test_set"])],
        ),
        height=50 + (WIDE if len(rows) <= FEW else CLOSE) * len(rows),
    )


def _subgroups(basis: Basis, panel: dict[str, object]) -> list[Block]:
    runs, kinds = panel["runs"], panel["kinds"]
    assert isinstance(runs, list) and isinstance(kinds, list)
    if not kinds:
        return [Text("All lesions of this test set belong to one subgroup of every kind.")]
    test_set = next(key for key, words in TEST_SETS.items() if words == panel["label"])
    tables: list[Block] = []
    for start in range(0, len(runs), MOST_RUNS):
        places = range(start, min(start + MOST_RUNS, len(runs)))
        tables.append(
            Table(
                (("Subgroup", 0.24), *((basis.run_label(runs[place]), 0.76 / len(places)) for place in places)),
                tuple(
                    (f"{kind['label']}: {row['label']}", *(cell(row["numbers"][place]) for place in places))
                    for kind in kinds
                    for row in kind["rows"]
                ),
                basis.caption(
                    "Sensitivity in subgroups of all malignant lesions; exploratory: subgroups were not drawn at "
                    "random, and differences between them are hints, not tests. Kinds in which all lesions are alike, "
                    "or nothing is known, are left out. The export has clusters and masses, and the differences to "
                    "the reference arm",
                    n=f"lesion views in the table, no value under 10; {basis.size([test_set])}",
                    method=methods(row["numbers"][place] for kind in kinds for row in kind["rows"] for place in places),
                    test_sets=[test_set],
                ),
            )
        )
    return tables
