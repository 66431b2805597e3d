"""Thresholds come from validation rows alone, and are undefined where these cannot give one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detection.evaluation.protocol import Protocol
from detection.finding import Finding
from detection.sample_set import LesionTarget, Sample
from webapp.registry.operating_points import of_validation

BOX = (10.0, 10.0, 20.0, 20.0)


def view(number: int, patient: int, *classes: str) -> Sample:
    return Sample(
        sample_id=f"view-{number}",
        patient_id=str(patient),
        low_energy=Path("low.png"),
        recombined=Path("recombined.png"),
        laterality="R",
        view_position="CC",
        spacing_mm=None,
        origin="real",
        lesions=tuple(
            LesionTarget(f"{number}-{place}", "cluster", malignancy, ((BOX[:2], BOX[2:]),), BOX)  # type: ignore[arg-type]
            for place, malignancy in enumerate(classes)
        ),
    )


def found(score: float, malignancy: float = 0.9) -> Finding:
    return Finding(BOX, score, malignancy, "cluster")


def points(made: dict[str, Any], level: str) -> dict[str, dict[str, Any]]:
    return {point["rule"]: point for point in made[level]["points"]}


def test_thresholds_separate_malignant_views_and_patients() -> None:
    samples = [
        view(1, 1, "malignant"),
        view(2, 1),
        view(3, 2, "malignant", "benign"),
        view(4, 3, "benign"),
        view(5, 4),
        view(6, 5, "unknown"),
    ]
    findings = {
        "view-1": [found(0.9), found(0.95, malignancy=0.2)],  # the highest is called benign and does not count
        "view-2": [found(0.3)],
        "view-3": [found(0.6)],
        "view-4": [found(0.4)],
        "view-6": [found(0.99)],
    }

    made = of_validation(samples, findings, Protocol())

    assert (made["view"]["rows"], made["view"]["malignant"], made["view"]["left_out"]) == (5, 2, 1)
    of_views = points(made, "view")
    assert of_views["Youden"]["threshold"] == 0.6
    assert (of_views["Youden"]["sensitivity"], of_views["Youden"]["specificity"]) == (1.0, 1.0)
    fixed = of_views["fixed, as published"]
    assert fixed["threshold"] == 0.1 and fixed["strict"]
    assert fixed["sensitivity"] == 1.0 and fixed["specificity"] == pytest.approx(1 / 3)
    assert len(of_views) == 6
    assert (made["patient"]["rows"], made["patient"]["malignant"], made["patient"]["left_out"]) == (4, 2, 1)
    assert points(made, "patient")["fixed, as published"]["specificity"] == 0.5


def test_one_class_leaves_every_chosen_threshold_undefined_with_its_reason() -> None:
    made = of_validation([view(1, 1), view(2, 2, "benign")], {"view-1": [found(0.5)]}, Protocol())

    for rule, point in points(made, "view").items():
        if rule != "fixed, as published":
            assert point["threshold"] is None and point["reason"] == "undefined: one class"
    fixed = points(made, "view")["fixed, as published"]
    assert fixed["sensitivity"] is None and fixed["specificity"] == 0.5
    assert fixed["reason"] == "undefined in part: no row that is malignant"


def test_no_validation_view_is_undefined() -> None:
    made = of_validation([], {}, Protocol())

    assert made["view"]["rows"] == 0
    assert points(made, "view")["Youden"]["reason"] == "undefined: no rows"


def test_a_threshold_that_calls_everything_malignant_is_none() -> None:
    samples = [view(1, 1, "malignant"), view(2, 2, "malignant"), view(3, 3)]

    made = of_validation(samples, {"view-1": [found(0.8)]}, Protocol())

    point = points(made, "view")["sensitivity of at least 0.95"]
    assert point["threshold"] is None and point["sensitivity"] is None
    assert "only calling every row malignant" in point["reason"]


def test_only_the_best_findings_the_protocol_keeps_count() -> None:
    benign = [found(0.5 + number / 100, malignancy=0.1) for number in range(5)]

    made = of_validation([view(1, 1, "malignant"), view(2, 2)], {"view-1": [*benign, found(0.4)]}, Protocol(top=5))

    assert points(made, "view")["fixed, as published"]["sensitivity"] == 0.0
