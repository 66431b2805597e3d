"""Whether a score can be read as a probability, and the net benefit of acting on it."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from webapp.core.templatetags.cemlab import FEWEST_SHOWN, decimal
from webapp.experiments.models import Run
from webapp.results import calibration
from webapp.results.calibration_figures import drawn, drawn_bins, why_not
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Axis, Block, Figure, Heading, Plot, Section, Series, Table, Text
from webapp.results.reports.words import cell, methods, not_drawn
from webapp.results.selectors import TEST_SETS

SHORT = {"finding": "located findings", "image": "whole views"}
"""What is read as a probability → title of a plot."""
LOWEST, ROOM = -0.1, 1.1
"""End of the axis of net benefit, and room above the highest."""
Bodies = dict[str, list[tuple[Run, dict[str, Any]]]]
"""`calibration.numbers` of every run by what is read as a probability."""


def calibration_chapter(basis: Basis) -> Section:
    """One figure and one table a test set."""
    blocks: list[Block] = [
        Text(f"{SHORT[what].capitalize()}: {sentence}", "note") for what, sentence in calibration.SENTENCES.items()
    ]
    for test_set in basis.test_sets:
        members = basis.evaluated(test_set)
        if not members:
            blocks.append(Text(f"No run was evaluated on the {TEST_SETS[test_set]} test set."))
            continue
        bodies = {
            what: [(run, calibration.numbers(evaluation, what)) for run, evaluation in members]
            for what in calibration.WHAT
        }
        blocks += [
            Heading(f"{TEST_SETS[test_set].capitalize()} test"),
            _figure(basis, test_set, bodies),
            _numbers(basis, test_set, bodies),
        ]
    return Section("Calibration and net benefit", tuple(blocks))


def _figure(basis: Basis, test_set: str, bodies: Bodies) -> Figure | Text:
    plots: list[Plot] = []
    left_out: list[tuple[str, str]] = []
    bins: list[dict[str, Any]] = []
    for what, listed in bodies.items():
        left_out += [
            (f"{SHORT[what]} of {basis.run_label(run)}", why_not(body)) for run, body in listed if not drawn(body)
        ]
        members = [(run, body) for run, body in listed if drawn(body)]
        bins += [one["observed"] for _, body in members for one in drawn_bins(body)]
        row = [_reliability(basis, what, members), _decision(basis, what, members)]
        if any(plot.series for plot in row):
            plots += row
    if not plots:
        return Text(f"Nothing is drawn{not_drawn(left_out).removeprefix('. Not drawn')}.", "note")
    return Figure(
        tuple(plots),
        basis.caption(
            "Reliability: share of malignant rows against the mean probability said, in ten bins of equal width; on "
            f"the dotted line what is said is what comes true; bins under n={FEWEST_SHOWN} are not drawn. Decision "
            "curve: net benefit per row of acting from a probability on, which is true positives minus false "
            "positives weighted by the odds of that probability; thin lines: acting on all, and on none (0). Net "
            "benefit holds for the share of malignant rows in this test set; lines are cut off below "
            f"{LOWEST:g}" + (". Seeds of an arm look alike" if basis.several_seeds else "") + not_drawn(left_out),
            n=f"rows in the table; {basis.size([test_set])}",
            method=f"bins: {methods(bins)}; net benefit: no interval is computed",
            test_sets=[test_set],
        ),
        height=152,
        across=2,
    )


def _reliability(basis: Basis, what: str, members: list[tuple[Run, dict[str, Any]]]) -> Plot:
    series = []
    for run, body in members:
        bins = drawn_bins(body)
        series.append(
            Series(
                basis.arm_label(run.arm),
                tuple((one["mean_score"], one["observed"]["value"]) for one in bins),
                intervals=tuple((one["observed"]["low"], one["observed"]["high"]) for one in bins),
                colour=run.arm.position,
                dash=run.arm.position,
                marker=run.arm.position,
            )
        )
    return Plot(
        f"Reliability: {SHORT[what]}",
        Axis("mean probability said", 0, 1),
        Axis("share malignant", 0, 1),
        tuple(one for one in series if one.points),
        guide="diagonal",
        empty="not drawn, see the caption",
    )


def _decision(basis: Basis, what: str, members: list[tuple[Run, dict[str, Any]]]) -> Plot:
    found = [(run, body["decision"]) for run, body in members if body["decision"]]
    best = max((value for _, curve in found for value in curve["model"]), default=1.0)
    top = ROOM * max(0.1, best)
    series = [
        Series(basis.arm_label(run.arm), piece, kind="line", colour=run.arm.position, dash=run.arm.position)
        for run, curve in found
        for piece in _pieces(curve["thresholds"], curve["model"], top)
    ]
    # runs that located other findings have another share of malignant ones, and another line
    for curve in {curve["prevalence"]: curve for _, curve in found}.values():
        pieces = _pieces(curve["thresholds"], curve["treat_all"], top)
        series += [Series("act on all", piece, kind="thin") for piece in pieces]
    return Plot(
        f"Decision curve: {SHORT[what]}",
        Axis("probability from which one acts", 0, 1),
        Axis("net benefit per row", LOWEST, top),
        tuple(series),
        guide="level" if series else "",
        empty="not drawn, see the caption",
    )


def _pieces(across: list[float], up: list[float], top: float) -> list[tuple[tuple[float, float], ...]]:
    """The parts of a line between the ends of the axis, each on its own, so that no line bridges what is cut off."""
    parts = groupby(zip(across, up, strict=True), key=lambda point: LOWEST <= point[1] <= top)
    return [tuple(points) for inside, points in parts if inside]


def _numbers(basis: Basis, test_set: str, bodies: Bodies) -> Table:
    rows: list[tuple[str, ...]] = []
    intervals: list[dict[str, Any]] = []
    not_fitted: dict[str, None] = {}
    for what, listed in bodies.items():
        for run, body in listed:
            if not drawn(body):
                rows.append((SHORT[what], basis.run_label(run), why_not(body), "", "", "", "", "", ""))
                continue
            width, again = body["equal_width"], body["recalibrated"]
            intervals += [width["brier"], *([again["brier"]] if again else [])]
            if not again:
                not_fitted[body["not_recalibrated"]] = None
            rows.append(
                (
                    SHORT[what],
                    basis.run_label(run),
                    cell(width["brier"]),
                    decimal(width["expected_error"], 3),
                    decimal(body["equal_mass"]["expected_error"], 3),
                    decimal(width["intercept"]),
                    decimal(width["slope"]),
                    cell(again["brier"]) if again else "not fitted",
                    decimal(again["expected_error"], 3) if again else "",
                )
            )
    return Table(
        (
            ("Read as a probability", 0.11),
            ("Run", 0.14),
            ("Brier score", 0.15),
            ("Error, equal width", 0.08),
            ("Error, equal mass", 0.08),
            ("Intercept", 0.11),
            ("Slope", 0.11),
            ("Brier score, recalibrated", 0.15),
            ("Error, recal.", 0.07),
        ),
        tuple(rows),
        basis.caption(
            "Brier score: mean squared distance of probability and truth, 0 is best, with interval and n. Error: mean "
            "distance of said and observed share over ten bins. Intercept (logit) 0 and slope 1: calibrated; a slope "
            "under 1: too sure of itself; undefined where one class is missing or the classes do not overlap. "
            "Recalibrated: intercept and slope fitted on the validation views of the same run, then applied to this "
            "test set" + (f". Not fitted: {'; '.join(not_fitted)}" if not_fitted else ""),
            n=f"rows in the table; {basis.size([test_set])}",
            method=f"Brier score: {methods(intervals)}; the others have no interval",
            test_sets=[test_set],
        ),
        frozenset({3, 4, 5, 6, 8}),
    )
