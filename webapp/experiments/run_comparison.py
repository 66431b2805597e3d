"""Several runs side by side: rows only where they differ, and their curves on one axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from detection.evaluation.protocol import Protocol
from detection.preset import presets
from webapp.experiments.design_input import setting_schema, setting_text
from webapp.experiments.models import MetricPoint, Run
from webapp.experiments.validation_numbers import MEASURED, value_words

NOT_RECORDED = "not recorded"
PALETTE = 6
"""Series colours of the style; more runs are not set side by side."""
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
"""Markers beside the six colours."""


@dataclass(frozen=True)
class Row:
    """One thing about every run, in their order."""

    label: str
    values: list[str]

    @property
    def same(self) -> bool:
        """Whether all runs agree."""
        return len(set(self.values)) == 1


@dataclass(frozen=True)
class Part:
    """Rows that belong together."""

    title: str
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class RunComparison:
    """What differs by part, and every row on which all runs agree."""

    differing: list[Part]
    same: list[Row]


def compare_runs(runs: Sequence[Run]) -> RunComparison:
    """Set runs beside each other; the runs come with arm, experiment and version."""
    parts = [
        Part("Design", _design(runs)),
        Part("Data", _data(runs)),
        Part("Training", _training(runs)),
        Part("Code and environment", _code(runs)),
        Part("Outcome", _outcome(runs)),
    ]
    differing = [Part(part.title, [row for row in part.rows if not row.same]) for part in parts]
    return RunComparison(
        [part for part in differing if part.rows], [row for part in parts for row in part.rows if row.same]
    )


def _row(label: str, values: Sequence[Any]) -> Row:
    return Row(label, [NOT_RECORDED if value in (None, "", {}) else str(value) for value in values])


def _design(runs: Sequence[Run]) -> list[Row]:
    experiments = [run.arm.experiment for run in runs]
    return [
        _row("Experiment", experiments),
        _row("Arm", [run.arm.name for run in runs]),
        _row("Seed", [run.seed for run in runs]),
        _row("Primary endpoint", [one.primary_endpoint for one in experiments]),
        _row("Protocol", [Protocol.from_json(one.protocol).sentence() for one in experiments]),
    ]


def _data(runs: Sequence[Run]) -> list[Row]:
    experiments = [run.arm.experiment for run in runs]
    return [
        _row("Dataset", [one.version for one in experiments]),
        _row("Data hash", [one.version.content_hash for one in experiments]),
        _row("Malignant synthetic ratio", [f"{100 * run.arm.ratio_malignant:g} %" for run in runs]),
        _row("Benign synthetic ratio", [f"{100 * run.arm.ratio_benign:g} %" for run in runs]),
        _row("Source of synthetic cases", [run.arm.get_synthetic_source_display() for run in runs]),
        _row("Simulation", [one.batch or "none" for one in experiments]),
        *_recorded("Training set", [run.record.get("training") for run in runs]),
        *_recorded("Validation set", [run.record.get("validation") for run in runs]),
    ]


def _training(runs: Sequence[Run]) -> list[Row]:
    known = presets()
    rows = [
        _row("Preset", [known[name].title if name in known else name for name in (run.arm.preset for run in runs)]),
        _row("Device", [run.arm.experiment.device for run in runs]),
    ]
    stored = [run.arm.configuration["values"] for run in runs]
    for entry in setting_schema():
        texts = [setting_text(values[entry["name"]]) or "none" if entry["name"] in values else "" for values in stored]
        unit = f" ({entry['unit']})" if entry["unit"] else ""
        rows.append(_row(f"{entry['label']}{unit}", texts))
    return rows + _recorded("Initial weights", [run.record.get("initial_weights") for run in runs])


def _code(runs: Sequence[Run]) -> list[Row]:
    kept = [run.arm.experiment.reproducibility for run in runs]
    return [
        _row("Commit", [one.get("commit") for one in kept]),
        _row("Sources at the launch", [one.get("source_hash") for one in kept]),
        _row("Sources of the run", [run.record.get("source_hash") for run in runs]),
        *_recorded("Launch", [one.get("environment") for one in kept]),
        *_recorded("Run", [run.record.get("environment") for run in runs]),
    ]


def _outcome(runs: Sequence[Run]) -> list[Row]:
    kept = _kept_points(runs)
    amounts = [run.record.get("amount") or {} for run in runs]
    return [
        _row("State", [run.get_state_display() for run in runs]),
        _row("Best epoch", [run.best_epoch for run in runs]),
        *(
            _row(
                f"{label} of that epoch", [words(kept[run.pk, name]) if (run.pk, name) in kept else "" for run in runs]
            )
            for name, label, words in _of_kept(runs)
        ),
        _row("Steps", [one.get("steps") for one in amounts]),
        _row("Images shown", [one.get("images") for one in amounts]),
        _row("Passes over the set", [f"{one['passes']:.3g}" if "passes" in one else "" for one in amounts]),
        _row(
            "Duration",
            [str(run.ended - run.started).split(".")[0] if run.started and run.ended else "" for run in runs],
        ),
        _row("Attempts", [run.record.get("attempts") for run in runs]),
    ]


def _recorded(label: str, records: Sequence[Any]) -> list[Row]:
    """A row for every entry of a record that any run has; a record of plain words is one row."""
    if not any(isinstance(record, dict) for record in records):
        return [_row(label, records)]
    known = sorted({name for record in records if isinstance(record, dict) for name in record})
    return [
        _row(
            f"{label}: {name.replace('_', ' ')}",
            [record.get(name) if isinstance(record, dict) else "" for record in records],
        )
        for name in known
        if name != "name"
    ]


def _of_kept(runs: Sequence[Run]) -> list[tuple[str, str, Callable[[MetricPoint], str]]]:
    """Numbers of the epoch kept that may stand side by side: name, label and words."""
    rows: list[tuple[str, str, Callable[[MetricPoint], str]]] = [
        ("validation_loss", "Validation loss", lambda point: f"{point.value:.4g}")
    ]
    if why_not_measured_alike(runs) is None:
        rows += [(name, f"Validation {one.label}", value_words) for name, one in MEASURED.items()]
    return rows


def _kept_points(runs: Sequence[Run]) -> dict[tuple[int, str], MetricPoint]:
    best = {run.pk: run.best_epoch for run in runs}
    points = MetricPoint.objects.filter(run__in=runs, name__in=("validation_loss", *MEASURED))
    return {(point.run_id, point.name): point for point in points if point.epoch == best[point.run_id]}


def why_not_measured_alike(runs: Sequence[Run]) -> str | None:
    """Why numbers on the validation split may not be set side by side, or None where they may."""
    experiments = [run.arm.experiment for run in runs]
    if len({Protocol.from_json(one.protocol).digest() for one in experiments}) > 1:
        return "Their protocols differ, so detection on the validation split is not set side by side."
    if len({one.version_id for one in experiments}) > 1:
        return "Their validation splits differ, so detection on them is not set side by side."
    return None


def curves(runs: Sequence[Run], words: Sequence[str]) -> dict[str, Any]:
    """Figure of the losses by epoch: colour and marker by run, training thin, validation thick."""
    by_line = _by_line(runs, ("training_loss", "validation_loss"))
    traces = []
    for place, (run, name) in enumerate(zip(runs, words, strict=True)):
        for measure, dash, width in (("training_loss", "dot", 1), ("validation_loss", "solid", 2)):
            label = f"{name}, {measure.split('_')[0]}"
            line = by_line.get((run.pk, measure), [])
            readings = [f"{label}: {point.value:.4g} at epoch {point.epoch}" for point in line]
            traces.append(_trace(place, label, line, readings, dash=dash, width=width))
    return _figure(traces, {"title": {"text": "loss"}, "rangemode": "tozero", "exponentformat": "e"})


def measured_curves(runs: Sequence[Run], words: Sequence[str]) -> list[dict[str, Any]]:
    """A figure for each number measured on the validation split, colour and marker by run; none without a number.

    Each is {name, label, figure}. Only for runs that `why_not_measured_alike` lets stand side by side.
    """
    by_line = _by_line(runs, tuple(MEASURED))
    figures = []
    for measure, one in MEASURED.items():
        traces = []
        for place, (run, name) in enumerate(zip(runs, words, strict=True)):
            line = by_line.get((run.pk, measure), [])
            readings = [f"{name}: {one.label} {value_words(point)} at epoch {point.epoch}" for point in line]
            traces.append(_trace(place, name, line, readings, dash="solid", width=2))
        is_share = measure != "validation_false_positives_per_image"
        axis = {"title": {"text": one.label}} | ({"range": [-0.03, 1.03]} if is_share else {"rangemode": "tozero"})
        figures.append({"name": measure, "label": one.label.capitalize(), "figure": _figure(traces, axis)})
    return figures if by_line else []


def _by_line(runs: Sequence[Run], names: tuple[str, ...]) -> dict[tuple[int, str], list[MetricPoint]]:
    by_line: dict[tuple[int, str], list[MetricPoint]] = {}
    for point in MetricPoint.objects.filter(run__in=runs, name__in=names).order_by("epoch"):
        by_line.setdefault((point.run_id, point.name), []).append(point)
    return by_line


def _trace(
    place: int, label: str, line: Sequence[MetricPoint], readings: Sequence[str], *, dash: str, width: int
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label,
        "x": [point.epoch for point in line],
        "y": [point.value for point in line],
        "line": {"color": f"role:s{place + 1}", "dash": dash, "width": width},
        "marker": {"color": f"role:s{place + 1}", "size": 5, "symbol": SYMBOLS[place]},
        "customdata": [{"text": text} for text in readings],
        "hovertemplate": "%{customdata.text}<extra></extra>",
    }


def _figure(traces: list[dict[str, Any]], axis: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": traces,
        "layout": {"xaxis": {"title": {"text": "epoch"}, "tickformat": "d"}, "yaxis": axis},
    }
