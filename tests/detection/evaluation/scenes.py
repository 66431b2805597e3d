"""Small scenes for the tests of the evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from detection.evaluation.images import EvaluatedImage
from detection.evaluation.protocol import Protocol
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


def _box(rng: np.random.Generator) -> tuple[float, float, float, float]:
    x, y = rng.uniform(0, 45, 2)
    width, height = rng.uniform(4, 18, 2)
    return (float(x), float(y), float(x + width), float(y + height))
