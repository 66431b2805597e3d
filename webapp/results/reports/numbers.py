"""All numbers, the three panels against the synthetic ratio, and paired differences."""

from __future__ import annotations

from webapp.results import comparison_figure, figures, selectors
from webapp.results.comparison import Compared, Comparison, compare
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Axis, Block, Figure, Heading, Plot, Section, Series, Table, Text
from webapp.results.reports.words import cell, methods
from webapp.results.selectors import GROUPS, MEASURES, TEST_SETS, Row

MARKERS = ("circle", "square", "diamond")
DODGE = 0.09
"""Distance between neighbouring series on the axis of arms, in arms."""
STEP = 0.16
"""Distance between test sets on one line of a forest plot, in lines."""


def numbers(basis: Basis) -> Section:
    """Sensitivity, precision and AUC of every run with intervals."""
    rows = selectors.rows(basis.experiment)
    several = len(basis.experiment.seeds) > 1
    blocks: list[Block] = [_panels(basis, rows)]
    if not several:
        blocks.append(Text("One seed: how much chance in training decides is not known. See the limitations.", "note"))
    for test_set in basis.test_sets:
        for group in GROUPS:
            chosen = [row for row in rows if (row.test_set, row.group) == (test_set, group)]
            blocks.append(_table(basis, chosen, test_set, group))
    return Section("Numbers", tuple(blocks))


def _panels(basis: Basis, rows: list[Row]) -> Figure:
    places = {arm.pk: place for place, arm in enumerate(basis.arms)}
    words = [selectors.ratio_words(arm) for arm in basis.arms]
    named = len(set(words)) < len(words)
    ticks = tuple(arm.name if named else ratio for arm, ratio in zip(basis.arms, words, strict=True))
    ends = [
        end
        for row in rows
        for one in row.numbers.values()
        if figures.shown(one)
        for end in (one["low"], one["value"])
        if end is not None
    ]
    low = max(0.0, int(10 * min(ends, default=0.0)) / 10 - 0.1)
    series_of = [(group, test_set) for group in GROUPS for test_set in basis.test_sets]
    plots = []
    for measure, label in MEASURES.items():
        series = []
        for number, (group, test_set) in enumerate(series_of):
            offset = DODGE * (number - (len(series_of) - 1) / 2)
            members = [
                row
                for row in rows
                if (row.group, row.test_set) == (group, test_set) and figures.shown(row.numbers[measure])
            ]
            if members:
                series.append(
                    Series(
                        f"{GROUPS[group]}, {TEST_SETS[test_set]}",
                        tuple((places[row.arm.pk] + offset, row.numbers[measure]["value"]) for row in members),
                        kind="line and markers" if len(basis.experiment.seeds) == 1 else "markers",
                        intervals=tuple(_ends(row.numbers[measure]) for row in members),
                        colour=list(GROUPS).index(group),
                        marker=MARKERS[list(GROUPS).index(group)],  # type: ignore[arg-type]
                        filled=test_set == "internal_test",
                        dashed=test_set != "internal_test",
                    )
                )
        plots.append(
            Plot(
                label,
                Axis("arm" if named else "synthetic ratio", -0.5, len(basis.arms) - 0.5, places=ticks),
                Axis("", low, 1.0),
                tuple(series),
                empty="nothing to draw",
            )
        )
    left_out = {
        f"{GROUPS[row.group].lower()}, {TEST_SETS[row.test_set]}, {label}"
        for row in rows
        for measure, label in MEASURES.items()
        if not figures.shown(row.numbers[measure])
    }
    return Figure(
        tuple(plots),
        basis.caption(
            "Sensitivity, precision and AUC against the synthetic ratio, in the form of Van Camp et al. (IWBI 2024), "
            "Figure 4; bars are intervals; open markers and dashed lines are the external test set"
            + (
                f". Not drawn for some or all runs (undefined, or n under 10): {'; '.join(sorted(left_out))}"
                if left_out
                else ""
            ),
            n=f"in the tables below; {basis.size()}",
            method=methods(one for row in rows for one in row.numbers.values()),
        ),
    )


def _ends(number: dict[str, float | None]) -> tuple[float, float] | None:
    low, high = number["low"], number["high"]
    return None if low is None or high is None else (low, high)


