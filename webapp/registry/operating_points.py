"""Thresholds of a model, fixed on its validation predictions and never on a test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from detection.evaluation.protocol import Protocol
from detection.finding import Finding
from detection.sample_set import Sample

if TYPE_CHECKING:
    from detection.evaluation.operating_points import OperatingPoint

SENSITIVITIES = (0.9, 0.95)
SPECIFICITIES = (0.9, 0.95)
SCORE_WORDS = (
    "Score of a view: the highest score among its {top} best findings that are called malignant, 0 without any; "
    "of a patient: the highest of their views. Positive: at least one malignant lesion. Views whose lesions are all "
    "of unknown class are left out."
)


def of_validation(
    samples: Sequence[Sample], findings: Mapping[str, Sequence[Finding]], protocol: Protocol
) -> dict[str, Any]:
    """Operating points of views and of patients.

    Parameters
    ----------
    samples : sequence of Sample
        The validation views with their truth.
    findings : mapping of str to sequence of Finding
        By sample id; a view without an entry has no finding.
    protocol : Protocol
        `top` limits the findings of a view.

    Returns
    -------
    dict
        ``score`` (what the threshold is laid on, in words) and, under ``view`` and ``patient``, ``rows``,
        ``malignant``, ``left_out`` and ``points`` (`detection.evaluation.operating_points.OperatingPoint` as JSON).
    """
    labels: dict[str, bool | None] = {}
    scores: dict[str, float] = {}
    patients: dict[str, list[str]] = {}
    for sample in samples:
        labels[sample.sample_id] = _malignant(sample)
        scores[sample.sample_id] = _score(findings.get(sample.sample_id, ()), protocol.top)
        patients.setdefault(sample.patient_id, []).append(sample.sample_id)
    of_patients: dict[str, bool | None] = {
        patient: _any([labels[view] for view in views]) for patient, views in patients.items()
    }
    highest = {patient: max(scores[view] for view in views) for patient, views in patients.items()}
    return {
        "score": SCORE_WORDS.format(top=protocol.top),
        "view": _level(labels, scores),
        "patient": _level(of_patients, highest),
    }


def _malignant(sample: Sample) -> bool | None:
    """Whether a view has a malignant lesion; None where all that is there is of unknown class."""
    classes = {lesion.malignancy for lesion in sample.lesions}
    if "malignant" in classes:
        return True
    return None if classes == {"unknown"} else False


def _any(labels: Sequence[bool | None]) -> bool | None:
    if True in labels:
        return True
    return False if False in labels else None


def _score(findings: Sequence[Finding], top: int) -> float:
    kept = sorted(findings, key=lambda finding: -finding.score)[:top]
    return max((finding.score for finding in kept if finding.is_malignant), default=0.0)


def _level(labels: Mapping[str, bool | None], scores: Mapping[str, float]) -> dict[str, Any]:
    # imported here: the evaluators of runs are known to the web process, which needs no numpy for them
    from detection.evaluation.operating_points import at_sensitivity, at_specificity, youden

    known = {key: label for key, label in labels.items() if label is not None}
    truth, values = list(known.values()), [scores[key] for key in known]
    points = [
        _above_zero(youden(truth, values)),
        *(_above_zero(at_sensitivity(truth, values, least)) for least in SENSITIVITIES),
        *(_above_zero(at_specificity(truth, values, least)) for least in SPECIFICITIES),
        _fixed(truth, values, Protocol().score_above),
    ]
    return {
        "rows": len(known),
        "malignant": sum(truth),
        "left_out": len(labels) - len(known),
        "points": [point.to_json() for point in points],
    }


def _above_zero(point: OperatingPoint) -> OperatingPoint:
    """A threshold of 0 calls everything positive, what has no finding included: no operating point."""
    if point.threshold is None or point.threshold > 0:
        return point
    reason = "undefined: only calling every row malignant, those without a finding included, fulfils it"
    return replace(point, threshold=None, sensitivity=None, specificity=None, reason=reason)


def _fixed(truth: Sequence[bool], values: Sequence[float], above: float) -> OperatingPoint:
    """What the published threshold gives on these rows (Van Camp et al. 2024, section 2.3: higher than 0.1)."""
    from detection.evaluation.operating_points import OperatingPoint

    called = [value > above for value in values]
    positives, negatives = sum(truth), len(truth) - sum(truth)
    found = sum(one and is_called for one, is_called in zip(truth, called, strict=True))
    passed = sum(not one and not is_called for one, is_called in zip(truth, called, strict=True))
    missing = [word for word, count in (("malignant", positives), ("not malignant", negatives)) if not count]
    return OperatingPoint(
        rule="fixed, as published",
        threshold=above,
        sensitivity=found / positives if positives else None,
        specificity=passed / negatives if negatives else None,
        n=len(truth),
        reason=f"undefined in part: no row that is {' and none that is '.join(missing)}" if missing else None,
        strict=True,
    )
