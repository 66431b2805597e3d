"""Cells compared with their neighbours only, so that the place of a cluster is no shortcut.

Glandular tissue fills the middle of the breast: the best cells of a whole view lie there, and a detector could learn
the place instead of the calcifications. Texture still guides the choice inside each part of the breast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

# Fewer cells than this in a part leave texture nothing to choose from.
CELLS_A_PART = 6
MOST_PARTS_A_SIDE = 4


def location_parts(centres: NDArray[np.float64]) -> NDArray[np.intp]:
    """Parts of about equal numbers of cells: bands by depth, each cut into pieces by height.

    Parameters
    ----------
    centres : ndarray, shape (cells, 2)
        (x, y), chest wall at the left.

    Returns
    -------
    ndarray of intp, shape (cells,)
        Number of the part of each cell.
    """
    count = len(centres)
    side = int(np.clip(np.sqrt(count / CELLS_A_PART), 1, MOST_PARTS_A_SIDE))
    parts = np.zeros(count, dtype=np.intp)
    by_depth = np.lexsort((centres[:, 1], centres[:, 0]))
    for band, cells in enumerate(np.array_split(by_depth, side)):
        by_height = cells[np.lexsort((centres[cells, 0], centres[cells, 1]))]
        for piece, members in enumerate(np.array_split(by_height, side)):
            parts[members] = band * side + piece
    return parts


def scores_within_parts(scores: NDArray[np.float64], parts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Normal scores of the ranks within each part, shape (cells,): every part has the same distribution of scores.

    Equal scores keep the order of the cells.
    """
    result = np.zeros(len(scores))
    for part in np.unique(parts):
        members = np.flatnonzero(parts == part)
        ranks = np.empty(members.size)
        ranks[np.argsort(scores[members], kind="stable")] = np.arange(members.size)
        result[members] = ndtri((ranks + 0.5) / members.size)
    return result
