"""What became of every lesion and finding: enough to count each number anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from webapp.annotations.models import Lesion
from webapp.cases.models import View
from webapp.experiments.models import Experiment, Prediction
from webapp.experiments.sample_sets import view_id
from webapp.results.cases import MOST_AT_ONCE
from webapp.results.exports.columns import Table, evaluated

PLACE = ("patient", "site", "case", "laterality", "view")


def _lesions(experiment: Experiment) -> Iterator[dict[str, Any]]:
    for shared, evaluation in evaluated(experiment):
        records = evaluation.result["lesions"]
        places = _places(records)
        numbers = _lesion_numbers(record["lesion_id"] for record in records)
        for record in records:
            yield {
                **shared,
                **places[record["sample_id"]],
                "lesion": numbers.get(record["lesion_id"]),
                "lesion_type": record["lesion_type"],
                "malignancy": record["malignancy"],
                "outcome": record["outcome"],
                "found": None if record["outcome"] == "unscored" else record["outcome"] == "TP",
                "reason": record["reason"],
                "finding_rank": record["finding"],
                "score": record["score"],
                "iou": record["iou"],
                "dice": record.get("dice"),
            }


def _findings(experiment: Experiment) -> Iterator[dict[str, Any]]:
    for shared, evaluation in evaluated(experiment):
        records = evaluation.result["findings"]
        places = _places(records)
        numbers = _lesion_numbers(record[key] for record in records for key in ("lesion_id", "localised_lesion_id"))
        stored = Prediction.objects.filter(run=evaluation.run_id, split=evaluation.test_set)
        boxes = {
            (view, rank): dict(zip(("x1_px", "y1_px", "x2_px", "y2_px"), box, strict=True))
            for view, rank, *box in stored.values_list("view_id", "rank", "x1", "y1", "x2", "y2")
        }
        for record in records:
            yield {
                **shared,
                **places[record["sample_id"]],
                "finding_rank": record["finding"],
                **boxes.get((view_id(record["sample_id"]), record["finding"]), {}),
                "score": record["score"],
                "malignancy_probability": record["malignancy"],
                "called_malignant": record["called_malignant"],
                "lesion_type": record["lesion_type"],
                "outcome": record["outcome"],
                "reason": record["reason"],
                "lesion": numbers.get(record["lesion_id"]),
                "iou": record["iou"],
                "located_lesion": numbers.get(record["localised_lesion_id"]),
                "located_type": record["localised_type"],
                "located_malignancy": record["localised_malignancy"],
            }


def _places(records: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Patient, site, case and view by sample id."""
    samples = {view_id(record["sample_id"]): record["sample_id"] for record in records}
    wanted = sorted(samples)
    return {
        samples[key]: dict(zip(PLACE, place, strict=True))
        # in parts: a test set may have more views than a query takes parameters
        for start in range(0, len(wanted), MOST_AT_ONCE)
        for key, *place in View.objects.filter(pk__in=wanted[start : start + MOST_AT_ONCE]).values_list(
            "pk", "exam__patient__pseudonym", "exam__patient__site__code", "exam__number", "laterality", "position"
        )
    }


def _lesion_numbers(keys: Iterable[str | None]) -> dict[str | None, int]:
    """Number of a lesion within its case, by the key that evaluations use."""
    wanted = sorted({int(key) for key in keys if key})
    return {
        str(key): number
        for start in range(0, len(wanted), MOST_AT_ONCE)
        for key, number in Lesion.objects.filter(pk__in=wanted[start : start + MOST_AT_ONCE]).values_list(
            "pk", "number"
        )
    }


LESIONS = Table(
    "lesions",
    "Every lesion on every view",
    (
        *PLACE,
        "lesion",
        "lesion_type",
        "malignancy",
        "outcome",
        "found",
        "reason",
        "finding_rank",
        "score",
        "iou",
        "dice",
    ),
    _lesions,
)
FINDINGS = Table(
    "findings",
    "Every finding",
    (
        *PLACE,
        "finding_rank",
        "x1_px",
        "y1_px",
        "x2_px",
        "y2_px",
        "score",
        "malignancy_probability",
        "called_malignant",
        "lesion_type",
        "outcome",
        "reason",
        "lesion",
        "iou",
        "located_lesion",
        "located_type",
        "located_malignancy",
    ),
    _findings,
)
