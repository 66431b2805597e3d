"""Which cell takes the cluster: robust ranking of texture features, then the best cell or a draw among the best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.calcification import Malignancy
from simulation.settings import SimulationSettings
from simulation.texture import CellFeatures

# Bright, busy tissue attracts calcifications; tissue around malignant ones is brighter (Radiology 1988;169).
WEIGHTS: dict[str, float] = {
    "original_firstorder_Mean": 1.0,
    "original_firstorder_Entropy": 1.0,
    "original_firstorder_Variance": 0.5,
    "original_glcm_Contrast": 0.5,
    "original_glcm_Idm": -0.5,
    "original_glszm_SmallAreaEmphasis": 0.25,
    "original_gldm_LargeDependenceEmphasis": -0.25,
}
BENIGN_MEAN_WEIGHT = 0.5


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


def robust_z(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(value - median) / (1.4826 MAD) of each column, clipped to +-3; 0 where a column does not vary."""
    centre = np.median(values, axis=0)
    spread = 1.4826 * np.median(np.abs(values - centre), axis=0)
    safe = np.where(spread > 0, spread, 1.0)
    return np.asarray(np.where(spread > 0, np.clip((values - centre) / safe, -3, 3), 0.0))


def cell_scores(features: CellFeatures, malignancy: Malignancy) -> NDArray[np.float64]:
    """Weighted sum of robust z values; shape (cells,)."""
    weights = dict(WEIGHTS)
    if malignancy == "benign":
        weights["original_firstorder_Mean"] = BENIGN_MEAN_WEIGHT
    table = np.stack([features.column(name) for name in weights], axis=1)
    return np.asarray(robust_z(table) @ np.array(list(weights.values())))


def rank_cells(
    features: CellFeatures,
    malignancy: Malignancy,
    rng: np.random.Generator,
    settings: SimulationSettings,
    *,
    penalty: NDArray[np.float64] | None = None,
) -> Ranking:
    """Order in which cells are tried.

    With ``"best"`` cells follow their score (S000). With ``"sample"`` the best share is drawn without replacement by
    softmax, and the others follow by score.

    Parameters
    ----------
    features : CellFeatures
    malignancy : {"benign", "malignant"}
    rng : numpy.random.Generator
    settings : SimulationSettings
    penalty : ndarray of float64, shape (cells,), optional
        Taken from the scores, for example for disagreement with the partner view.
    """
    scores = cell_scores(features, malignancy)
    if penalty is not None:
        scores = scores - penalty
    by_score = np.argsort(-scores, kind="stable")
    if settings.site_selection == "best":
        return Ranking(scores, tuple(int(i) for i in by_score))
    count = max(min(3, len(scores)), round(settings.best_fraction * len(scores)))
    best, others = by_score[:count], by_score[count:]
    # Gumbel noise and sorting is a softmax draw without replacement
    keys = scores[best] / settings.temperature + rng.gumbel(size=count)
    drawn = best[np.argsort(-keys, kind="stable")]
    return Ranking(scores, tuple(int(i) for i in np.concatenate([drawn, others])))
