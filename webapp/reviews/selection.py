"""Which lesions or findings a queue holds, from a stored evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webapp.core.errors import UserError
from webapp.experiments.sample_sets import view_id
from webapp.results import thresholds
from webapp.results.cases import LESION_TYPES, Outcomes
from webapp.results.models import Evaluation
from webapp.reviews.models import ReviewQueue

Kind = ReviewQueue.Kind


@dataclass(frozen=True)
class Row:
    """What becomes an item: `lesion` is None for a false finding."""

    view: int
    lesion: int | None
    finding: int | None
    outcome: str
    score: float | None
    iou: float


def rows(
    evaluation: Evaluation, kind: str, group: str, score_above: float, against: Evaluation | None = None
) -> list[Row]:
    """Rows of a queue, in the order of the evaluation.

    Parameters
    ----------
    kind : {"missed", "false", "gained", "lost"}
        Gained: found by the run and missed by that of `against`, whose reasons they carry. Lost: the other way.
    group : str
        Key of `results.cases.LESION_TYPES`.
    score_above : float
        Gained and lost take the protocol's alone.

    Raises
    ------
    UserError
        If the threshold cannot be moved, or the two runs cannot be compared.
    """
    stored = score_above == float(evaluation.protocol["score_above"])
    if kind in {Kind.GAINED, Kind.LOST}:
        if not stored:
            raise UserError("Lesions gained and lost are counted at the protocol's threshold.", field="score_above")
        if against is None:
            raise UserError("Choose the run to compare with.", field="against")
        changed = _changed(evaluation, against, group)[kind]
        misses = Outcomes.stored(against if kind == Kind.GAINED else evaluation).lesions
        return [_lesion(one) for one in misses if (one["sample_id"], one["lesion_id"]) in changed]
    at = Outcomes.stored(evaluation) if stored else thresholds.outcomes_above(evaluation, score_above)
    if kind == Kind.MISSED:
        return [
            _lesion(one)
            for one in at.lesions
            if one["outcome"] == "FN" and one["malignancy"] == "malignant" and one["lesion_type"] in LESION_TYPES[group]
        ]
    return [
        Row(view_id(one["sample_id"]), None, one["finding"], one["reason"] or "", one["score"], one["iou"])
        for one in at.findings
        if one["outcome"] == "FP"
        and one["called_malignant"]
        and group in {"malignant", f"malignant_{one['lesion_type']}"}
    ]


def _lesion(record: dict[str, Any]) -> Row:
    return Row(
        view_id(record["sample_id"]),
        int(record["lesion_id"]),
        record["finding"],
        record["reason"] or "",
        record["score"],
        record["iou"],
    )


def _changed(evaluation: Evaluation, against: Evaluation, group: str) -> dict[str, set[tuple[str, str]]]:
    from detection.evaluation import comparisons
    from detection.evaluation.errors import EvaluationError
    from detection.evaluation.result import TestSetResult

    try:
        one, other = (TestSetResult.from_json(each.result) for each in (evaluation, against))
        changed = comparisons.gains_and_losses(one, other, group)  # type: ignore[arg-type]
    except EvaluationError as error:
        raise UserError(str(error)) from error
    return {Kind.GAINED: set(changed.gained), Kind.LOST: set(changed.lost)}
