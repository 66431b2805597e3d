"""Example values for the style guide; nothing here comes from the database."""

from __future__ import annotations

from typing import Any

from django import forms, template

register = template.Library()

STATES = [
    "draft",
    "frozen",
    "queued",
    "running",
    "done",
    "failed",
    "cancelled",
    "locked",
    "needs_look",
    "warning",
]


class ExampleForm(forms.Form):
    """One field of each kind, some with an error."""

    hypothesis = forms.CharField(label="Hypothesis", required=False)
    endpoint = forms.ChoiceField(
        label="Primary endpoint", choices=[("clusters", "Sensitivity, malignant clusters"), ("all", "Sensitivity, all")]
    )
    margin = forms.FloatField(label="Precision may fall by at most", min_value=0, max_value=1)
    batch = forms.IntegerField(label="Batch", help_text="1 to 16; larger needs more graphics memory")
    rate = forms.FloatField(label="Learning rate", max_value=0.1)
    augment = forms.BooleanField(label="Mirror and rotate while training", required=False)
    note = forms.CharField(label="Note", widget=forms.Textarea(attrs={"rows": 2}), required=False)


def _estimate(value: float | None, low: float | None, high: float | None, n: int, reason: str = "") -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": n, "reason": reason}


def _figure() -> dict[str, Any]:
    ratios = ["0 %", "100 %", "200 %"]
    traces = []
    for name, role, dash, symbol, rows in [
        (
            "clusters, internal",
            "role:s1",
            "solid",
            "circle",
            [(0.53, 0.41, 0.66), (0.62, 0.49, 0.73), (0.71, 0.58, 0.81)],
        ),
        (
            "clusters, external",
            "role:s1",
            "dot",
            "circle-open",
            [(0.70, 0.56, 0.81), (0.72, 0.58, 0.83), (0.79, 0.65, 0.88)],
        ),
        (
            "masses, internal",
            "role:s2",
            "solid",
            "square",
            [(0.81, 0.72, 0.88), (0.85, 0.77, 0.91), (0.90, 0.82, 0.95)],
        ),
    ]:
        traces.append(
            {
                "name": name,
                "legendgroup": name.split(",")[0],
                "x": ratios,
                "y": [value for value, _, _ in rows],
                "mode": "lines+markers",
                "line": {"color": role, "dash": dash},
                "marker": {"color": role, "symbol": symbol, "size": 9},
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [high - value for value, _, high in rows],
                    "arrayminus": [value - low for value, low, _ in rows],
                    "color": role,
                    "thickness": 1,
                    "width": 0,
                },
                "hovertemplate": "%{customdata.text}<extra></extra>",
                "customdata": [
                    {"text": f"{name}, {ratio}: {value:.2f} [{low:.2f}, {high:.2f}]", "url": "#cases"}
                    for ratio, (value, low, high) in zip(ratios, rows, strict=True)
                ],
            }
        )
    return {"data": traces, "layout": {"yaxis": {"range": [0.3, 1.0], "title": {"text": "sensitivity"}}}}


@register.simple_tag
def style_guide_examples() -> dict[str, Any]:
    """Everything the style guide shows."""
    views = ["R CC", "L CC", "R MLO", "L MLO"]
    cells = [{"label": f"{view} {kind}", "present": True} for kind in ("low energy", "recombined") for view in views]
    return {
        "states": STATES,
        "estimate": _estimate(0.6915, 0.5812, 0.7903, 94),
        "difference": _estimate(-0.021, -0.084, 0.041, 58),
        "undefined": _estimate(None, None, None, 0, "no malignant lesion in this group"),
        "too_few": _estimate(0.5, 0.1, 0.9, 6),
        "bare": ExampleForm(
            initial={
                "hypothesis": "Synthetic clusters raise sensitivity.",
                "margin": 0.10,
                "batch": 4,
                "rate": 0.0005,
                "augment": True,
            }
        ),
        "wrong": ExampleForm({"endpoint": "clusters", "margin": "3", "batch": "four", "rate": "0.0005"}),
        "jobs": [
            {
                "id": "example-1",
                "name": "Native tiles, 200 %, seed 2",
                "state": "running",
                "fraction": 0.61,
                "message": "epoch 19 of 30",
                "seconds_left": 830,
                "url": "#",
                "cancel_url": "#",
            },
            {
                "id": "example-2",
                "name": "Import of site B",
                "state": "running",
                "fraction": None,
                "message": "212 files so far",
                "seconds_left": None,
                "url": "#",
            },
            {
                "id": "example-3",
                "name": "Native tiles, 200 %, seed 3",
                "state": "queued",
                "fraction": 0,
                "message": "second in line",
                "seconds_left": None,
                "url": "#",
                "cancel_url": "#",
            },
        ],
        "cells": [*cells[:7], {**cells[7], "present": False}],
        "whole": cells,
        "facet": {
            "name": "lesion",
            "label": "Lesion",
            "open": True,
            "options": [
                {"value": "a", "label": "Mass, malignant", "count": 172, "share": 0.48, "selected": True},
                {"value": "b", "label": "Cluster, malignant", "count": 110, "share": 0.31, "selected": False},
                {"value": "c", "label": "Both, malignant", "count": 0, "share": 0, "selected": False},
            ],
        },
        "filters": [{"label": "Site A or B", "remove_url": "#"}, {"label": "Has an annotation", "remove_url": "#"}],
        "segments": [
            {"label": "Table", "url": "#", "active": True, "icon": "table"},
            {"label": "Images", "url": "#", "active": False, "icon": "cases"},
        ],
        "tabs": [
            {"label": "Paired differences", "url": "#", "active": True},
            {"label": "ROC", "url": "#"},
            {"label": "Failures", "url": "#", "count": 17},
        ],
        "hints": [
            {"keys": ["J", "K"], "text": "next, previous"},
            {"keys": ["X"], "text": "select"},
            {"keys": ["Enter"], "text": "open"},
        ],
        "actions": [
            {"label": "Add to dataset", "name": "do", "value": "add"},
            {"label": "Simulate into", "name": "do", "value": "simulate"},
        ],
        "figure": _figure(),
        "rows": [
            {"name": "CD-0147", "site": "A", "age": 58, "lesion": "cluster", "state": "annotated"},
            {"name": "CD-0150", "site": "A", "age": 63, "lesion": "mass", "state": "missed"},
            {"name": "GR-0021", "site": "B", "age": 55, "lesion": "both", "state": "incomplete"},
        ],
        "tile": {
            "label": "CD-0147, 1",
            "url": "#",
            "image_url": None,
            "reason": "not made yet",
            "state": "accepted",
            "value": "1",
            "note": "12 calcifications, 9 mm",
        },
    }
