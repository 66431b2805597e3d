"""Curves, calibration and mask overlap of every run."""

from __future__ import annotations

from typing import Any

from webapp.core.templatetags.cemlab import FEWEST_SHOWN, decimal
from webapp.experiments.models import Run
from webapp.results import calibration, curves, outlines, selectors
from webapp.results.models import Evaluation
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Axis, Block, Figure, Heading, Plot, Section, Series, Table, Text
from webapp.results.reports.words import cell, methods
from webapp.results.selectors import TEST_SETS

GROUP = "malignant"
"""Curves of a report are those of all malignant lesions; the page and the export have the other groups."""


def curves_chapter(basis: Basis) -> Section:
    """ROC, precision against recall, FROC, calibration and Dice on each test set."""
    blocks: list[Block] = []
    for test_set in basis.test_sets:
        members = basis.evaluated(test_set)
        if not members:
            blocks.append(Text(f"No run was evaluated on the {TEST_SETS[test_set]} test set."))
            continue
        bodies = {run.pk: curves.curve(evaluation, GROUP) for run, evaluation in members}
        blocks += [
            Heading(f"Curves, {TEST_SETS[test_set]} test"),
            _curves(basis, test_set, members, bodies),
            _areas(basis, test_set, members, bodies),
            Heading(f"Calibration, {TEST_SETS[test_set]} test"),
            *_calibration(basis, test_set, members),
            Heading(f"Overlap of outlines, {TEST_SETS[test_set]} test"),
            *_dice(basis, test_set, members),
        ]
    return Section("Curves, calibration and overlap", tuple(blocks))


def _curves(
    basis: Basis, test_set: str, members: list[tuple[Run, Evaluation]], bodies: dict[int, dict[str, Any]]
) -> Figure:
    plots, left_out = [], []
    for kind, (label, across, up) in curves.KINDS.items():
        series = []
        for place, (run, evaluation) in enumerate(members):
            points, reason = curves.points(kind, evaluation, bodies[run.pk], GROUP)
            if reason:
                left_out.append(f"{label} of {run}: {reason}")
                continue
            series.append(
                Series(
                    str(run),
                    tuple((float(one["x"] or 0), float(one["y"] or 0)) for one in curves.thinned(points)),
                    kind="line" if kind == "pr" else "steps",
                    colour=place,
                    dashed=place % 2 == 1,
                )
            )
        most = max((x for one in series for x, _ in one.points), default=1.0)
        plots.append(
            Plot(
                label,
                Axis(across, 0.0, max(most, 0.1) if kind == "froc" else 1.0),
                Axis(up, 0.0, 1.0),
                tuple(series),
                guide="diagonal" if kind == "roc" else "",
                empty="not drawn, see the caption",
            )
        )
    sentence = next((body["sentence"] for body in bodies.values() if "sentence" in body), "FROC is undefined")
    found = members[0][1].result["sensitivity"][GROUP]["denominator"] or 0
    return Figure(
        tuple(plots),
        basis.caption(
            "ROC on located findings above the protocol's threshold, precision against recall as the threshold moves, "
            "and FROC; all malignant lesions; curves thinned to "
            f"{curves.MOST_POINTS} points" + (f". Not drawn: {'; '.join(left_out)}" if left_out else ""),
            n=f"{found} lesion views, {basis.size([test_set])}",
            method=f"empirical curves. {sentence}",
            test_sets=[test_set],
        ),
    )


def _areas(
    basis: Basis, test_set: str, members: list[tuple[Run, Evaluation]], bodies: dict[int, dict[str, Any]]
) -> Table:
    rows = []
    for run, evaluation in members:
        body = bodies[run.pk]
        cpm = curves.merits(body)["CPM"]
        rows.append((str(run), cell(evaluation.result["auc"][GROUP]), cell(cpm)))
    return Table(
        (("Run", 0.32), ("AUC", 0.34), ("CPM", 0.34)),
        tuple(rows),
        basis.caption(
            "Area under the ROC curve, and CPM: mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives per "
            "image",
            n=f"in the table; {basis.size([test_set])}",
            method=f"{members[0][1].result['auc'][GROUP].get('method') or 'none'}; CPM: bootstrap over patients",
            test_sets=[test_set],
        ),
    )


