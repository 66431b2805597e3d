"""What every score threshold would give: outcomes from the stored findings, and counts at each step of the slider.

Greedy matching goes down the scores, so that the matches above a threshold are the same as if only those findings
existed: one matching at threshold 0 answers for all (see `detection.evaluation.froc`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.core.cache import cache

from detection.evaluation.images import EvaluatedImage
from detection.evaluation.protocol import Protocol
from detection.finding import Finding
from webapp.core.errors import UserError
from webapp.experiments import sample_sets
from webapp.experiments.models import Prediction, Run
from webapp.results.cases import LESION_TYPES, Outcomes
from webapp.results.models import Evaluation

if TYPE_CHECKING:
    from detection.evaluation.result import FindingRecord, LesionRecord

STEPS = 1000
"""Positions of the slider: thresholds 0, 0.001, …, 0.999."""
NOT_GREEDY = "A threshold can be moved only where the protocol matches greedily by score."
CHANGED = "The stored findings no longer give the evaluated numbers: no threshold is offered."
IMAGES_KEPT = 3600
"""Seconds for which the images of an evaluation stay in the cache; counts are small and stay."""
LEAST = 0.9
"""Specificity above, or sensitivity of at least, for operating points chosen on validation views."""


def images_of(run: Run, split: str) -> list[EvaluatedImage]:
    """The views of a split with the truth they were frozen with and the stored findings of a run.

    Outlines are left out: overlap is measured on boxes.
    """
    findings: dict[int, list[Finding]] = {}
    stored = Prediction.objects.filter(run=run, split=split).order_by("view_id", "rank")
    for view, x1, y1, x2, y2, score, malignancy, lesion_type in stored.values_list(
        "view_id", "x1", "y1", "x2", "y2", "score", "malignancy", "lesion_type"
    ):
        found = Finding((x1, y1, x2, y2), score, malignancy, lesion_type)  # type: ignore[arg-type]
        findings.setdefault(view, []).append(found)
    return [
        EvaluatedImage(
            sample_id=sample.sample_id,
            patient_id=sample.patient_id,
            targets=tuple(replace(lesion, polygons=()) for lesion in sample.lesions),
            findings=findings.get(sample_sets.view_id(sample.sample_id), []),
        )
        for sample in sample_sets.acquired_samples(run.arm.experiment.version, split)
    ]


def evaluated_images(evaluation: Evaluation) -> list[EvaluatedImage]:
    """What was evaluated; kept in the cache, since neither findings nor frozen truth change."""
    key = f"results.images.{evaluation.inputs_hash}"
    kept: list[EvaluatedImage] | None = cache.get(key)
    if kept is None:
        kept = images_of(evaluation.run, evaluation.test_set)
        cache.set(key, kept, timeout=IMAGES_KEPT)
    return kept


def outcomes_above(evaluation: Evaluation, score: float) -> Outcomes:
    """Every lesion and finding at another score threshold.

    Raises
    ------
    UserError
        If the matching is not greedy.
    """
    from detection.evaluation.test_set import outcomes

    protocol = Protocol.from_json(evaluation.protocol)
    if protocol.matching != "greedy":
        raise UserError(NOT_GREEDY)
    lesions, findings = outcomes(evaluated_images(evaluation), replace(protocol, score_above=score))
    return Outcomes([vars(row) for row in lesions], [vars(row) for row in findings], score)


def counts(evaluation: Evaluation, group: str) -> dict[str, Any]:
    """Lesions found, findings right and findings wrong above each of the `STEPS` thresholds.

    Returns
    -------
    dict
        ``{"lesions", "images", "patients", "found", "right", "wrong"}``; the last three are lists of length
        `STEPS`. In place of it ``{"reason"}`` where the protocol is not greedy, or where the counts at the
        protocol's threshold are not those of the evaluation.
    """
    key = f"results.counts.{evaluation.inputs_hash}.{group}"
    kept: dict[str, Any] | None = cache.get(key)
    if kept is None:
        kept = _count(evaluation, group)
        cache.set(key, kept, timeout=None)
    return kept


def untyped(evaluation: Evaluation, group: str) -> str:
    """Why a group cannot be told apart on a test set whose lesions are not typed; empty where it can."""
    if evaluation.result["groups_known"] or group == "malignant":
        return ""
    return str(evaluation.result["sensitivity"][group]["reason"])


def _count(evaluation: Evaluation, group: str) -> dict[str, Any]:
    from detection.evaluation.test_set import outcomes

    protocol = Protocol.from_json(evaluation.protocol)
    if protocol.matching != "greedy":
        return {"reason": NOT_GREEDY}
    if reason := untyped(evaluation, group):
        return {"reason": reason}
    lesions, findings = outcomes(evaluated_images(evaluation), replace(protocol, score_above=0.0))
    scores = _scores(lesions, findings, group)
    result = evaluation.result
    at_protocol = {name: sum(score > protocol.score_above for score in listed) for name, listed in scores.items()}
    sensitivity, precision = result["sensitivity"][group], result["precision"][group]
    asked = {
        "found": sensitivity["numerator"] or 0,
        "right": precision["numerator"] or 0,
        "wrong": (precision["denominator"] or 0) - (precision["numerator"] or 0),
    }
    if at_protocol != asked:
        return {"reason": CHANGED}
    return {
        "lesions": sensitivity["denominator"] or 0,
        "images": result["images"],
        "patients": result["patients"],
        **{name: _above_each_step(listed) for name, listed in scores.items()},
    }


def _scores(lesions: Iterable[LesionRecord], findings: Iterable[FindingRecord], group: str) -> dict[str, list[float]]:
    """Scores of what counts in sensitivity and precision, as `detection.evaluation.rows_of_group` chooses it."""
    from detection.evaluation.rows_of_group import findings_of

    called = findings_of(group, list(findings))  # type: ignore[arg-type]
    return {
        "found": [
            row.score
            for row in lesions
            if row.malignancy == "malignant"
            and row.lesion_type in LESION_TYPES[group]
            and row.outcome == "TP"
            and row.score is not None
        ],
        "right": [row.score for row in called if row.outcome == "TP"],
        "wrong": [row.score for row in called if row.outcome == "FP"],
    }


def _above_each_step(scores: Sequence[float]) -> list[int]:
    import numpy as np

    rising = np.sort(np.asarray(scores, dtype=np.float64))
    steps = np.arange(STEPS) / STEPS
    numbers: list[int] = (rising.size - np.searchsorted(rising, steps, side="right")).tolist()
    return numbers


def operating_points(run: Run) -> list[dict[str, Any]]:
    """Thresholds chosen on the validation views of a run: image level, highest score of a finding called malignant.

    An image is positive when it has a malignant lesion; without a finding called malignant its score is 0.

    Returns
    -------
    list of dict
        `detection.evaluation.operating_points.OperatingPoint` as JSON, with ``step``: the slider position whose
        strict threshold gives the same decisions, or None.
    """
    key = f"results.operating-points.{run.pk}.{run.ended}".replace(" ", "T")
    kept: list[dict[str, Any]] | None = cache.get(key)
    if kept is None:
        kept = _choose(run)
        cache.set(key, kept, timeout=None)
    return kept


def _choose(run: Run) -> list[dict[str, Any]]:
    from detection.evaluation.operating_points import at_sensitivity, at_specificity, youden

    images = images_of(run, "validation")
    labels = [any(target.malignancy == "malignant" for target in image.targets) for image in images]
    scores = [
        max((finding.score for finding in image.findings if finding.is_malignant), default=0.0) for image in images
    ]
    chosen = (youden(labels, scores), at_specificity(labels, scores, LEAST), at_sensitivity(labels, scores, LEAST))
    return [point.to_json() | {"step": step_below(point.threshold)} for point in chosen]


def step_below(threshold: float | None) -> int | None:
    """The highest step below a threshold that counts "at or above"; None where there is none to move to."""
    if threshold is None or threshold <= 0:
        return None
    step = min(int(threshold * STEPS), STEPS - 1)
    return step - 1 if step / STEPS >= threshold else step


def floor(runs: Iterable[Run]) -> float:
    """The highest score below which one of the detectors keeps no findings: nothing is known there."""
    return max((float(run.arm.configuration.get("values", {}).get("score_above") or 0.0) for run in runs), default=0.0)
