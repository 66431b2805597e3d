"""The file in which a detector leaves its findings for a sample set (JSON, schema `cemlab.findings/1`)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from detection.finding import Finding

SCHEMA = "cemlab.findings/1"


def write_findings(
    path: Path, findings: Mapping[str, Sequence[Finding]], *, sample_set: str, model: Mapping[str, Any]
) -> None:
    """Write the findings of each sample (key: `Sample.sample_id`); the file appears whole or not at all.

    Parameters
    ----------
    sample_set : str
        Name of the sample set.
    model : dict
        `Detector.describe()` of the model used.
    """
    body = {
        "schema": SCHEMA,
        "sample_set": sample_set,
        "model": dict(model),
        "samples": [
            {"sample_id": sample_id, "findings": [asdict(finding) for finding in found]}
            for sample_id, found in findings.items()
        ],
    }
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(json.dumps(body, indent=1))
    temporary.replace(path)


def read_findings(path: Path) -> dict[str, list[Finding]]:
    """Read a file written by `write_findings`.

    Raises
    ------
    ValueError
        If the file does not follow the schema, or lists a sample twice.
    """
    body = json.loads(path.read_text())
    if not isinstance(body, dict) or body.get("schema") != SCHEMA:
        raise ValueError(f"{path.name}: expected schema {SCHEMA}")
    times = Counter(entry["sample_id"] for entry in body["samples"])
    if repeated := [name for name, count in times.items() if count > 1]:
        raise ValueError(f"{path.name}: sample {repeated[0]} is listed more than once; list each sample once")
    return {
        entry["sample_id"]: [
            Finding(
                box=tuple(found["box"]),
                score=found["score"],
                malignancy=found["malignancy"],
                lesion_type=found["lesion_type"],
                contour=tuple((x, y) for x, y in found["contour"]) if found["contour"] else None,
            )
            for found in entry["findings"]
        ]
        for entry in body["samples"]
    }
