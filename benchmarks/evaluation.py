"""Time the evaluation against plain loops; prints one JSON object.

Run from the repository root: ``python -m benchmarks.evaluation``. Each entry holds seconds (best of the
repeats), the ratio to the slower peer, and the largest difference between the results of both.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from detection.evaluation.assignment import assign
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.intervals import auc_interval
from detection.evaluation.matching import match_many
from detection.evaluation.overlap import box_iou
from detection.evaluation.protocol import Protocol
from detection.evaluation.ranked_pairs import RankedPairs
from detection.evaluation.resampling import Units, replicates
from detection.evaluation.test_set import evaluate
from detection.finding import Finding
from detection.sample_set import LesionTarget

IMAGES = 5000
RESAMPLES = 2000


def main() -> None:
    """Measure everything and print it."""
    images = synthetic_images(IMAGES, seed=0)
    report = {
        "images": IMAGES,
        "matching": matching(images),
        "evaluate": evaluation(images),
        "auc_bootstrap_rows": [auc_bootstrap(n, patients=None, peer_resamples=40) for n in (500, 5_000)],
        "auc_bootstrap_patients": [
            auc_bootstrap(n, patients=n // 4, peer_resamples=40 if n < 50_000 else 8) for n in (500, 5_000, 50_000)
        ],
    }
    print(json.dumps(report, indent=1))


def matching(images: Sequence[EvaluatedImage]) -> dict[str, Any]:
    """Greedy matching of boxes: arrays alone, the whole of `match_many`, and a Python loop."""
    protocol = Protocol(score_above=0.0)
    findings = np.zeros((len(images), 5, 4))
    lesions = np.zeros((len(images), 2, 4))
    for index, image in enumerate(images):
        ordered = sorted(image.findings, key=lambda finding: -finding.score)
        findings[index, : len(ordered)] = np.array([f.box for f in ordered]).reshape(-1, 4)
        lesions[index, : len(image.targets)] = np.array([t.box for t in image.targets]).reshape(-1, 4)

    def arrays() -> int:
        iou = box_iou(findings, lesions)
        return int(assign(iou > protocol.iou_above, iou, "greedy").sum())

    def loop() -> int:
        return sum(_greedy(image, protocol) for image in images)

    def whole() -> int:
        located = Protocol(score_above=0.0, class_aware="none")
        return sum(f.outcome == "TP" for entry in match_many(images, located) for f in entry.findings)

    fast, pairs = timed(arrays, 7)
    slow, loop_pairs = timed(loop, 3)
    objects, object_pairs = timed(whole, 3)
    return {
        "arrays_seconds": fast,
        "python_loop_seconds": slow,
        "ratio": slow / fast,
        "match_many_seconds": objects,
        "pairs": pairs,
        "largest_difference": max(abs(pairs - loop_pairs), abs(pairs - object_pairs)),
    }


def evaluation(images: Sequence[EvaluatedImage]) -> dict[str, Any]:
    """The nine numbers of a test set with 2,000 resamples of patients."""
    seconds, result = timed(lambda: evaluate(images, Protocol()), 2)
    return {"seconds": seconds, "patients": result.patients, "resamples": RESAMPLES}


def auc_bootstrap(n: int, *, patients: int | None, peer_resamples: int) -> dict[str, Any]:
    """AUC interval with 2,000 resamples against a scikit-learn loop extrapolated from fewer."""
    rng = np.random.default_rng(n)
    labels = (rng.random(n) < 0.4).astype(int)
    scores = np.round(rng.normal(labels, 1.5), 3)
    groups = None if patients is None else [f"p{index:06d}" for index in rng.integers(0, patients, n)]
    own, _ = timed(lambda: auc_interval(labels, scores, groups=groups, resamples=RESAMPLES), 2)
    units = Units([f"{row:09d}" for row in range(n)] if groups is None else groups)
    weights = np.concatenate(list(units.weight_blocks(peer_resamples, 0)))

    def peer() -> list[float]:
        values = []
        for row in weights:
            repeats = row[units.row]
            values.append(roc_auc_score(np.repeat(labels, repeats), np.repeat(scores, repeats)))
        return values

    slow, expected = timed(peer, 1)
    pairs = RankedPairs(labels.astype(bool), scores, units.row)
    ours = replicates([pairs], units, peer_resamples, 0)[0]
    extrapolated = slow * RESAMPLES / peer_resamples
    return {
        "rows": n,
        "patients": len(units) if patients else None,
        "seconds": own,
        "scikit_learn_seconds_extrapolated": extrapolated,
        "ratio": extrapolated / own,
        "largest_difference": float(np.abs(ours - expected).max()),
    }


def synthetic_images(count: int, *, seed: int) -> list[EvaluatedImage]:
    """Views with up to two lesions and up to five findings, four views a patient."""
    rng = np.random.default_rng(seed)
    images = []
    for index in range(count):
        targets = [
            LesionTarget(
                f"L{k}", str(rng.choice(["mass", "cluster"])), str(rng.choice(["benign", "malignant"])), (), box(rng)
            )
            for k in range(rng.integers(0, 3))
        ]
        findings = []
        for _ in range(rng.integers(0, 6)):
            place = box(rng)
            if targets and rng.random() < 0.5:
                shift = rng.normal(0, 15, 4)
                near = np.array(targets[int(rng.integers(len(targets)))].box) + shift
                place = (*map(float, np.minimum(near[:2], near[2:])), *map(float, np.maximum(near[:2], near[2:])))
            findings.append(
                Finding(place, float(rng.random()), float(rng.random()), str(rng.choice(["mass", "cluster"])))
            )
        images.append(EvaluatedImage(f"view-{index:05d}", f"patient-{index // 4:05d}", targets, findings))
    return images


def box(rng: np.random.Generator) -> tuple[float, float, float, float]:
    """A box of 20 to 110 px within 1024 px."""
    x, y = rng.uniform(0, 900, 2)
    width, height = rng.uniform(20, 110, 2)
    return (float(x), float(y), float(x + width), float(y + height))


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Shortest wall time of the repeats in seconds, and the last result."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result


def _greedy(image: EvaluatedImage, protocol: Protocol) -> int:
    taken: set[int] = set()
    for finding in sorted(image.findings, key=lambda entry: -entry.score)[: protocol.top]:
        best, chosen = protocol.iou_above, None
        for index, target in enumerate(image.targets):
            if index in taken:
                continue
            a, b = finding.box, target.box
            width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            if width <= 0 or height <= 0:
                continue
            inner = width * height
            union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner
            if inner / union > best:
                best, chosen = inner / union, index
        if chosen is not None:
            taken.add(chosen)
    return len(taken)


if __name__ == "__main__":
    main()
