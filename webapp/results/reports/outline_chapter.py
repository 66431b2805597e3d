"""How well found lesions are outlined."""

from __future__ import annotations

from webapp.core.templatetags.cemlab import FEWEST_SHOWN
from webapp.experiments.models import Run
from webapp.results import outlines
from webapp.results.models import Evaluation
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Axis, Block, Figure, Heading, Plot, Section, Series, Table, Text
from webapp.results.reports.words import cell, methods, not_drawn
from webapp.results.selectors import GROUPS, TEST_SETS

DICE = "Dice: 2 |A and B| / (|A| + |B|) on pixels"
HEIGHTS = 60
"""Points along a violin."""
WIDEST = 0.36
"""Half of a violin at its widest, in runs."""
MOST_RUNS = 8
"""Violins beside each other in one plot, so that their names have room."""


def outlines_chapter(basis: Basis) -> Section:
    """Violins of all malignant lesions and means of every group, on each test set."""
    blocks: list[Block] = []
    for test_set in basis.test_sets:
        if members := basis.evaluated(test_set):
            blocks += [
                Heading(f"{TEST_SETS[test_set].capitalize()} test"),
                _violins(basis, test_set, members),
                _means(basis, test_set, members),
            ]
    return Section("Outlines", tuple(blocks) or (Text("No run was evaluated."),))


def _means(basis: Basis, test_set: str, members: list[tuple[Run, Evaluation]]) -> Table:
    rows, numbers = [], []
    for group, words in GROUPS.items():
        for run, evaluation in members:
            body = outlines.numbers(evaluation, group)
            numbers += [body["found"], body["every"]]
            rows.append((words, basis.run_label(run), cell(body["found"]), cell(body["every"]), str(body["without"])))
    return Table(
        (("Lesions", 0.17), ("Run", 0.22), ("Mean over found", 0.24), ("Mean over all", 0.24), ("Without", 0.13)),
        tuple(rows),
        basis.caption(
            "Mean Dice of malignant lesion views: value, interval, n; no value under n=10. Over found lesions alone, "
            "and over all with 0 for those missed, since either alone can mislead. Without: found, but no outline of "
            "lesion or finding",
            n=f"in the table; {basis.size([test_set])}",
            method=f"{DICE}; {methods(numbers)}",
            test_sets=[test_set],
        ),
        frozenset({4}),
    )


def _violins(basis: Basis, test_set: str, members: list[tuple[Run, Evaluation]]) -> Block:
    found = [(run, [one["dice"] for one in outlines.numbers(one, "malignant")["values"]]) for run, one in members]
    drawn = [(run, values) for run, values in found if len(values) >= FEWEST_SHOWN]
    if not drawn:
        return Text(f"No distribution is drawn: under {FEWEST_SHOWN} found lesion views of a run have a Dice.", "note")
    left_out = [(basis.run_label(run), "too few") for run, values in found if len(values) < FEWEST_SHOWN]
    parts = [drawn[start : start + MOST_RUNS] for start in range(0, len(drawn), MOST_RUNS)]
    return Figure(
        tuple(_plot(basis, part) for part in parts),
        basis.caption(
            "Dice coefficient of the outline of each found malignant lesion view and the finding credited to it; width "
            "is a kernel density, the marker the median, the line the quartiles; missed lesions are not in it"
            + not_drawn(left_out),
            n=f"found lesion views, in the table of this test set; {basis.size([test_set])}",
            method=f"{DICE}; Gaussian kernel by Scott's rule",
            test_sets=[test_set],
        ),
        height=190 if len(parts) == 1 else 130,
        across=1,
    )


def _plot(basis: Basis, members: list[tuple[Run, list[float]]]) -> Plot:
    series = [one for place, (run, values) in enumerate(members) for one in _violin(run, values, place)]
    names = tuple(basis.run_label(run) for run, _ in members)
    return Plot("", Axis("", -0.6, len(members) - 0.4, places=names), Axis("Dice", 0, 1), tuple(series))


def _violin(run: Run, values: list[float], place: int) -> list[Series]:
    import numpy as np
    from scipy.stats import gaussian_kde

    low, middle, high = (float(one) for one in np.quantile(values, (0.25, 0.5, 0.75)))
    colour = run.arm.position
    made = [Series("", ((place, middle),), kind="markers", intervals=((low, high),), colour=colour)]
    if max(values) > min(values):
        heights = np.linspace(min(values), max(values), HEIGHTS)
        density = gaussian_kde(values)(heights)
        widths = WIDEST * density / density.max()
        right = [(place + float(width), float(height)) for width, height in zip(widths, heights, strict=True)]
        left = [(2 * place - x, height) for x, height in reversed(right)]
        made.insert(0, Series("", tuple(right + left), kind="area", colour=colour))
    return made
