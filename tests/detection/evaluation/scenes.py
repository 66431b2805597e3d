"""Small scenes for the tests of the evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from detection.evaluation.images import EvaluatedImage
from detection.evaluation.lesion_groups import LESION_TYPES, Group
from detection.evaluation.matching import match_many
from detection.evaluation.protocol import Protocol
from detection.evaluation.resampling import Units
from detection.finding import Finding
from detection.sample_set import LesionTarget

# percentiles of the resamples can be checked against plain repetition of patients
QUICK = Protocol(resamples=200, interval="percentile")


def lesion(
    box: tuple[float, float, float, float] = (0, 0, 10, 10),
    malignancy: Any = "malignant",
    lesion_type: Any = "mass",
    lesion_id: str = "L1",
) -> LesionTarget:
    x1, y1, x2, y2 = box
    outline = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    return LesionTarget(lesion_id, lesion_type, malignancy, (outline,), box)


def finding(
    box: tuple[float, float, float, float] = (0, 0, 10, 10),
    score: float = 0.9,
    malignancy: float = 0.9,
    lesion_type: Any = "mass",
) -> Finding:
    return Finding(box, score, malignancy, lesion_type)


def image(
    name: str, targets: Sequence[LesionTarget], findings: Sequence[Finding], patient: str | None = None
) -> EvaluatedImage:
    return EvaluatedImage(name, patient or f"patient of {name}", tuple(targets), tuple(findings))


def random_images(seed: int, count: int, *, score: Callable[[Any], float] | None = None) -> list[EvaluatedImage]:
    """Images of 60 x 60 px with 0-3 lesions and 0-7 findings, two views a patient, about half on a lesion."""
    rng = np.random.default_rng(seed)
    draw = score or (lambda generator: float(generator.random()))
    images = []
    for index in range(count):
        targets = [
            lesion(
                _box(rng),
                str(rng.choice(["benign", "malignant", "malignant"])),
                str(rng.choice(["mass", "cluster", "both", "other"], p=[0.5, 0.3, 0.1, 0.1])),
                f"L{number}",
            )
            for number in range(rng.integers(0, 4))
        ]
        findings = []
        for _ in range(rng.integers(0, 8)):
            if targets and rng.random() < 0.6:
                x1, y1, x2, y2 = targets[int(rng.integers(len(targets)))].box
                dx, dy = rng.uniform(-6, 6, 2)
                box = (x1 + dx, y1 + dy, x2 + dx, y2 + dy)
            else:
                box = _box(rng)
            findings.append(finding(box, draw(rng), float(rng.random()), str(rng.choice(["mass", "cluster"]))))
        images.append(image(f"view-{index:05d}", targets, findings, f"patient-{index // 2:05d}"))
    return images


def repeated(images: Sequence[EvaluatedImage], units: Units, weights: np.ndarray) -> list[EvaluatedImage]:
    """The images of one resample: those of each unit as often as it was drawn."""
    return [
        replace(one, sample_id=f"{one.sample_id}-{copy}")
        for one, unit in zip(images, units.row, strict=True)
        for copy in range(weights[unit])
    ]


def resamples_of(images: Sequence[EvaluatedImage], count: int) -> Iterator[list[EvaluatedImage]]:
    """What `QUICK` draws: whole patients, repeated."""
    units = Units([one.patient_id for one in images])
    for block in units.weight_blocks(count, QUICK.seed):
        for weights in block:
            yield repeated(images, units, weights)


def counted_anew(
    images: Sequence[EvaluatedImage], threshold: float, group: Group, protocol: Protocol, *, free_only: bool = False
) -> tuple[int, int]:
    """Lesions found and false positives when only findings at or above the threshold exist.

    With `free_only` false positives count on images without lesions alone.
    """
    kept = [replace(one, findings=tuple(f for f in one.findings if f.score >= threshold)) for one in images]
    found = false = 0
    for one, matched in zip(kept, match_many(kept, replace(protocol, score_above=0.0)), strict=True):
        for target, outcome in zip(one.targets, matched.lesions, strict=True):
            if target.malignancy == "malignant" and target.lesion_type in LESION_TYPES[group]:
                found += outcome.outcome == "TP"
        for f, verdict in zip(one.findings, matched.findings, strict=True):
            said = group == "malignant" or f.lesion_type == group.removeprefix("malignant_")
            false += bool(f.is_malignant and said and verdict.outcome == "FP" and not (free_only and one.targets))
    return found, false


def _box(rng: np.random.Generator) -> tuple[float, float, float, float]:
    x, y = rng.uniform(0, 45, 2)
    width, height = rng.uniform(4, 18, 2)
    return (float(x), float(y), float(x + width), float(y + height))
