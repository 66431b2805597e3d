"""Figures of a run, as the charts ask for them (components/chart.html, `series_url`)."""

from __future__ import annotations

from typing import Any

from webapp.experiments import selectors
from webapp.experiments.models import MetricPoint, Run

LINES = {"training_loss": ("training", "solid"), "validation_loss": ("validation", "dash")}
RATE = {"learning_rate": ("learning rate", "solid")}
PACE = ("images_per_second", "loading_share", "memory_bytes")
"""Numbers of an epoch about the machine, not the network."""


def curves(run: Run, lines: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """Lines of a run by epoch, with the best epoch and where training was taken up again.

    Returns
    -------
    dict
        ``series`` of {name, x (epochs), y}, ``layout`` and ``done`` (the run has ended, ask no more).
    """
    points = list(MetricPoint.objects.filter(run=run, name__in=lines).order_by("name", "epoch"))
    series: list[dict[str, Any]] = []
    for name, (label, dash) in lines.items():
        own = [point for point in points if point.name == name]
        series.append(
            {
                "name": label,
                "x": [point.epoch for point in own],
                "y": [point.value for point in own],
                "mode": "lines+markers",
                "line": {"dash": dash},
                "marker": {"size": 5},
                "customdata": [{"text": f"{label} {point.value:.4g} at epoch {point.epoch}"} for point in own],
                "hovertemplate": "%{customdata.text}<extra></extra>",
            }
        )
    epochs = run.arm.configuration["values"]["epochs"]
    marks = [(epoch, f"resumed, attempt {attempt}", "role:warn") for epoch, attempt in resumptions(points)]
    keeps_lowest = run.arm.configuration["values"]["best_epoch"] == "validation_loss"
    best = run.best_epoch or (best_so_far(points) if keeps_lowest else None)
    if best is not None and "validation_loss" in lines:
        words = "kept epoch" if run.best_epoch else "best so far"
        marks.append((best, f"{words} {best}", "role:ok"))
    return {
        "series": series,
        "layout": {
            "xaxis": {"title": {"text": "epoch"}, "range": [0.5, max(epochs, 1) + 0.5], "tickformat": "d"},
            "yaxis": {
                "title": {"text": "loss" if "training_loss" in lines else "learning rate"},
                "rangemode": "tozero",
                "exponentformat": "e",
            },
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
                for place, (epoch, words, colour) in enumerate(marks if lines is LINES else [])
            ],
        },
        "done": run.state in selectors.ENDED,
    }


def resumptions(points: list[MetricPoint]) -> list[tuple[int, int]]:
    """First epoch of each later attempt, with the attempt."""
    first: dict[int, int] = {}
    for point in points:
        first[point.attempt] = min(point.epoch, first.get(point.attempt, point.epoch))
    return [(epoch, attempt) for attempt, epoch in sorted(first.items())][1:]


def best_so_far(points: list[MetricPoint]) -> int | None:
    """Epoch of the lowest validation loss until now."""
    losses = [(point.value, point.epoch) for point in points if point.name == "validation_loss"]
    return min(losses)[1] if losses else None