def _calibration(basis: Basis, test_set: str, members: list[tuple[Run, Evaluation]]) -> list[Block]:
    series, rows, left_out = [], [], []
    for place, (run, evaluation) in enumerate(members):
        made = calibration.numbers(evaluation, "finding").get("equal_width")
        if made is None or made["n"] < FEWEST_SHOWN:
            left_out.append(f"{run}: n={made['n'] if made else 0}, too few")
            continue
        bins = [one for one in made["bins"] if one["observed"]["value"] is not None]
        series.append(
            Series(
                str(run),
                tuple((one["mean_score"], one["observed"]["value"]) for one in bins),
                intervals=tuple((one["observed"]["low"], one["observed"]["high"]) for one in bins),
                colour=place,
                dashed=place % 2 == 1,
            )
        )
        rows.append(
            (
                str(run),
                cell(made["brier"]),
                decimal(made["expected_error"], 3),
                decimal(made["intercept"]),
                decimal(made["slope"]),
            )
        )
    if not rows:
        return [Text(f"No calibration is shown: {'; '.join(left_out)}.")]
    size = f"located findings in the table; {basis.size([test_set])}"
    caption = basis.caption(
        "Share of malignant lesions against the probability of malignancy, in bins of equal width; located findings "
        "above the protocol's threshold" + (f". Not shown: {'; '.join(left_out)}" if left_out else ""),
        n=size,
        method="mean probability and share of each bin; bars are Wilson intervals",
        test_sets=[test_set],
    )
    numbers = basis.caption(
        "Calibration in numbers; intercept and slope are 0 and 1 when calibrated, and undefined where one class is "
        "missing or the classes are fully apart",
        n=size,
        method="Brier score with a bootstrap over patients; error: mean distance of the bins, weighted with their "
        "findings; logistic regression on the logit",
        test_sets=[test_set],
    )
    plot = Plot(
        "", Axis("probability of malignancy", 0, 1), Axis("share malignant", 0, 1), tuple(series), guide="diagonal"
    )
    table = Table(
        (("Run", 0.3), ("Brier score", 0.34), ("Calibration error", 0.14), ("Intercept", 0.11), ("Slope", 0.11)),
        tuple(rows),
        numbers,
        frozenset({2, 3, 4}),
    )
    return [Figure((plot,), caption, height=200), table]


def _dice(basis: Basis, test_set: str, members: list[tuple[Run, Evaluation]]) -> list[Block]:
    series, rows = [], []
    for place, (run, evaluation) in enumerate(members):
        body = outlines.numbers(evaluation, GROUP)
        values = [one["dice"] for one in body["values"]]
        rows.append((str(run), cell(body["found"]), cell(body["every"]), str(body["without"])))
        if len(values) >= FEWEST_SHOWN:
            series += _violin(str(run), values, place)
    table = Table(
        (("Run", 0.28), ("Mean over found", 0.28), ("Mean over all, missed as 0", 0.28), ("Without outline", 0.16)),
        tuple(rows),
        basis.caption(
            "Mean Dice of malignant lesion views; no value under n=10",
            n=f"in the table; {basis.size([test_set])}",
            method="2|A and B| / (|A| + |B|) on pixels; "
            + methods(outlines.numbers(one, GROUP)[of] for _, one in members for of in ("found", "every")),
            test_sets=[test_set],
        ),
        frozenset({3}),
    )
    if not series:
        words = "No distribution is drawn: fewer than ten found lesion views of a run have both outlines."
        return [Text(words, "note"), table]
    names = tuple(str(run) for run, _ in members)
    plot = Plot("", Axis("", -0.6, len(members) - 0.4, places=names), Axis("Dice", 0, 1), tuple(series))
    figure = Figure(
        (plot,),
        basis.caption(
            "Dice coefficient of the outline of a found malignant lesion and of the finding credited to it; width is a "
            "kernel density, the marker the median, the line the quartiles",
            n=f"in the table below; {basis.size([test_set])}",
            method="2|A and B| / (|A| + |B|) on pixels; Gaussian kernel by Scott's rule",
            test_sets=[test_set],
        ),
    )
    return [figure, table]


def _violin(name: str, values: list[float], place: int) -> list[Series]:
    import numpy as np
    from scipy.stats import gaussian_kde

    low, middle, high = (float(one) for one in np.quantile(values, (0.25, 0.5, 0.75)))
    drawn = [Series("", ((place, middle),), kind="markers", intervals=((low, high),), colour=place)]
    if max(values) > min(values):
        heights = np.linspace(max(0.0, min(values) - 0.05), min(1.0, max(values) + 0.05), 60)
        density = gaussian_kde(values)(heights)
        widths = 0.36 * density / density.max()
        right = [(place + float(width), float(height)) for width, height in zip(widths, heights, strict=True)]
        left = [(place - float(width), float(height)) for width, height in zip(widths, heights, strict=True)]
        drawn.insert(0, Series(name, tuple(right + left[::-1]), kind="area", colour=place))
    return drawn
