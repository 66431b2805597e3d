"""Whether a score can be read as a probability: numbers, reliability, recalibration and net benefit of every run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from detection.evaluation.protocol import Protocol
from webapp.results import thresholds
from webapp.results.kept import kept
from webapp.results.models import Evaluation
from webapp.results.stored import result_of

if TYPE_CHECKING:
    from detection.evaluation.result import TestSetResult

WHAT = {
    "finding": "Malignancy probability of located findings",
    "image": "Score of a whole view",
}
"""What is read as a probability → words."""
SENTENCES = {
    "finding": "A row is a kept finding that lies on a lesion of known malignancy; its malignancy probability against "
    "whether that lesion is malignant. Missed lesions and findings off any lesion are not in it.",
    "image": "A row is a view; its score is the highest of the kept findings called malignant, 0 without one, against "
    "whether a malignant lesion is on it. A detector does not promise that this score is a probability: read it as a "
    "question, not as a claim.",
}
NOT_KEPT = "this result was stored before its views were kept; evaluate the run again"
NO_VALIDATION = "no predictions on validation views are stored"
NO_LINE = "no line can be fitted on the validation rows: too few, one class, or the classes do not overlap"
LEAST_FITTED = 10
"""Validation rows of each class below which no recalibration is fitted."""


@dataclass(frozen=True)
class Rows:
    """Labels and probabilities to compare, with the patient of each."""

    labels: list[bool]
    scores: list[float]
    patients: list[str]


def numbers(evaluation: Evaluation, what: str) -> dict[str, Any]:
    """Calibration of one run on one test set.

    Returns
    -------
    dict
        ``{"equal_width", "equal_mass"}`` as `detection.evaluation.calibration.Calibration` in JSON, ``"decision"`` as
        `DecisionCurve` in JSON or None, ``"recalibrated"`` as Calibration in JSON or None with the reason in
        ``"not_recalibrated"`` and the line in ``"line"``; ``{"reason"}`` alone where there are no rows.
    """
    made_from = [evaluation.inputs_hash, what, str(evaluation.run_id), str(evaluation.run.ended)]
    return kept("calibration", made_from, lambda: _compute(evaluation, what))


def rows_of(result: TestSetResult, what: str) -> Rows | None:
    """Rows of a stored result; None where it was stored without what they need."""
    if what == "image":
        if not result.views:
            return None
        scored = [(row.malignant, row) for row in result.views if row.malignant is not None]
        return Rows(
            [malignant for malignant, _ in scored],
            [row.score for _, row in scored],
            [row.patient_id for _, row in scored],
        )
    located = [row for row in result.findings if row.localised_malignancy in ("benign", "malignant")]
    return Rows(
        [row.localised_malignancy == "malignant" for row in located],
        [row.malignancy for row in located],
        [row.patient_id for row in located],
    )


def _compute(evaluation: Evaluation, what: str) -> dict[str, Any]:
    from detection.evaluation.calibration import calibration, recalibrated
    from detection.evaluation.decision_curve import decision_curve

    rows = rows_of(result_of(evaluation), what)
    if rows is None:
        return {"reason": f"undefined: {NOT_KEPT}"}
    if not rows.labels:
        return {"reason": "undefined: no rows"}
    protocol = Protocol.from_json(evaluation.protocol)

    def judged(scores: Sequence[float], binning: str) -> dict[str, Any]:
        return calibration(
            rows.labels,
            scores,
            groups=rows.patients,
            binning=binning,  # type: ignore[arg-type]
            resamples=protocol.resamples,
            level=protocol.confidence,
            seed=protocol.seed,
            method=protocol.interval,
        ).to_json()

    curve = decision_curve(rows.labels, rows.scores)
    line, reason = _line(evaluation, what)
    return {
        **{f"equal_{rule}": judged(rows.scores, f"equal {rule}") for rule in ("width", "mass")},
        "decision": None if curve is None else curve.to_json(),
        "line": line,
        "recalibrated": None if line is None else judged(recalibrated(rows.scores, line).tolist(), "equal width"),
        "not_recalibrated": reason,
    }


def _line(evaluation: Evaluation, what: str) -> tuple[tuple[float, float] | None, str]:
    """Intercept and slope fitted on the validation views of the run, or why there is none."""
    from detection.evaluation.calibration import logistic_line
    from detection.evaluation.test_set import evaluate

    if not evaluation.run.predictions.filter(split="validation").exists():
        return None, NO_VALIDATION
    images = thresholds.images_of(evaluation.run, "validation")
    protocol = Protocol.from_json({**evaluation.protocol, "resamples": 100})
    rows = rows_of(evaluate(images, protocol), what)
    if rows is None or min(sum(rows.labels), len(rows.labels) - sum(rows.labels)) < LEAST_FITTED:
        return None, NO_LINE
    line = logistic_line(rows.labels, rows.scores)
    return line, "" if line else NO_LINE
