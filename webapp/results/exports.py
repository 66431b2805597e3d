"""The table of results as CSV and JSON, with everything it rests on."""

from __future__ import annotations

import csv
import io
from typing import Any

from detection.evaluation.protocol import Protocol
from webapp.experiments.design import ENDPOINTS
from webapp.experiments.models import Experiment
from webapp.results import selectors

SCHEMA = "cemlab.results/1"


def as_json(experiment: Experiment) -> dict[str, Any]:
    """Every number with interval and n, the protocol, and the hashes of code, data, test set and inputs."""
    protocol = Protocol.from_json(experiment.protocol)
    found = selectors.evaluations(experiment)
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
        "rows": [
            {
                "arm": row.arm.name,
                "synthetic_ratio_benign": row.arm.ratio_benign,
                "synthetic_ratio_malignant": row.arm.ratio_malignant,
                "synthetic_source": row.arm.synthetic_source,
                "seed": row.run.seed,
                "run_state": row.run.state,
                "weights_sha256": _weights(row),
                "test_set": row.test_set,
                "group": row.group,
                "level": protocol.level,
                "test_set_digest": evaluation.result["test_set_digest"] if evaluation else None,
                "inputs_hash": evaluation.inputs_hash if evaluation else None,
                **row.numbers,
            }
            for row in selectors.rows(experiment)
            for evaluation in [found.get((row.run.pk, row.test_set))]
        ],
    }


def _weights(row: selectors.Row) -> str | None:
    result = row.run.job.result if row.run.job else {}
    digest: str | None = result.get("weights_sha256")
    return digest


def as_csv(experiment: Experiment) -> str:
    """One line a number; the protocol and hashes stand on every line, so that no part can be cut off."""
    body = as_json(experiment)
    columns = [
        "experiment", "arm", "synthetic_ratio_benign", "synthetic_ratio_malignant", "synthetic_source", "seed",
        "run_state", "test_set", "group", "level", "measure", "value", "low", "high", "n", "confidence", "method",
        "reason", "warning", "protocol", "protocol_digest", "test_set_digest", "inputs_hash", "data_hash",
        "source_hash", "weights_sha256",
    ]  # fmt: skip
    handle = io.StringIO()
    writer = csv.DictWriter(handle, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in body["rows"]:
        for measure in selectors.MEASURES:
            number = row[measure]
            writer.writerow(
                {
                    **{name: _safe(value) for name, value in row.items()},
                    **{name: number.get(name) for name in ("value", "low", "high", "n", "method", "reason", "warning")},
                    "experiment": body["experiment"],
                    "measure": measure,
                    "confidence": body["protocol"]["confidence"],
                    "protocol": body["protocol_sentence"],
                    "protocol_digest": body["protocol_digest"],
                    "data_hash": experiment.reproducibility.get("data_hash"),
                    "source_hash": experiment.reproducibility.get("source_hash"),
                }
            )
    return handle.getvalue()


def _safe(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is quoted."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
