"""Requested, realised and real distributions of a batch's clusters, as figures of shares at or below a value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from webapp.simulations.models import SimulationBatch

FEWEST = 3
"""Under this n a distribution is not drawn."""
SHARES = tuple(step / 20 for step in range(21))
COLOURS = {"malignant": "role:s1", "benign": "role:s2"}
DASHES = {"requested": "dot", "realised": "solid", "measured": "dashdot", "real": "dash"}
SYMBOLS = {"requested": "circle-open", "realised": "circle", "measured": "square-open", "real": "diamond-open"}
MARKED = ("measured", "real")
"""Series whose points carry a mark: measured in the images, real ones and synthetic ones alike."""
CLASSES = ("malignant", "benign")


@dataclass(frozen=True)
class Measure:
    """One property of clusters.

    `requested`, `realised` and `measured` are paths into the record of a synthetic view: as planned, as inserted, and
    as it is found in the image by the measurement that real clusters go through. `requested` is empty where the plan
    does not fix the property, `measured` where what was realised is measured like that already. `name` is the key in
    the batch's summary of real clusters.
    """

    name: str
    label: str
    unit: str
    requested: str
    realised: str
    digits: int
    measured: str = ""
    not_requested: str = ""


MEASURES = (
    Measure("count", "Calcifications", "", "cluster__plan__count", "cluster__count", 0, "outcome__measured__count"),
    Measure(
        "diameter_mm",
        "Diameter",
        "mm",
        "cluster__plan__diameter_mm",
        "cluster__diameter_mm",
        1,
        "outcome__measured__diameter_mm",
    ),
    Measure(
        "spacing_mm",
        "Spacing",
        "mm",
        "",
        "outcome__spacing_mm",
        2,
        "outcome__measured__spacing_mm",
        "count and diameter of the plan leave it open",
    ),
    Measure(
        "contrast_to_noise",
        "Contrast to noise",
        "",
        "",
        "cluster__median_contrast_to_noise",
        1,
        "outcome__measured__contrast_to_noise",
        "it follows from size, tissue and beam",
    ),
    Measure("enhancement", "Enhancement", "", "enhancement__requested", "enhancement__realised", 3),
)


def figures(batch: SimulationBatch, malignancy: str = "") -> list[dict[str, Any]]:
    """One figure a measure: `id`, `label`, `figure` for the chart component, and `notes` on what is not drawn.

    Parameters
    ----------
    malignancy : str
        Only this class; both where empty.
    """
    classes = [one for one in CLASSES if malignancy in ("", one)]
    paths = [path for measure in MEASURES for path in (measure.requested, measure.realised, measure.measured) if path]
    rows = list(batch.synthetic_views.values("malignancy", *(f"record__{path}" for path in paths)))
    real = batch.summary.get("real", {})
    drawn = []
    for measure in MEASURES:
        series: list[tuple[str, str, list[float]]] = []
        notes: list[str] = []
        for one in classes:
            own = [row for row in rows if row["malignancy"] == one]
            found = {
                "requested": _numbers(own, measure.requested),
                "realised": _numbers(own, measure.realised),
                "measured": _numbers(own, measure.measured),
                "real": [float(value) for value in real.get(one, {}).get(measure.name, [])],
            }
            for kind, values in found.items():
                if (kind == "requested" and not measure.requested) or (kind == "measured" and not measure.measured):
                    continue
                if kind == "real":
                    notes += _notes_on_real(one, values, batch, measure)
                elif len(values) < FEWEST:
                    notes.append(f"{kind} {one}: n={len(values)}, too few")
                if len(values) < FEWEST:
                    continue
                series.append((kind, one, values))
        if not measure.requested:
            notes.append(f"requested: not set, {measure.not_requested}")
        if series:
            notes.insert(0, "n: " + ", ".join(f"{kind} {one} {len(values)}" for kind, one, values in series))
        drawn.append(
            {
                "id": f"plot-{measure.name.replace('_', '-')}",
                "label": measure.label,
                "unit": measure.unit,
                "figure": {"data": [_trace(measure, *entry) for entry in series], "layout": _layout(measure)},
                "drawn": bool(series),
                "notes": notes,
            }
        )
    return drawn


def _numbers(rows: Sequence[dict[str, Any]], path: str) -> list[float]:
    values = [row[f"record__{path}"] for row in rows] if path else []
    return [float(value) for value in values if isinstance(value, int | float) and math.isfinite(value)]


def _notes_on_real(malignancy: str, values: list[float], batch: SimulationBatch, measure: Measure) -> list[str]:
    """Why real clusters are not drawn, or how many of them are."""
    reason = batch.summary.get("real_reasons", {}).get(malignancy, {}).get(measure.name, "")
    if len(values) < FEWEST:
        why = reason or ("too few" if "real" in batch.summary else "they are measured when the simulation runs")
        return [f"real {malignancy}: not drawn, n={len(values)}; {why}"]
    return [f"real {malignancy}: {reason}"] if reason else []


def _trace(measure: Measure, kind: str, malignancy: str, values: list[float]) -> dict[str, Any]:
    ordered = sorted(values)
    points = [_quantile(ordered, share) for share in SHARES]
    unit = f" {measure.unit}" if measure.unit else ""
    name = f"{kind}, {malignancy} (n={len(values)})"
    return {
        "name": name,
        "legendgroup": kind,
        "x": [round(value, 4) for value in points],
        "y": list(SHARES),
        "mode": "lines+markers" if kind in MARKED else "lines",
        "line": {"color": COLOURS[malignancy], "dash": DASHES[kind], "width": 2},
        "marker": {"color": COLOURS[malignancy], "symbol": SYMBOLS[kind], "size": 6},
        "customdata": [
            {"text": f"{name}: {share:.0%} at or below {value:.{measure.digits}f}{unit}".replace("%", " %", 1)}
            for share, value in zip(SHARES, points, strict=True)
        ],
        "hovertemplate": "%{customdata.text}<extra></extra>",
    }


def _quantile(ordered: list[float], share: float) -> float:
    """Linear between the ordered values."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def _layout(measure: Measure) -> dict[str, Any]:
    unit = f", {measure.unit}" if measure.unit else ""
    return {
        "xaxis": {"title": {"text": f"{measure.label.lower()}{unit}"}, "zeroline": False},
        "yaxis": {"range": [-0.03, 1.03], "tickformat": ".0%", "zeroline": False},
    }


def spacing_mm(calcifications: Sequence[dict[str, Any]], pixel_mm: float) -> float | None:
    """Median distance of each calcification to its nearest neighbour; None for fewer than two.

    Parameters
    ----------
    calcifications : sequence of dict
        With ``x`` and ``y`` in continuous pixels, as the record lists them.
    """
    places = [(float(one["x"]), float(one["y"])) for one in calcifications]
    if len(places) < 2:
        return None
    nearest = sorted(
        min(math.dist(place, other) for number, other in enumerate(places) if number != own)
        for own, place in enumerate(places)
    )
    return _quantile(nearest, 0.5) * pixel_mm
