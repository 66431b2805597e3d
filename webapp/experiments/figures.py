"""Figures of a run, as the charts ask for them (components/chart.html, `series_url`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from webapp.experiments import selectors
from webapp.experiments.models import MetricPoint, Run
from webapp.experiments.validation_numbers import MEASURED, value_words

PACE = ("images_per_second", "loading_share", "memory_bytes")
"""Numbers of an epoch about the machine, not the network."""
LOSSES = ("training_loss", "validation_loss")


@dataclass(frozen=True)
class Lines:
    """Numbers drawn together.

    Attributes
    ----------
    lines : dict of str to (label, dash)
        By name of the number, in the order they are drawn.
    title : str
        Of the vertical axis.
    axis : dict
        What else the vertical axis is.
    annotated : bool
        Whether the marked epochs are named.
    """

    lines: Mapping[str, tuple[str, str]]
    title: str
    axis: Mapping[str, Any] = field(default_factory=dict)
    annotated: bool = False


_SMALL_NUMBERS = {"rangemode": "tozero", "exponentformat": "e"}
LOSS = Lines(
    {"training_loss": ("training", "solid"), "validation_loss": ("validation", "dash")},
    "loss",
    _SMALL_NUMBERS,
    annotated=True,
)
CHARTS: Mapping[str, Lines] = {
    "loss": LOSS,
    "rate": Lines({"learning_rate": ("learning rate", "solid")}, "learning rate", _SMALL_NUMBERS),
    "found": Lines(
        {
            "validation_sensitivity": ("sensitivity", "solid"),
            "validation_precision": ("precision", "dash"),
            "validation_average_precision": ("average precision", "dot"),
        },
        "share",
        {"range": [-0.03, 1.03]},
    ),
    "false": Lines(
        {"validation_false_positives_per_image": ("false positives per image", "solid")},
        "per image",
        {"rangemode": "tozero"},
    ),
}
"""Charts of the page of a run, by the name in their address."""


def curves(run: Run, chart: Lines) -> dict[str, Any]:
    """Lines of a run by epoch, with the best epoch and where training was taken up again.

    Returns
    -------
    dict
        ``series`` of {name, x (epochs), y (None where undefined)}, ``layout`` and ``done`` (the run has ended, ask no
        more).
    """
    points = list(MetricPoint.objects.filter(run=run, name__in={*chart.lines, *LOSSES}).order_by("name", "epoch"))
    series: list[dict[str, Any]] = []
    for name, (label, dash) in chart.lines.items():
        own = [point for point in points if point.name == name]
        series.append(
            {
                "name": label,
                "x": [point.epoch for point in own],
                "y": [point.value for point in own],
                "mode": "lines+markers",
                "line": {"dash": dash},
                "marker": {"size": 5},
                "customdata": [{"text": f"{label} {_value(point)} at epoch {point.epoch}"} for point in own],
                "hovertemplate": "%{customdata.text}<extra></extra>",
            }
        )
    epochs = run.arm.configuration["values"]["epochs"]
    marks = _marks(run, [point for point in points if point.name in LOSSES])
    return {
        "series": series,
        "layout": {
            "xaxis": {"title": {"text": "epoch"}, "range": [0.5, max(epochs, 1) + 0.5], "tickformat": "d"},
            "yaxis": {"title": {"text": chart.title}, **chart.axis},
            "shapes": [
                {
                    "type": "line",
                    "x0": epoch,
                    "x1": epoch,
                    "yref": "paper",
                    "y0": 0,
                    "y1": 1,
                    "line": {"color": colour, "width": 1, "dash": "dot"},
                }
                for epoch, _, colour in marks
            ],
            "annotations": [
                {
                    "x": epoch,
                    "yref": "paper",
                    "y": 1 - 0.09 * place,
                    "text": words,
                    "showarrow": False,
                    "xanchor": "right" if epoch > epochs / 2 else "left",
                    "font": {"color": colour},
                }
                for place, (epoch, words, colour) in enumerate(marks if chart.annotated else [])
            ],
        },
        "done": run.state in selectors.ENDED,
    }


def _value(point: MetricPoint) -> str:
    return value_words(point) if point.name in MEASURED else f"{point.value:.4g}"


def _marks(run: Run, losses: Sequence[MetricPoint]) -> list[tuple[int, str, str]]:
    """Epochs to mark, with words and colour: where a later attempt took over, and the best."""
    marks = [(epoch, f"resumed, attempt {attempt}", "role:warn") for epoch, attempt in resumptions(losses)]
    keeps_lowest = run.arm.configuration["values"]["best_epoch"] == "validation_loss"
    best = run.best_epoch or (best_so_far(losses) if keeps_lowest else None)
    if best is not None:
        words = "kept epoch" if run.best_epoch else "best so far"
        marks.append((best, f"{words} {best}", "role:ok"))
    return marks


def resumptions(points: Sequence[MetricPoint]) -> list[tuple[int, int]]:
    """First epoch of each later attempt, with the attempt."""
    first: dict[int, int] = {}
    for point in points:
        first[point.attempt] = min(point.epoch, first.get(point.attempt, point.epoch))
    return [(epoch, attempt) for attempt, epoch in sorted(first.items())][1:]


def best_so_far(points: Sequence[MetricPoint]) -> int | None:
    """Epoch of the lowest validation loss until now."""
    losses = [
        (point.value, point.epoch) for point in points if point.name == "validation_loss" and point.value is not None
    ]
    return min(losses)[1] if losses else None
