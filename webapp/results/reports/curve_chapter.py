"""ROC, precision against recall and FROC of every run for every group of lesions, with areas and figures of merit."""

from __future__ import annotations

from typing import Any

from webapp.experiments.models import Run
from webapp.results import curves, selectors
from webapp.results.models import Evaluation
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Axis, Block, Figure, Heading, Plot, Section, Series, Table, Text
from webapp.results.reports.words import cell, lesions, methods, not_drawn
from webapp.results.selectors import GROUPS, TEST_SETS

ON_ALL = ("AFROC1", "wAFROC1")
"""Figures of merit for test sets in which every view has a lesion."""
LESION_FREE = ("AFROC", "wAFROC")
"""Those for the others."""
Bodies = dict[tuple[int, str], dict[str, Any]]
"""`curves.curve` by run and group."""


def curves_chapter(basis: Basis) -> Section:
    """One figure and one table a test set."""
    blocks: list[Block] = []
    for test_set in basis.test_sets:
        members = basis.evaluated(test_set)
        if not members:
            blocks.append(Text(f"No run was evaluated on the {TEST_SETS[test_set]} test set."))
            continue
        bodies = {(run.pk, group): curves.curve(evaluation, group) for run, evaluation in members for group in GROUPS}
        blocks += [
            Heading(f"{TEST_SETS[test_set].capitalize()} test"),
            _curves(basis, test_set, members, bodies),
            _merits(basis, test_set, members, bodies),
        ]
    return Section("Curves", tuple(blocks))


def _curves(basis: Basis, test_set: str, members: list[tuple[Run, Evaluation]], bodies: Bodies) -> Figure | Text:
    plots: list[Plot] = []
    left_out: list[tuple[str, str]] = []
    for group, words in GROUPS.items():
        row: list[Plot] = []
        for kind, (label, across, up) in curves.KINDS.items():
            series = []
            for run, evaluation in members:
                points, reason = curves.points(kind, evaluation, bodies[run.pk, group], group)
                if reason:
                    left_out.append((f"{label} of {basis.run_label(run)}, {words.lower()}", reason))
                    continue
                series.append(
                    Series(
                        basis.arm_label(run.arm),
                        tuple((float(one["x"]), float(one["y"])) for one in curves.thinned(points)),
                        kind="steps" if kind == "froc" else "line",
                        colour=run.arm.position,
                        dash=run.arm.position,
                    )
                )
            most = max((x for one in series for x, _ in one.points), default=1.0)
            row.append(
                Plot(
                    f"{kind.upper()}: {lesions(group)}",
                    Axis(across, 0.0, max(most, 0.1) if kind == "froc" else 1.0),
                    Axis(up, 0.0, 1.0),
                    tuple(series),
                    guide="diagonal" if kind == "roc" else "",
                    empty="not drawn, see the caption",
                )
            )
        if any(plot.series for plot in row):
            plots += row
    if not plots:
        return Text(f"No curve is drawn{not_drawn(left_out).removeprefix('. Not drawn')}.", "note")
    sizes = ", ".join(
        f"{words.lower()} {selectors.short(members[0][1])['sensitivity'][group]['denominator'] or 0}"
        for group, words in GROUPS.items()
    )
    sentence = next((body["sentence"] for body in bodies.values() if "sentence" in body), "; undefined")
    return Figure(
        tuple(plots),
        basis.caption(
            "ROC: benign against malignant on located findings above the protocol's threshold. PR: precision of "
            "findings called malignant against the share of lesion views found, as the threshold moves. FROC: share "
            "of lesion views found against false positives per image. One line a run"
            + (", seeds of an arm alike" if basis.several_seeds else "")
            + f"; long curves are thinned to {curves.MOST_POINTS} points; curves have no interval"
            + not_drawn(left_out),
            n=f"lesion views: {sizes}; {basis.size([test_set])}",
            # what a caption says anyway, the group and the protocol, is left out
            method=f"empirical curves; FROC: {sentence.partition('; ')[2].partition('; otherwise: ')[0]}",
            test_sets=[test_set],
        ),
        height=152,
    )


def _merits(basis: Basis, test_set: str, members: list[tuple[Run, Evaluation]], bodies: Bodies) -> Table:
    free = any(body.get("lesion_free") for body in bodies.values())
    shown = ("CPM", "AP", *(LESION_FREE if free else ON_ALL))
    rows, numbers = [], []
    for group, words in GROUPS.items():
        for run, evaluation in members:
            merits = curves.merits(bodies[run.pk, group])
            listed = [selectors.short(evaluation)["auc"][group], *(merits[name] for name in shown)]
            numbers += listed
            rows.append((words, basis.run_label(run), *(cell(number) for number in listed)))
    return Table(
        (("Lesions", 0.12), ("Run", 0.14), ("AUC", 0.148), *((name, 0.148) for name in shown)),
        tuple(rows),
        basis.caption(
            "AUC of the ROC, and figures of merit: value, interval, n; no value under n=10. "
            + "; ".join(f"{name}: {curves.MERITS[name]}" for name in shown)
            + ("; AFROC1 and wAFROC1, with the false positives of all views, are in the export" if free else "")
            + ". Beyond the end of a curve the CPM takes its last sensitivity",
            n=f"located findings for the AUC, lesion views for the others; {basis.size([test_set])}",
            method=f"{methods(numbers)}; not corrected for the number of comparisons",
            test_sets=[test_set],
        ),
    )
