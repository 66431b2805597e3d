"""What every exported table shares: which run and test set a row is about, and what it was counted from."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from detection.evaluation.protocol import Protocol
from webapp.core.spreadsheets import plain_text
from webapp.experiments.models import Experiment, Run
from webapp.results import selectors
from webapp.results.models import Evaluation

SUBJECT = (
    "experiment",
    "arm",
    "synthetic_ratio_benign",
    "synthetic_ratio_malignant",
    "synthetic_source",
    "seed",
    "run_state",
    "test_set",
)
"""First columns of every table."""
NUMBER = (
    "unit",
    "value",
    "low",
    "high",
    "confidence",
    "n",
    "numerator",
    "denominator",
    "units_resampled",
    "resamples",
    "resamples_skipped",
    "method",
    "reason",
    "warning",
)
"""A value with its interval; empty with a reason where it is undefined."""
PROVENANCE = (
    "level",
    "protocol",
    "protocol_digest",
    "test_set_digest",
    "inputs_hash",
    "data_hash",
    "source_hash",
    "weights_sha256",
)
"""Last columns of every table."""

Rows = Callable[[Experiment], Iterator[dict[str, Any]]]


@dataclass(frozen=True)
class Table:
    """An exported table: name in the address, words on the page, columns between subject and provenance, rows."""

    name: str
    words: str
    own: tuple[str, ...]
    rows: Rows

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns in their order, which never depends on the data."""
        return (*SUBJECT, *self.own, *PROVENANCE)


def evaluated(experiment: Experiment) -> Iterator[tuple[dict[str, Any], Evaluation]]:
    """Subject and provenance of a row, and the evaluation, by test set (internal first), arm and seed.

    An evaluation is let go before the next one: their records are large, and an experiment may have many.
    """
    found = selectors.evaluations(experiment)
    for test_set in selectors.present_test_sets(experiment):
        for run in (run for arm in experiment.arms.all() for run in arm.runs.all()):
            evaluation = found.pop((run.pk, test_set), None)
            if evaluation is not None:
                yield frame(experiment, run, test_set, evaluation), evaluation


def frame(experiment: Experiment, run: Run, test_set: str, evaluation: Evaluation | None) -> dict[str, Any]:
    """Subject and provenance of a row."""
    arm = run.arm
    protocol = Protocol.from_json(evaluation.protocol if evaluation else experiment.protocol)
    result = (run.job.result or {}) if run.job else {}
    return {
        "experiment": experiment.number,
        "arm": arm.name,
        "synthetic_ratio_benign": arm.ratio_benign,
        "synthetic_ratio_malignant": arm.ratio_malignant,
        "synthetic_source": arm.synthetic_source,
        "seed": run.seed,
        "run_state": run.state,
        "test_set": test_set,
        "level": protocol.level,
        "protocol": protocol.sentence(),
        "protocol_digest": protocol.digest(),
        "test_set_digest": selectors.short(evaluation)["test_set_digest"] if evaluation else None,
        "inputs_hash": evaluation.inputs_hash if evaluation else None,
        "data_hash": experiment.reproducibility.get("data_hash"),
        "source_hash": experiment.reproducibility.get("source_hash"),
        "weights_sha256": result.get("weights_sha256"),
    }


def number(interval: dict[str, Any], *, confidence: float, unit: str = "fraction of 1") -> dict[str, Any]:
    """The columns `NUMBER` of an interval (`detection.evaluation.intervals.Interval` as JSON)."""
    return {
        "unit": unit,
        "confidence": interval.get("level", confidence),
        "units_resampled": interval.get("units"),
        "resamples_skipped": interval.get("skipped"),
        **{
            name: interval.get(name)
            for name in (
                "value",
                "low",
                "high",
                "n",
                "numerator",
                "denominator",
                "resamples",
                "method",
                "reason",
                "warning",
            )
        },
    }


def write(handle: TextIO, columns: Iterable[str], rows: Iterable[dict[str, Any]]) -> None:
    """CSV with a header line and LF, row by row; floats with all their digits."""
    writer = csv.DictWriter(handle, list(columns), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: safe(value) for name, value in row.items()})


def safe(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is quoted; truth values become 1 and 0."""
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, str):
        return value
    # a lone carriage return would end the line for some readers
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return plain_text(text)
