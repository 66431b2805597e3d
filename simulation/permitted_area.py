"""Where in the breast a cluster may lie: away from skin, edges, nipple, pectoral muscle and known lesions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from imaging.pair import ViewPosition
from simulation.filters import block_mean
from simulation.settings import SimulationSettings


@dataclass(frozen=True, eq=False)
class PermittedArea:
    """Result of `permitted_area`; the chest wall is on the left.

    Attributes
    ----------
    mask : ndarray of bool, shape (rows, columns)
    nipple : tuple of float
        (x, y) in continuous pixels: the point of the breast farthest from the chest wall.
    depth_px : float
        Chest wall to nipple.
    pectoral : str
        "none" (CC), "line" (muscle border found) or "corner" (border unsure: a corner wedge is left out).
    """

    mask: NDArray[np.bool_]
    nipple: tuple[float, float]
    depth_px: float
    pectoral: str


def permitted_area(
    low_energy: NDArray[Any],
    breast: NDArray[np.bool_],
    view: ViewPosition,
    spacing_mm: float,
    settings: SimulationSettings,
    exclusion: NDArray[np.bool_] | None,
) -> PermittedArea:
    """Permitted area of one view.

    Parameters
    ----------
    low_energy : ndarray, shape (rows, columns)
        Chest wall on the left.
    breast : ndarray of bool, same shape
    view : {"CC", "MLO"}
    spacing_mm : float
    settings : SimulationSettings
    exclusion : ndarray of bool, optional
        Pixels that no cell may touch, for example dilated lesions.
    """
    row0, row1, column0, column1 = _box(breast)
    # skin is where the breast ends inside the picture, not where the picture cuts it off
    margin = round(settings.skin_margin_mm / spacing_mm) + 1
    top, bottom = margin * (row0 == 0), margin * (row1 == breast.shape[0])
    padded = np.pad(breast[:, column0:], ((top, bottom), (margin, 0)), mode="edge")
    depth = ndimage.distance_transform_edt(padded)[top : padded.shape[0] - bottom, margin:]
    mask = np.zeros(breast.shape, bool)
    mask[:, column0:] = depth * spacing_mm >= settings.skin_margin_mm
    edge = max(1, round(settings.edge_margin_mm / spacing_mm))
    mask[:edge] = mask[-edge:] = False
    mask[:, : column0 + edge] = mask[:, -edge:] = False
    tip = breast[:, column1 - 1]
    nipple = (float(column1), float(np.flatnonzero(tip).mean()) + 0.5)
    y, x = np.ogrid[: breast.shape[0], : breast.shape[1]]
    reach = settings.nipple_margin_mm / spacing_mm
    mask &= (x + 0.5 - nipple[0]) ** 2 + (y + 0.5 - nipple[1]) ** 2 > reach**2
    pectoral = "none"
    if view == "MLO":
        muscle, pectoral = _pectoral(low_energy, breast, (row0, row1, column0, column1), spacing_mm)
        mask &= ~muscle
    if exclusion is not None:
        mask &= ~exclusion
    return PermittedArea(mask, nipple, float(column1 - column0), pectoral)


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _pectoral(
    low_energy: NDArray[Any],
    breast: NDArray[np.bool_],
    box: tuple[int, int, int, int],
    spacing_mm: float,
) -> tuple[NDArray[np.bool_], str]:
    """Muscle with 3 mm around it, by the straight line with the strongest fall of brightness away from the wall."""
    row0, row1, column0, column1 = box
    step = max(1, round(1.0 / spacing_mm))
    small = block_mean(np.where(breast, low_energy, 0).astype(np.float32)[row0:row1, column0:column1], step)
    fall = -ndimage.gaussian_filter(small, 1.5, order=(0, 1))
    rows, columns = small.shape
    best, scores = (0.0, 0.0, 0.0), []
    for angle in np.deg2rad(np.arange(10, 46, 2.5)):
        for length in np.linspace(0.2, 0.85, 27) * rows:
            along = np.arange(2, int(0.92 * length))
            across = (length - along) * np.tan(angle)
            keep = (across > 1) & (across < 0.85 * columns)
            if keep.sum() < 8:
                continue
            score = float(fall[along[keep], across[keep].astype(int)].mean())
            scores.append(score)
            if score > best[0]:
                best = (score, length * step, float(angle))
    spread = float(np.std(scores)) if scores else 0.0
    y, x = np.ogrid[: breast.shape[0], : breast.shape[1]]
    if spread > 0 and best[0] > float(np.median(scores)) + 3 * spread:
        border = (row0 + best[1] - y) * np.tan(best[2]) + 3 / spacing_mm / np.cos(best[2])
        return (x - column0 < border) & (y < row0 + best[1] + 3 / spacing_mm), "line"
    height, width = 0.40 * (row1 - row0), 0.5 * (column1 - column0)
    corner = (y - row0) / height + (x - column0) / width < 1
    return np.asarray(corner, dtype=bool), "corner"
