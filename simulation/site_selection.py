"""Which cell takes the cluster: robust ranking of texture features, then the best cell or a draw among the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulation.calcification import Malignancy
from simulation.errors import InvalidSettings
from simulation.location_strata import location_parts, scores_within_parts
from simulation.robust_scale import robust_z
from simulation.settings import SimulationSettings
from simulation.site_weights import SiteWeights
from simulation.texture import CellFeatures

# Bright, busy tissue attracts calcifications; tissue around malignant ones is brighter (Radiology 1988;169).
# The other 86 features have weight 0 until weights are learnt.
WEIGHTS: Mapping[str, float] = {
    "original_firstorder_Mean": 1.0,
    "original_firstorder_Entropy": 1.0,
    "original_firstorder_Variance": 0.5,
    "original_glcm_Contrast": 0.5,
    "original_glcm_Idm": -0.5,
    "original_glszm_SmallAreaEmphasis": 0.25,
    "original_gldm_LargeDependenceEmphasis": -0.25,
}
BENIGN_MEAN_WEIGHT = 0.5
# Fewer grey levels tell textures apart poorly, more make most counts single.
USUAL_GREY_LEVELS = (16, 128)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Cells in the order in which they are tried.

    Attributes
    ----------
    scores : ndarray of float64, shape (cells,)
    order : tuple of int
        Indices of cells, first one tried first.
    """

    scores: NDArray[np.float64]
    order: tuple[int, ...]


def default_weights(malignancy: Malignancy) -> dict[str, float]:
    """Prior weights of a class; features left out weigh nothing."""
    weights = dict(WEIGHTS)
    if malignancy == "benign":
        weights["original_firstorder_Mean"] = BENIGN_MEAN_WEIGHT
    return weights


def cell_scores(
    features: CellFeatures, malignancy: Malignancy, weights: SiteWeights | None = None
) -> NDArray[np.float64]:
    """Weighted sum of robust z values; shape (cells,).

    Raises
    ------
    InvalidSettings
        If learnt weights belong to features of other grey-level bins.
    """
    if weights is not None and weights.bins != features.bins:
        raise InvalidSettings(
            f"the site weights were fitted on features of {weights.bins} and these are of {features.bins}; "
            "set the same bins, or fit the weights again"
        )
    used = default_weights(malignancy) if weights is None else weights.weights
    table = np.stack([features.column(name) for name in used], axis=1)
    return np.asarray(robust_z(table) @ np.array(list(used.values())))


def rank_cells(
    features: CellFeatures,
    malignancy: Malignancy,
    rng: np.random.Generator,
    settings: SimulationSettings,
    *,
    centres: NDArray[np.float64] | None = None,
    penalty: NDArray[np.float64] | None = None,
    weights: SiteWeights | None = None,
) -> Ranking:
    """Order in which cells are tried.

    With ``"best"`` cells follow their score (S000). With ``"sample"`` cells are compared within their part of the
    breast (`location_strata`), the best share is drawn without replacement by softmax, and the others follow.

    Parameters
    ----------
    features : CellFeatures
    malignancy : {"benign", "malignant"}
    rng : numpy.random.Generator
    settings : SimulationSettings
    centres : ndarray of float64, shape (cells, 2), optional
        (x, y), chest wall at the left; without them cells of the whole view are compared.
    penalty : ndarray of float64, shape (cells,), optional
        Taken from what is compared, for example for disagreement with the partner view.
    weights : SiteWeights, optional
        Learnt from real clusters; the prior ones when None.
    """
    scores = cell_scores(features, malignancy, weights)
    compared = scores
    if settings.site_selection == "sample" and centres is not None:
        compared = scores_within_parts(scores, location_parts(centres))
    if penalty is not None:
        compared = compared - penalty
    by_score = np.argsort(-compared, kind="stable")
    if settings.site_selection == "best":
        return Ranking(scores, tuple(int(i) for i in by_score))
    count = min(len(scores), max(settings.best_minimum, round(settings.best_fraction * len(scores))))
    best, others = by_score[:count], by_score[count:]
    # Gumbel noise and sorting is a softmax draw without replacement
    keys = compared[best] / settings.temperature + rng.gumbel(size=count)
    drawn = best[np.argsort(-keys, kind="stable")]
    return Ranking(scores, tuple(int(i) for i in np.concatenate([drawn, others])))


def ranking_record(features: CellFeatures, malignancy: Malignancy, weights: SiteWeights | None) -> dict[str, Any]:
    """What the record of a case says of the ranking: number of features, grey levels, weights and their source."""
    levels = features.grey_levels
    return {
        "features": len(features.names),
        "bins": features.bins,
        "grey_levels": {"minimum": int(levels.min()), "median": float(np.median(levels)), "maximum": int(levels.max())},
        "weights_from": "prior" if weights is None else weights.to_json(),
        "weights": default_weights(malignancy) if weights is None else weights.weights,
    }


def grey_level_warnings(features: CellFeatures) -> list[str]:
    """A sentence when half of the cells have fewer or more grey levels than texture is usually measured with."""
    low, high = USUAL_GREY_LEVELS
    median = float(np.median(features.grey_levels))
    if low <= median <= high:
        return []
    return [
        f"texture was measured with {median:g} grey levels in the median cell; {low} to {high} are usual, so the "
        "ranking of cells is less certain"
    ]
