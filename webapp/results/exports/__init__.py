"""Results as CSV and JSON, with everything they rest on. Columns: docs/formats/results.md."""

from __future__ import annotations

import json
from typing import Any, TextIO

from django.core.serializers.json import DjangoJSONEncoder

from detection.evaluation.protocol import Protocol
from webapp.experiments.design import ENDPOINTS
from webapp.experiments.models import Experiment
from webapp.results import derived, selectors
from webapp.results.exports.calibration import CALIBRATION, DECISION
from webapp.results.exports.cases import FINDINGS, LESIONS
from webapp.results.exports.columns import Table, write
from webapp.results.exports.curves import CURVES, FIGURES_OF_MERIT, OPERATING_POINTS
from webapp.results.exports.levels import END_TO_END, LEVELS, OUTLINES
from webapp.results.exports.numbers import DIFFERENCES, EVALUATIONS, MISSES, NUMBERS, SUBGROUPS

SCHEMA = "cemlab.results/2"
TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        NUMBERS,
        DIFFERENCES,
        LEVELS,
        END_TO_END,
        SUBGROUPS,
        FIGURES_OF_MERIT,
        CURVES,
        OPERATING_POINTS,
        CALIBRATION,
        DECISION,
        OUTLINES,
        MISSES,
        LESIONS,
        FINDINGS,
        EVALUATIONS,
    )
}
"""What can be taken away, by the name in the address."""


def write_csv(handle: TextIO, experiment: Experiment, table: Table) -> None:
    """One line a row; protocol and hashes stand on every line, so that no part can be cut off."""
    write(handle, table.columns, table.rows(experiment))


def write_json(handle: TextIO, experiment: Experiment) -> None:
    """Every table in one object, with design, protocol, hashes and looks; rows as in the CSV, empty cells null."""
    handle.write("{")
    for name, value in _head(experiment).items():
        handle.write(f"\n {_json(name)}: {_json(value)},")
    for place, table in enumerate(TABLES.values()):
        handle.write(f"{',' if place else ''}\n {_json(table.name)}: [")
        for number, row in enumerate(table.rows(experiment)):
            whole = {column: row.get(column) for column in table.columns}
            handle.write(f"{',' if number else ''}\n  {_json(whole)}")
        handle.write("]")
    handle.write("\n}\n")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, cls=DjangoJSONEncoder)


def _head(experiment: Experiment) -> dict[str, Any]:
    protocol = Protocol.from_json(experiment.protocol)
    return {
        "schema": SCHEMA,
        "experiment": experiment.number,
        "name": experiment.name,
        "hypothesis": experiment.hypothesis,
        "primary_endpoint": experiment.primary_endpoint,
        "primary_endpoint_words": ENDPOINTS.get(experiment.primary_endpoint, ""),
        "dataset": str(experiment.version),
        "protocol": protocol.to_json(),
        "protocol_digest": protocol.digest(),
        "protocol_sentence": protocol.sentence(),
        "reproducibility": experiment.reproducibility,
        "looks": selectors.looks(experiment),
        "verdict": derived.PANELS["verdict"](experiment, "malignant")[0],
        "arms": [
            {
                "position": arm.position,
                "name": arm.name,
                "family": arm.family,
                "preset": arm.preset,
                "configuration": arm.configuration,
                "synthetic_ratio_benign": arm.ratio_benign,
                "synthetic_ratio_malignant": arm.ratio_malignant,
                "synthetic_source": arm.synthetic_source,
                "synthetic_record": arm.synthetic_record,
                "runs": [{"seed": run.seed, "state": run.state, "record": run.record} for run in arm.runs.all()],
            }
            for arm in experiment.arms.all()
        ],
    }
