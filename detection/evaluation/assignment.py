"""Which finding is credited with which lesion, for many images at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from detection.evaluation.protocol import MatchingRule


def assign(eligible: NDArray[np.bool_], iou: NDArray[np.float64], rule: MatchingRule) -> NDArray[np.bool_]:
    """Credit findings with lesions.

    Parameters
    ----------
    eligible : (images, findings, lesions) bool
        Pairs that satisfy the thresholds; findings in order of descending score.
    iou : (images, findings, lesions) float64
    rule : {"greedy", "hungarian", "argmax_lesion", "any_overlap"}
        `greedy`: each finding takes the free eligible lesion of highest IoU (ties: lower lesion index).
        `hungarian`: as many pairs as possible, then the highest total IoU (picai_eval).
        `argmax_lesion`: each finding is tried only on its eligible lesion of highest IoU, even when that is
        taken (the evaluation code released with S004).
        `any_overlap`: each finding is credited with all its eligible lesions that no finding of higher score
        has been credited with.

    Returns
    -------
    (images, findings, lesions) bool
        True where the finding is credited with the lesion; a lesion is credited at most once.
    """
    if rule == "hungarian":
        return _most_pairs(eligible, iou)
    if rule == "any_overlap":
        first: NDArray[np.bool_] = eligible & (np.cumsum(eligible, axis=1) == 1)
        return first
    return _by_score(eligible, iou, best_lesion_only=rule == "argmax_lesion")


def _by_score(eligible: NDArray[np.bool_], iou: NDArray[np.float64], *, best_lesion_only: bool) -> NDArray[np.bool_]:
    credited = np.zeros_like(eligible)
    images, findings, lesions = eligible.shape
    if lesions == 0:
        return credited
    free = np.ones((images, lesions), dtype=bool)
    rows = np.arange(images)
    for rank in range(findings):
        candidates = eligible[:, rank] if best_lesion_only else eligible[:, rank] & free
        best = np.where(candidates, iou[:, rank], -1.0).argmax(axis=1)
        taken = candidates[rows, best] & free[rows, best]
        credited[rows[taken], rank, best[taken]] = True
        free[rows[taken], best[taken]] = False
    return credited


def _most_pairs(eligible: NDArray[np.bool_], iou: NDArray[np.float64]) -> NDArray[np.bool_]:
    credited = np.zeros_like(eligible)
    # a pair must outweigh any gain in total IoU, which is at most the number of pairs
    pair = min(eligible.shape[1:], default=0) + 1.0
    for image in np.flatnonzero(eligible.any(axis=(1, 2))):
        weight = np.where(eligible[image], pair + iou[image], 0.0)
        finding, lesion = linear_sum_assignment(weight, maximize=True)
        chosen = eligible[image, finding, lesion]
        credited[image, finding[chosen], lesion[chosen]] = True
    return credited