def _table(basis: Basis, rows: list[Row], test_set: str, group: str) -> Table:
    return Table(
        (("Arm", 0.22), ("Seed", 0.06), *((label, 0.24) for label in MEASURES.values())),
        tuple((row.arm.name, str(row.run.seed), *(cell(row.numbers[measure]) for measure in MEASURES)) for row in rows),
        basis.caption(
            f"{GROUPS[group]}, {TEST_SETS[test_set]} test: value, interval, n; no value under n=10",
            n="lesion views for sensitivity, findings called malignant for precision, located findings for AUC; "
            + basis.size([test_set]),
            method=methods(row.numbers[measure] for row in rows for measure in MEASURES),
            test_sets=[test_set],
        ),
        frozenset({1}),
    )


def differences(basis: Basis) -> Section:
    """Forest plots of every paired difference, the declared family in a table, the rest in another."""
    found = compare(basis.experiment)
    if not found.rows:
        return Section("Paired differences", (Text(found.reason or "Nothing is compared."),))
    blocks: list[Block] = [_forest(basis, found)]
    for words, rows in (("Primary endpoint", found.primary), ("All others, exploratory", found.exploratory)):
        if rows:
            blocks += [Heading(words), _differences(basis, found, rows, words)]
    if found.reason:
        blocks.append(Text(f"Left out: {found.reason}", "note"))
    return Section("Paired differences", tuple(blocks))


def _forest(basis: Basis, found: Comparison) -> Figure:
    limit = max(
        (abs(row.interval[end]) for row in found.rows if comparison_figure.drawn(row) for end in ("low", "high")),
        default=0.2,
    )
    limit = min(1.0, limit + 0.05)
    others = [arm for arm in basis.arms if any(row.arm.pk == arm.pk for row in found.rows)]
    lines = [(group, arm) for group in GROUPS for arm in others]
    places = {(group, arm.pk): len(lines) - 1 - place for place, (group, arm) in enumerate(lines)}
    plots = []
    for measure, label in MEASURES.items():
        series = []
        for group in GROUPS:
            for test_set in basis.test_sets:
                members = [
                    row
                    for row in found.rows
                    if (row.measure, row.group, row.test_set) == (measure, group, test_set)
                    and comparison_figure.drawn(row)
                ]
                external = test_set != "internal_test"
                if members:
                    series.append(
                        Series(
                            f"{GROUPS[group]}, {TEST_SETS[test_set]}",
                            tuple(
                                (row.interval["value"], places[group, row.arm.pk] + (-STEP if external else STEP))
                                for row in members
                            ),
                            kind="markers",
                            intervals=tuple((row.interval["low"], row.interval["high"]) for row in members),
                            interval_axis="x",
                            colour=list(GROUPS).index(group),
                            marker=MARKERS[list(GROUPS).index(group)],  # type: ignore[arg-type]
                            filled=not external,
                        )
                    )
        first = measure == next(iter(MEASURES))
        plots.append(
            Plot(
                label,
                Axis("difference", -limit, limit),
                Axis(
                    "",
                    -0.5,
                    len(lines) - 0.5,
                    places=tuple(
                        f"{GROUPS[group].removeprefix('Malignant ').capitalize()}, {arm.name}" if first else ""
                        for group, arm in reversed(lines)
                    ),
                ),
                tuple(series),
                guide="zero",
                empty="nothing to draw",
            )
        )
    reference = found.rows[0].reference.arm.name
    return Figure(
        tuple(plots),
        basis.caption(
            f"Differences to {reference}, the same seed; right of 0 the arm is better; open markers are the external "
            "test set",
            n=f"in the tables below; {basis.size()}",
            method=found.method,
        ),
        height=60 + 26 * max(3, len(lines)),
    )


def _differences(basis: Basis, found: Comparison, rows: list[Compared], words: str) -> Table:
    return Table(
        (
            ("Test set, lesions, measure", 0.34),
            ("Arm, seed", 0.2),
            ("Difference", 0.24),
            ("p", 0.11),
            ("adjusted", 0.11),
        ),
        tuple(
            (
                f"{TEST_SETS[row.test_set].capitalize()}, {GROUPS[row.group].lower()}, {MEASURES[row.measure]}",
                row.words,
                cell(row.interval, signed=True),
                _p(row.p_value),
                _p(row.adjusted),
            )
            for row in rows
        ),
        basis.caption(
            f"{words}: difference, interval, n (no value under 10), two-sided p and p corrected by {rows[0].family}",
            n=f"in the table; {basis.size()}",
            method=found.method,
        ),
        frozenset({3, 4}),
    )


def _p(value: float | None) -> str:
    if value is None:
        return "undefined"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
