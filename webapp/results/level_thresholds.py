"""What every score threshold would give per image, breast and patient, from the stored findings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from detection.evaluation.protocol import Protocol
from webapp.core.errors import UserError
from webapp.experiments.sample_sets import view_id
from webapp.results import thresholds
from webapp.results.cases import places_of
from webapp.results.kept import kept
from webapp.results.models import Evaluation
from webapp.results.stored import result_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detection.evaluation.levels import Unit
    from detection.evaluation.result import ViewRecord

LEVELS = ("image", "breast", "patient")
"""Levels whose units have one score each, so that a threshold can be moved over them."""


def counts(evaluation: Evaluation, level: str, group: str) -> dict[str, Any]:
    """Units called malignant above each of the `thresholds.STEPS` thresholds.

    Returns
    -------
    dict
        ``{"lesions", "negatives", "images", "found", "right", "wrong"}``: malignant units, those without a malignant
        lesion, and both; of each step how many malignant units are called so (as ``found`` and as ``right``) and how
        many others are (``wrong``). Units of unknown malignancy are left out. In place of it ``{"reason"}``.
    """
    return kept("level-counts", [evaluation.inputs_hash, level, group], lambda: _count(evaluation, level, group))


def _count(evaluation: Evaluation, level: str, group: str) -> dict[str, Any]:
    import numpy as np

    from detection.evaluation.levels import why_undefined

    if reason := why_undefined(result_of(evaluation), level, group):  # type: ignore[arg-type]
        return {"reason": reason}
    try:
        units = units_above(evaluation, level, group, 0.0)
    except UserError as error:
        return {"reason": str(error)}
    rule = Protocol.from_json(evaluation.protocol).unit_score
    best = {view.sample_id: view.score for view in _views(evaluation)}
    scored = [unit for unit in units if unit.malignant is not None]
    malignant = np.array([unit.malignant for unit in scored], dtype=bool)
    scores = np.array([best[sample] for unit in scored for sample in unit.sample_ids], dtype=np.float64)
    sizes = np.array([len(unit.sample_ids) for unit in scored], dtype=np.intp)
    found, wrong = [], []
    for step in range(thresholds.STEPS):
        called = _combined(scores, sizes, rule, step / thresholds.STEPS) > step / thresholds.STEPS
        found.append(int((called & malignant).sum()))
        wrong.append(int((called & ~malignant).sum()))
    positives = int(malignant.sum())
    return {
        "lesions": positives,
        "negatives": len(scored) - positives,
        "images": len(scored),
        "found": found,
        "right": found,
        "wrong": wrong,
    }


def _combined(scores: NDArray[Any], sizes: NDArray[Any], rule: str, score_above: float) -> NDArray[Any]:
    """`detection.evaluation.linked_lesions.combined` of each unit's views; a score that is not above counts as 0."""
    import numpy as np

    kept_scores = np.where(scores > score_above, scores, 0.0)
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.intp)
    if not scores.size:
        return kept_scores
    if rule == "max":
        return np.maximum.reduceat(kept_scores, starts)
    if rule == "mean":
        return np.add.reduceat(kept_scores, starts) / sizes
    return 1 - np.multiply.reduceat(1 - kept_scores, starts)


def units_above(evaluation: Evaluation, level: str, group: str, score: float) -> tuple[Unit, ...]:
    """The units of a level at another score threshold than the protocol's, as `levels.units_of` gives them.

    Empty for a group of lesions by which units are not told apart.

    Raises
    ------
    UserError
        If the stored findings are no longer those that were evaluated.
    """
    from detection.evaluation.levels import units_of, why_undefined

    if why_undefined(result_of(evaluation), level, group):  # type: ignore[arg-type]
        return ()
    at = replace(
        result_of(evaluation),
        protocol=replace(Protocol.from_json(evaluation.protocol), score_above=score),
        views=_above(_views(evaluation), score),
    )
    return units_of(at, level)  # type: ignore[arg-type]


def in_order(evaluation: Evaluation) -> dict[str, int]:
    """Place of every view of a test set in lists of cases."""
    return kept("view-order", [evaluation.inputs_hash], lambda: _order(evaluation))


def _order(evaluation: Evaluation) -> dict[str, int]:
    samples = [view.sample_id for view in result_of(evaluation).views]
    places = places_of({view_id(sample) for sample in samples})
    known = [sample for sample in samples if view_id(sample) in places]
    return {sample: place for place, sample in enumerate(sorted(known, key=lambda one: places[view_id(one)]))}


def _views(evaluation: Evaluation) -> tuple[ViewRecord, ...]:
    """Views with the highest score of their findings called malignant, at whatever threshold.

    The findings kept above a threshold are the best of the view, so that those kept at 0 answer for all.
    """
    views: tuple[ViewRecord, ...] | None = kept("view-scores", [evaluation.inputs_hash], lambda: _score(evaluation))
    if views is None:
        raise UserError(thresholds.CHANGED)
    return views


def _score(evaluation: Evaluation) -> tuple[ViewRecord, ...] | None:
    from detection.evaluation.test_set import outcomes

    protocol = Protocol.from_json(evaluation.protocol)
    _, findings = outcomes(thresholds.evaluated_images(evaluation), replace(protocol, score_above=0.0))
    best: dict[str, float] = {}
    for row in findings:
        if row.called_malignant and row.outcome != "below":
            best[row.sample_id] = max(best.get(row.sample_id, 0.0), row.score)
    stored = result_of(evaluation).views
    views = tuple(replace(view, score=best.get(view.sample_id, 0.0)) for view in stored)
    return views if _above(views, protocol.score_above) == stored else None


def _above(views: tuple[ViewRecord, ...], score: float) -> tuple[ViewRecord, ...]:
    return tuple(view if view.score > score else replace(view, score=0.0) for view in views)
