"""Paired differences of every arm, and the lesions gained and lost."""

from __future__ import annotations

from webapp.core.templatetags.cemlab import FEWEST_SHOWN
from webapp.results import comparison_figure
from webapp.results.comparison import Compared, Comparison, changes_table, compare
from webapp.results.reports.basis import EXTERNAL, Basis
from webapp.results.reports.content import Axis, Block, Figure, Heading, Plot, Section, Series, Table, Text
from webapp.results.reports.words import cell, lesions, not_drawn, nowhere, p_words, without_interval
from webapp.results.selectors import GROUPS, MEASURES, TEST_SETS

STEP = 0.2
"""Distance of a test set from the middle of its line of a forest plot, in lines."""
SEED_STEP = 0.1
"""Distance between the seeds of an arm."""


def differences(basis: Basis) -> Section:
    """Forest plots of every paired difference, the declared family, all others, and what changed."""
    found = compare(basis.experiment)
    if not found.rows:
        return Section("Paired differences", (Text(found.reason or "Nothing is compared."),))
    blocks: list[Block] = [
        Heading("Primary endpoint"),
        _primary(basis, found) if found.primary else Text("The primary endpoint cannot be compared."),
        Heading("All differences"),
        _forest(basis, found),
    ]
    if found.exploratory:
        blocks.append(_exploratory(basis, found))
    blocks += [Heading("Lesions gained and lost"), _changes(basis, found)]
    if found.reason:
        blocks.append(Text(f"Left out: {found.reason}", "note"))
    return Section("Paired differences", tuple(blocks))


def _method(found: Comparison, rows: list[Compared]) -> str:
    """Of the comparison, and why a difference has no interval."""
    return "; ".join([found.method.rstrip("."), *without_interval(row.interval for row in rows)])


def _forest(basis: Basis, found: Comparison) -> Figure:
    shown = [row for row in found.rows if comparison_figure.drawn(row)]
    limit = max((abs(row.interval[end]) for row in shown for end in ("low", "high")), default=0.2)
    limit = min(1.0, limit + 0.05)
    others = [arm for arm in basis.arms if any(row.arm.pk == arm.pk for row in found.rows)]
    lines = [(group, arm) for group in GROUPS for arm in others]
    places = {(group, arm.pk): len(lines) - 1 - place for place, (group, arm) in enumerate(lines)}
    plots = []
    for measure, label in MEASURES.items():
        members = [row for row in shown if row.measure == measure]
        first = measure == next(iter(MEASURES))
        names = (
            f"{lesions(group).capitalize()}, {basis.arm_label(arm)}" if first else "" for group, arm in reversed(lines)
        )
        plots.append(
            Plot(
                label,
                Axis("difference", -limit, limit),
                Axis("", -0.5, len(lines) - 0.5, places=tuple(names)),
                tuple(
                    series
                    for number, group in enumerate(GROUPS)
                    for test_set in basis.test_sets
                    if (series := _series(basis, members, number, group, test_set, places))
                ),
                guide="zero",
                empty="not drawn",
            )
        )
    left_out = [
        (
            f"{MEASURES[row.measure]} of {basis.run_label(row.run)}, {GROUPS[row.group].lower()}, "
            f"{TEST_SETS[row.test_set]}",
            "too few" if 0 < row.interval["n"] < FEWEST_SHOWN else row.interval["reason"],
        )
        for row in found.rows
        if not comparison_figure.drawn(row)
    ]
    return Figure(
        tuple(plots),
        basis.caption(
            f"Differences to {found.rows[0].reference.arm.name}, the same seed, with interval; right of 0 the arm is "
            "better"
            + ("; open markers are the external test set" if EXTERNAL in basis.test_sets else "")
            + not_drawn(left_out),
            n=f"in the tables of this chapter; {basis.size()}",
            method=_method(found, found.rows),
        ),
        height=60 + 26 * max(3, len(lines)),
    )


