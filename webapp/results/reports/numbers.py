"""All numbers, and the three panels against the synthetic ratio."""

from __future__ import annotations

from statistics import median
from typing import Any

from webapp.experiments.models import Arm
from webapp.results import curves, figures, selectors
from webapp.results.reports.basis import EXTERNAL, Basis
from webapp.results.reports.content import Axis, Block, Figure, Plot, Section, Series, Table, Text
from webapp.results.reports.words import cell, methods, not_drawn
from webapp.results.selectors import GROUPS, MEASURES, TEST_SETS, Row

DODGE = 0.22
"""Distance between groups of lesions on the axis of arms, in arms."""
SEED_STEP = 0.06
"""Distance between the seeds of an arm."""
RANGE = (
    "Range: lowest and highest value of the seeds, which is chance in training and no interval; empty where a seed has "
    "no value"
)


def numbers(basis: Basis) -> Section:
    """Sensitivity, precision and AUC of every run with intervals."""
    rows = selectors.rows(basis.experiment)
    blocks: list[Block] = [_panels(basis, rows)]
    if not basis.several_seeds:
        blocks.append(Text("One seed: how much chance in training decides is not known. See the limitations.", "note"))
    blocks += [_table(basis, [row for row in rows if row.test_set == one], one) for one in basis.test_sets]
    return Section("Numbers", tuple(blocks))


def _panels(basis: Basis, rows: list[Row]) -> Figure:
    x, y = _axes(basis, rows)
    plots = []
    for test_set in basis.test_sets:
        for measure, label in MEASURES.items():
            series: list[Series] = []
            for number, group in enumerate(GROUPS):
                members = [row for row in rows if (row.group, row.test_set) == (group, test_set)]
                series += _series(basis, members, measure, number, test_set)
            plots.append(
                Plot(f"{label}, {TEST_SETS[test_set]} test", x, y, tuple(series), empty="not drawn, see the caption")
            )
    left_out = [
        (
            f"{label} of {basis.run_label(row.run)}, {GROUPS[row.group].lower()}, {TEST_SETS[row.test_set]}",
            row.numbers[measure]["reason"] if row.numbers[measure]["value"] is None else "too few",
        )
        for row in rows
        for measure, label in MEASURES.items()
        if not figures.shown(row.numbers[measure])
    ]
    return Figure(
        tuple(plots),
        basis.caption(
            "Sensitivity, precision and AUC against the synthetic ratio, in the form of Van Camp et al. (IWBI 2024), "
            "Figure 4; bars are intervals"
            + ("; open markers and dashed lines are the external test set" if EXTERNAL in basis.test_sets else "")
            + ("; one marker a seed, the line joins the medians of the seeds" if basis.several_seeds else "")
            + not_drawn(left_out),
            n=f"in the tables of this chapter; {basis.size()}",
            method=methods(one for row in rows for one in row.numbers.values()),
        ),
        height=165,
    )


def _named(basis: Basis) -> bool:
    """Whether arms stand by name on the axis: two of them have the same ratio."""
    words = [selectors.ratio_words(arm) for arm in basis.arms]
    return len(set(words)) < len(words)


def _axes(basis: Basis, rows: list[Row]) -> tuple[Axis, Axis]:
    named = _named(basis)
    ticks = tuple(basis.arm_label(arm) if named else selectors.ratio_words(arm) for arm in basis.arms)
    ends = [
        end
        for row in rows
        for one in row.numbers.values()
        if figures.shown(one)
        for end in (one["low"], one["value"])
        if end is not None
    ]
    low = max(0.0, int(10 * min(ends, default=0.0)) / 10 - 0.1)
    return (
        Axis("arm" if named else "synthetic ratio", -0.5, len(basis.arms) - 0.5, places=ticks),
        Axis("", low, 1.0),
    )


def _series(basis: Basis, rows: list[Row], measure: str, number: int, test_set: str) -> list[Series]:
    """Markers of the runs of a group, and the line through the median of each arm."""
    by_arm: dict[Arm, list[tuple[int, dict[str, Any]]]] = {}
    for row in rows:
        if figures.shown(row.numbers[measure]):
            by_arm.setdefault(row.arm, []).append((basis.experiment.seeds.index(row.run.seed), row.numbers[measure]))
    if not by_arm:
        return []
    external = test_set == EXTERNAL
    offset = DODGE * (number - (len(GROUPS) - 1) / 2)
    middle = (len(basis.experiment.seeds) - 1) / 2
    listed = [
        (arm.position + offset + SEED_STEP * (seed - middle), one)
        for arm, members in by_arm.items()
        for seed, one in members
    ]
    medians = tuple(
        (arm.position + offset, median(one["value"] for _, one in members)) for arm, members in by_arm.items()
    )
    return [
        Series("", medians, kind="line", colour=number, dash=int(external)),
        Series(
            f"{list(GROUPS.values())[number]}, {TEST_SETS[test_set]}",
            tuple((place, one["value"]) for place, one in listed),
            kind="markers",
            intervals=tuple(_ends(one) for _, one in listed),
            colour=number,
            marker=number,
            filled=not external,
        ),
    ]


def _ends(number: dict[str, float | None]) -> tuple[float, float] | None:
    low, high = number["low"], number["high"]
    return None if low is None or high is None else (low, high)


def _table(basis: Basis, rows: list[Row], test_set: str) -> Table:
    lines = []
    by_arm: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        by_arm.setdefault((row.group, row.arm.pk), []).append(row)
    for members in by_arm.values():
        group, arm = GROUPS[members[0].group], basis.arm_label(members[0].arm)
        lines += [(group, arm, str(row.run.seed), *(cell(row.numbers[one]) for one in MEASURES)) for row in members]
        if basis.several_seeds:
            lines.append((group, arm, "range", *(_range([row.numbers[one] for row in members]) for one in MEASURES)))
    return Table(
        (("Lesions", 0.16), ("Arm", 0.16), ("Seed", 0.07), *((label, 0.2) for label in MEASURES.values())),
        tuple(lines),
        basis.caption(
            f"Numbers on the {TEST_SETS[test_set]} test set: value, interval, n; no value under n=10"
            + (f". {RANGE}" if basis.several_seeds else ""),
            n="lesion views for sensitivity, findings called malignant for precision, located findings for AUC; "
            + basis.size([test_set]),
            method=methods(row.numbers[measure] for row in rows for measure in MEASURES),
            test_sets=[test_set],
        ),
    )


def _range(numbers: list[dict[str, Any]]) -> str:
    """Lowest and highest value of the seeds; empty where a seed has no value to show."""
    return curves.spread(numbers) if all(figures.shown(one) for one in numbers) else ""
