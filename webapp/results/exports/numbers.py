"""Numbers, paired differences, subgroups and misses, one row each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webapp.experiments.models import Experiment
from webapp.results import comparison, failures, selectors, subgroups
from webapp.results.exports.columns import NUMBER, Table, evaluated, frame, number

CHANGES = ("gained", "lost", "both", "neither")


def _numbers(experiment: Experiment) -> Iterator[dict[str, Any]]:
    found = selectors.evaluations(experiment)
    confidence = float(experiment.protocol["confidence"])
    for row in selectors.rows(experiment):
        shared = frame(experiment, row.run, row.test_set, found.get((row.run.pk, row.test_set)))
        for measure in selectors.MEASURES:
            yield shared | {
                "group": row.group,
                "measure": measure,
                **number(row.numbers[measure], confidence=confidence),
            }


def _differences(experiment: Experiment) -> Iterator[dict[str, Any]]:
    found = selectors.evaluations(experiment)
    confidence = float(experiment.protocol["confidence"])
    compared = comparison.compare(experiment)
    for row in compared.rows:
        changes = compared.changes[row.run.pk, row.test_set, row.group]
        yield {
            **frame(experiment, row.run, row.test_set, found[row.run.pk, row.test_set]),
            "reference_arm": row.reference.arm.name,
            "reference_inputs_hash": found[row.reference.pk, row.test_set].inputs_hash,
            "group": row.group,
            "measure": row.measure,
            "primary": row.primary,
            **number(row.interval, confidence=confidence, unit="difference of fractions of 1"),
            "p_value": row.test["p_value"],
            "p_adjusted": row.adjusted,
            "correction": row.family,
            "test": row.test["method"],
            **{f"lesion_views_{name}": changes[name] for name in CHANGES},
            "mcnemar_patients_p": changes["patients"]["p_value"],
            "mcnemar_patients_n": changes["patients"]["n"],
            "mcnemar_patients_reason": changes["patients"]["reason"],
        }


def _subgroups(experiment: Experiment) -> Iterator[dict[str, Any]]:
    found = selectors.evaluations(experiment)
    confidence = float(experiment.protocol["confidence"])
    test_sets = {words: key for key, words in selectors.TEST_SETS.items()}
    for group in selectors.GROUPS:
        for panel in subgroups.subgroups(experiment, group):
            test_set = test_sets[panel["label"]]
            for place, run in enumerate(panel["runs"]):
                shared = frame(experiment, run, test_set, found[run.pk, test_set])
                for kind in panel["kinds"]:
                    for row in kind["rows"]:
                        yield shared | {
                            "group": group,
                            "measure": "sensitivity",
                            "subgroup_by": kind["label"],
                            "subgroup": row["label"],
                            **number(row["numbers"][place], confidence=confidence),
                            **_against(row["differences"][place]),
                        }


def _against(difference: dict[str, Any] | None) -> dict[str, Any]:
    """A subgroup's difference to the reference arm; empty for the reference itself."""
    if difference is None:
        return {}
    interval = difference["interval"]
    return {
        "difference": interval["value"],
        "difference_low": interval["low"],
        "difference_high": interval["high"],
        "difference_n": interval["n"],
        "difference_method": interval["method"],
        "difference_reason": interval["reason"],
        "difference_p": difference["p_value"],
        "difference_p_adjusted": difference["adjusted"],
    }


def _misses(experiment: Experiment) -> Iterator[dict[str, Any]]:
    for shared, evaluation in evaluated(experiment):
        for group in selectors.GROUPS:
            counted = failures.found_and_missed(evaluation, group)
            for outcome in failures.COLOURS:
                yield {
                    **shared,
                    "group": group,
                    "outcome": outcome,
                    "count": counted[outcome],
                    "n": sum(counted.values()),
                }


def _evaluations(experiment: Experiment) -> Iterator[dict[str, Any]]:
    for shared, evaluation in evaluated(experiment):
        result = evaluation.result
        yield {
            **shared,
            "views": result["images"],
            "patients": result["patients"],
            "types_known": result["groups_known"],
            "lesion_views": len(result["lesions"]),
            "findings": len(result["findings"]),
            "evaluated": evaluation.created.isoformat(),
            "remarks": " ".join(result["warnings"]),
        }


NUMBERS = Table("numbers", "Numbers", ("group", "measure", *NUMBER), _numbers)
DIFFERENCES = Table(
    "differences",
    "Paired differences",
    (
        "reference_arm",
        "reference_inputs_hash",
        "group",
        "measure",
        "primary",
        *NUMBER,
        "p_value",
        "p_adjusted",
        "correction",
        "test",
        *(f"lesion_views_{name}" for name in CHANGES),
        "mcnemar_patients_p",
        "mcnemar_patients_n",
        "mcnemar_patients_reason",
    ),
    _differences,
)
SUBGROUPS = Table(
    "subgroups",
    "Sensitivity in subgroups",
    (
        "group",
        "measure",
        "subgroup_by",
        "subgroup",
        *NUMBER,
        "difference",
        "difference_low",
        "difference_high",
        "difference_n",
        "difference_method",
        "difference_reason",
        "difference_p",
        "difference_p_adjusted",
    ),
    _subgroups,
)
MISSES = Table("misses", "Lesion views found and missed, by reason", ("group", "outcome", "count", "n"), _misses)
EVALUATIONS = Table(
    "evaluations",
    "Evaluations with counts and remarks",
    ("views", "patients", "types_known", "lesion_views", "findings", "evaluated", "remarks"),
    _evaluations,
)
