"""Time the evaluation against plain loops; prints one JSON object.

Run from the repository root: ``OMP_NUM_THREADS=1 python -m benchmarks.evaluation``. Each entry holds process CPU
seconds (best of the repeats), the ratio to the slower peer, and the largest difference between the results of both.
Exits 1 where a number differs by more than 1e-12 or a figure misses its target.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.timing import timed
from detection.evaluation.assignment import assign
from detection.evaluation.auc_covariance import AUCCovariance, delong
from detection.evaluation.comparisons import paired_differences
from detection.evaluation.froc import CPM_POINTS, froc_curve
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.intervals import auc_interval
from detection.evaluation.marks import Marks, marks_of
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
AUC_AT_LEAST = {500: 80, 5_000: 25, 50_000: 12}
"""How many times faster than a loop over scikit-learn the bootstrap of rows has to be."""
AT_MOST = {"matching": 0.01, "delong_pair": 0.1, "froc": 0.6, "dashboard": 10.0}
"""Seconds."""


def main() -> int:
    """Measure everything and print it; exit status 1 on a miss."""
    images = synthetic_images(IMAGES, seed=0)
    report = {
        "images": IMAGES,
        "matching": matching(images),
        "evaluate": evaluation(images),
        "delong_pair": delong_pair(50_000),
        "froc": froc(images),
        "dashboard": dashboard(),
        "auc_bootstrap_rows": [
            auc_bootstrap(n, patients=None, peer_resamples=40 if n < 50_000 else 8) for n in AUC_AT_LEAST
        ],
        "auc_bootstrap_patients": [
            auc_bootstrap(n, patients=n // 4, peer_resamples=40 if n < 50_000 else 8) for n in (500, 5_000, 50_000)
        ],
    }
    report["missed"] = missed(report)
    print(json.dumps(report, indent=1))
    return 1 if report["missed"] else 0


def missed(report: dict[str, Any]) -> list[str]:
    """What is slower than its target, or not equal to its peer."""
    found = [name for name, most in AT_MOST.items() if report[name]["seconds"] > most]
    for entry in report["auc_bootstrap_rows"]:
        if entry["ratio"] < AUC_AT_LEAST[entry["rows"]]:
            found.append(f"AUC bootstrap of {entry['rows']} rows")
    compared = ["matching", "delong_pair", "froc"]
    rows = [*report["auc_bootstrap_rows"], *report["auc_bootstrap_patients"], *(report[name] for name in compared)]
    if max(entry["largest_difference"] for entry in rows) > 1e-12:
        found.append("equality")
    return found


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
        "seconds": fast,
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


def delong_pair(n: int) -> dict[str, Any]:
    """Two AUCs and their covariance against all pairs of positives and negatives, counted in pieces."""
    rng = np.random.default_rng(3)
    labels = rng.random(n) < 0.4
    scores = np.round(rng.normal(labels, 1.5, (2, n)), 3)
    own, covariance = timed(lambda: delong(labels, *scores), 3)

    def pairs() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        of_positives, of_negatives = [], []
        for one in scores:
            positives, negatives = one[labels], one[~labels]
            above, below = np.zeros(positives.size), np.zeros(negatives.size)
            for start in range(0, positives.size, 500):
                piece = positives[start : start + 500, None]
                won = (piece > negatives) + 0.5 * (piece == negatives)
                above[start : start + 500] = won.mean(1)
                below += won.sum(0) / positives.size
            of_positives.append(above)
            of_negatives.append(below)
        a, b = np.array(of_positives), np.array(of_negatives)
        return a.mean(1), np.cov(a) / a.shape[1] + np.cov(b) / b.shape[1]

    slow, (values, expected) = timed(pairs, 1)
    assert isinstance(covariance, AUCCovariance)
    differences = (covariance.values - values, covariance.covariance - expected)
    return {
        "rows": n,
        "seconds": own,
        "all_pairs_seconds": slow,
        "ratio": slow / own,
        "largest_difference": float(max(np.abs(one).max() for one in differences)),
    }


def froc(images: Sequence[EvaluatedImage]) -> dict[str, Any]:
    """FROC of many marks with 1,000 resamples of patients, against sorting the marks of each resample anew."""
    resamples, peer_resamples = 1000, 100
    protocol = Protocol(class_aware="none", interval="percentile")
    every = [replace(one, findings=[replace(f, malignancy=0.9) for f in one.findings]) for one in images]
    own, curve = timed(lambda: froc_curve(every, protocol, resamples=resamples), 2)
    marks = marks_of(every, protocol, "malignant")
    units = Units([one.patient_id for one in every])
    weights = next(units.weight_blocks(peer_resamples, protocol.seed))[:peer_resamples]
    slow, expected = timed(lambda: [_sorted_anew(marks, units, row) for row in weights], 1)
    few = froc_curve(every, protocol, resamples=len(weights))
    ends = np.quantile(np.array(expected).mean(1), [0.025, 0.975])
    return {
        "marks": int(marks.scores.size),
        "patients": len(units),
        "resamples": resamples,
        "seconds": own,
        "sorting_seconds_extrapolated": slow * resamples / len(weights),
        "ratio_matching_included": slow * resamples / len(weights) / own,
        "largest_difference": float(np.abs(np.array([few.cpm.low, few.cpm.high]) - ends).max()),
        "cpm": curve.cpm.value,
    }


def dashboard() -> dict[str, Any]:
    """Six arms: the numbers of each, its FROC curve, and the differences of five from the first, all with intervals."""
    arms = [_shaken(synthetic_images(IMAGES, seed=0), seed) for seed in range(6)]

    def whole() -> int:
        results = [evaluate(arm, Protocol()) for arm in arms]
        curves = [froc_curve(arm, Protocol()) for arm in arms]
        differences = [paired_differences(result, results[0]) for result in results[1:]]
        return len(curves) + sum(len(one) for one in differences)

    seconds, _ = timed(whole, 1)
    return {"arms": len(arms), "images": IMAGES, "resamples": RESAMPLES, "seconds": seconds}


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


def _shaken(images: Sequence[EvaluatedImage], seed: int) -> list[EvaluatedImage]:
    """The same views with other scores, as another detector would give them."""
    rng = np.random.default_rng(seed)
    return [
        replace(one, findings=[replace(f, score=float(0.7 * f.score + 0.3 * rng.random())) for f in one.findings])
        for one in images
    ]


def _sorted_anew(marks: Marks, units: Units, drawn: NDArray[np.int32]) -> list[float]:
    """Sensitivity at each point from the repeated marks of one resample, sorted by score."""
    repeats = drawn[units.row[marks.image]]
    scores, true = np.repeat(marks.scores, repeats), np.repeat(marks.true, repeats)
    order = np.argsort(-scores, kind="stable")
    scores, true = scores[order], true[order]
    last = np.append(np.diff(scores) != 0, True)
    found, false = np.cumsum(true)[last], np.cumsum(~true)[last]
    lesions, images = drawn[units.row[marks.lesion_image]].sum(), drawn[units.row].sum()
    at = np.searchsorted(false, np.array(CPM_POINTS) * images + 1e-9, side="right") - 1
    return [float(found[index] / lesions) if index >= 0 else 0.0 for index in at]


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
    sys.exit(main())
