"""Reliability diagrams and decision curves, one of each a test set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webapp.core.templatetags.cemlab import FEWEST_SHOWN, interval_text
from webapp.experiments.models import Experiment, Run
from webapp.results import calibration, selectors
from webapp.results.cases import OPEN
from webapp.results.curves import COLOURS, DASHES, Evaluated

ALONG = {"dash": "dot", "width": 1, "color": "role:axis"}
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")


def panels(experiment: Experiment, what: str, cases_url: Callable[..., str]) -> list[dict[str, Any]]:
    """One entry a test set, internal first.

    Returns
    -------
    list of dict
        ``{"test_set", "label", "reliability": figure, "decision": figure, "rows": [{"run", "body", "url"}],
        "left_out": [str]}``.
    """
    found = selectors.evaluations(experiment)
    entries = []
    for test_set in selectors.present_test_sets(experiment):
        rows: list[dict[str, Any]] = [
            {
                "run": run,
                "body": calibration.numbers(found[run.pk, test_set], what),
                "url": _address(cases_url, run, test_set, what),
            }
            for arm in experiment.arms.all()
            for run in arm.runs.all()
            if (run.pk, test_set) in found
        ]
        shown = [row for row in rows if drawn(row["body"])]
        entries.append(
            {
                "test_set": test_set,
                "label": selectors.TEST_SETS[test_set],
                "rows": rows,
                "reliability": _reliability(shown, test_set, what, cases_url),
                "decision": _decision(shown, test_set, what, cases_url),
                "left_out": [f"{row['run']}: {why_not(row['body'])}" for row in rows if not drawn(row["body"])],
            }
        )
    return entries


def drawn(body: dict[str, Any]) -> bool:
    """Whether the `calibration.numbers` of a run are defined and rest on enough rows."""
    return "reason" not in body and body["equal_width"]["n"] >= FEWEST_SHOWN


def drawn_bins(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Bins of equal width that figures show: enough rows, of more than one patient; the others would pull the eye."""
    bins = body["equal_width"]["bins"]
    return [one for one in bins if one["observed"]["n"] >= FEWEST_SHOWN and one["observed"]["low"] is not None]


def why_not(body: dict[str, Any]) -> str:
    """Why a run is not drawn."""
    return str(body.get("reason") or f"n={body['equal_width']['n']}, too few")


def _address(cases_url: Callable[..., str], run: Run, test_set: str, what: str, **narrowed: Any) -> str:
    row = Evaluated(run, test_set, "malignant")
    if what == "image":
        return cases_url(row, "views", level="image", **narrowed)
    return cases_url(row, "auc", **narrowed)


def _style(run: Run) -> dict[str, Any]:
    place = run.arm.position
    return {"color": f"role:s{place % COLOURS + 1}", "dash": DASHES[place % len(DASHES)], "width": 2}


def _reliability(rows: list[dict[str, Any]], test_set: str, what: str, cases_url: Callable[..., str]) -> dict[str, Any]:
    traces = []
    for row in rows:
        run, shown = row["run"], drawn_bins(row["body"])
        last = row["body"]["equal_width"]["bins"][-1]
        traces.append(
            {
                "name": str(run),
                "legendgroup": f"arm-{run.arm.position}",
                "mode": "lines+markers",
                "x": [one["mean_score"] for one in shown],
                "y": [one["observed"]["value"] for one in shown],
                "line": _style(run),
                "marker": {
                    "color": _style(run)["color"],
                    "symbol": SYMBOLS[run.arm.position % len(SYMBOLS)],
                    "size": 8,
                },
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [one["observed"]["high"] - one["observed"]["value"] for one in shown],
                    "arrayminus": [one["observed"]["value"] - one["observed"]["low"] for one in shown],
                    "color": _style(run)["color"],
                    "thickness": 1,
                    "width": 0,
                },
                "customdata": [
                    {
                        "text": f"{run}, {one['low']:.1f} to {one['high']:.1f}: mean {one['mean_score']:.2f}, "
                        f"malignant {interval_text(one['observed'])}",
                        "url": _address(
                            cases_url,
                            run,
                            test_set,
                            what,
                            at_least=repr(one["low"]),
                            # the last bin has its upper end
                            below="1.1" if one is last else repr(one["high"]),
                            **OPEN,
                        ),
                    }
                    for one in shown
                ],
                "hovertemplate": "%{customdata.text}<extra></extra>",
            }
        )
    return {
        "data": traces,
        "layout": {
            "xaxis": {"title": {"text": "mean probability said"}, "range": [-0.02, 1.02], "showgrid": True},
            "yaxis": {"title": {"text": "share malignant"}, "range": [-0.02, 1.04]},
            "shapes": [{"type": "line", "x0": 0, "y0": 0, "x1": 1, "y1": 1, "line": ALONG}],
        },
    }


def _decision(rows: list[dict[str, Any]], test_set: str, what: str, cases_url: Callable[..., str]) -> dict[str, Any]:
    with_curve = [(row["run"], row["body"]["decision"]) for row in rows if row["body"]["decision"]]
    traces: list[dict[str, Any]] = [
        {
            "name": str(run),
            "legendgroup": f"arm-{run.arm.position}",
            "mode": "lines",
            "x": curve["thresholds"],
            "y": curve["model"],
            "line": _style(run),
            "customdata": [
                {
                    "text": f"{run}: net benefit {benefit:.3f} when acting from {threshold:.2f}",
                    "url": _address(cases_url, run, test_set, what, at_least=repr(threshold), **OPEN),
                }
                for threshold, benefit in zip(curve["thresholds"], curve["model"], strict=True)
            ],
            "hovertemplate": "%{customdata.text}<extra></extra>",
        }
        for run, curve in with_curve
    ]
    # runs that located other findings have another prevalence, and another line of acting on all
    everyone = {curve["prevalence"]: curve for _, curve in with_curve}
    traces += [
        {
            "name": f"Act on all, {prevalence:.0%} malignant",
            "legendgroup": "act on all",
            "mode": "lines",
            "x": curve["thresholds"],
            "y": curve["treat_all"],
            "line": {"color": "role:axis", "dash": "dash", "width": 1},
        }
        for prevalence, curve in everyone.items()
    ]
    if everyone:
        traces.append(
            {
                "name": "Act on none",
                "legendgroup": "act on none",
                "mode": "lines",
                "x": [0.01, 0.99],
                "y": [0.0, 0.0],
                "line": {"color": "role:axis", "dash": "dot", "width": 1},
            }
        )
    best = max((value for _, curve in with_curve for value in curve["model"]), default=1.0)
    return {
        "data": traces,
        "layout": {
            "xaxis": {"title": {"text": "probability from which one acts"}, "range": [0, 1], "showgrid": True},
            "yaxis": {"title": {"text": "net benefit"}, "range": [-0.1, 1.1 * max(0.1, best)]},
        },
    }