def _series(
    basis: Basis, rows: list[Compared], number: int, group: str, test_set: str, places: dict[tuple[str, int], int]
) -> Series | None:
    members = [row for row in rows if (row.group, row.test_set) == (group, test_set)]
    if not members:
        return None
    external = test_set == EXTERNAL
    middle = (len(basis.experiment.seeds) - 1) / 2

    def height(row: Compared) -> float:
        seed = SEED_STEP * (middle - basis.experiment.seeds.index(row.run.seed))
        return places[group, row.arm.pk] + (-STEP if external else STEP) + seed

    return Series(
        f"{GROUPS[group]}, {TEST_SETS[test_set]}",
        tuple((row.interval["value"], height(row)) for row in members),
        kind="markers",
        intervals=tuple((row.interval["low"], row.interval["high"]) for row in members),
        interval_axis="x",
        colour=number,
        marker=number,
        filled=not external,
    )


def _primary(basis: Basis, found: Comparison) -> Table:
    first = found.primary[0]
    return Table(
        (("Arm, seed", 0.36), ("Difference", 0.36), ("p", 0.14), ("p, Holm", 0.14)),
        tuple(
            (basis.run_label(row.run), cell(row.interval, signed=True), p_words(row.p_value), p_words(row.adjusted))
            for row in found.primary
        ),
        basis.caption(
            f"Primary endpoint, {MEASURES[first.measure]}, {GROUPS[first.group].lower()}, {TEST_SETS[first.test_set]} "
            "test: difference, interval, n; two-sided p, and p corrected after Holm within this table",
            n=f"in the table; {basis.size([first.test_set])}",
            method=_method(found, found.primary),
            test_sets=[first.test_set],
        ),
        frozenset({2, 3}),
    )


def _exploratory(basis: Basis, found: Comparison) -> Table:
    """The three measures of a run beside each other; a cell is empty where the number is the primary endpoint."""
    by_run: dict[tuple[str, str, str], dict[str, Compared]] = {}
    for row in found.exploratory:
        by_run.setdefault((row.test_set, row.group, basis.run_label(row.run)), {})[row.measure] = row
    return Table(
        (("Test set, lesions", 0.19), ("Arm, seed", 0.21), *((label, 0.2) for label in MEASURES.values())),
        tuple(
            (
                f"{TEST_SETS[test_set].capitalize()}, {lesions(group)}",
                words,
                *(_with_p(members[measure]) if measure in members else "" for measure in MEASURES),
            )
            for (test_set, group, words), members in by_run.items()
        ),
        basis.caption(
            "All differences of malignant lesions but the primary endpoint, exploratory: difference, interval, n (no "
            "value under 10), and two-sided p corrected after Benjamini and Hochberg over this table; empty: the "
            "primary endpoint. The export has p as it was before the correction",
            n=f"in the table; {basis.size()}",
            method=_method(found, found.exploratory),
        ),
    )


def _with_p(row: Compared) -> str:
    said = cell(row.interval, signed=True)
    return said if row.p_value is None else f"{said}, p {p_words(row.adjusted)}"


def _changes(basis: Basis, found: Comparison) -> Table:
    rows = []
    for one in changes_table(found, nowhere):
        patients = one["patients"]
        p = f"n under {FEWEST_SHOWN}" if patients["n"] < FEWEST_SHOWN else p_words(patients["p_value"])
        rows.append(
            (
                f"{one['test_set'].capitalize()}, {lesions(one['row'].group)}",
                basis.run_label(one["row"].run),
                *(str(one[name]) for name in ("lesions", "gained", "lost", "both", "neither")),
                p,
            )
        )
    return Table(
        (
            ("Test set, lesions", 0.22),
            ("Arm, seed", 0.2),
            ("Lesion views", 0.1),
            ("Gained", 0.09),
            ("Lost", 0.07),
            ("Both found", 0.09),
            ("Both missed", 0.1),
            ("p, patients", 0.13),
        ),
        tuple(rows),
        basis.caption(
            f"Malignant lesion views that the arm found and {found.rows[0].reference.arm.name} missed (gained), and "
            "the reverse (lost)",
            n=f"lesion views in the table; {basis.size()}",
            method="counted at the threshold of the protocol; p: exact McNemar test over patients with any lesion of "
            "the group found, not corrected",
        ),
        frozenset(range(2, 8)),
    )
