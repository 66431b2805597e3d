"""Where in the breast a cluster may lie: away from skin, edges, nipple, muscle, folds, implant and what is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.pair import ViewPosition
from simulation.implant import behind_front
from simulation.pectoral import find_pectoral
from simulation.settings import SimulationSettings
from simulation.skin_folds import skin_folds

Mask = NDArray[np.bool_]

# What filters and outline need around a cluster, however small the margin that is asked for.
EDGE_ROOM_MM = 2.4


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
    pectoral : {"none", "line", "corner"}
        "none" (CC), "line" (muscle border found) or "corner" (border unsure: a corner wedge is left out).
    folds : float
        Part of the breast that is left out as skin folds.
    """

    mask: Mask
    nipple: tuple[float, float]
    depth_px: float
    pectoral: Literal["none", "line", "corner"]
    folds: float


def pectoral_area(image: NDArray[Any], breast: Mask, view: ViewPosition, spacing_mm: float) -> tuple[Mask, Any]:
    """Muscle with its margin, and how it was found ("none", "line", "corner"); empty in a CC view."""
    if view != "MLO":
        return np.zeros(breast.shape, bool), "none"
    muscle = find_pectoral(image, breast, spacing_mm)
    return muscle.mask, muscle.found


def permitted_area(
    image: NDArray[Any],
    breast: Mask,
    view: ViewPosition,
    spacing_mm: float,
    settings: SimulationSettings,
    *,
    pectoral: tuple[Mask, Any],
    implant: Mask | None = None,
) -> PermittedArea:
    """Permitted area of one view.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
        Low-energy image, chest wall on the left; about 0.4 mm pixels are enough.
    breast : ndarray of bool, same shape
    view : {"CC", "MLO"}
    spacing_mm : float
        Pixel size of `image`.
    settings : SimulationSettings
    pectoral : tuple
        Of `pectoral_area`.
    implant : ndarray of bool, optional
        It and everything behind its front is left out.
    """
    rows, columns = np.flatnonzero(breast.any(1)), np.flatnonzero(breast.any(0))
    row0, row1, column0, column1 = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    # skin is where the breast ends inside the picture, not where the picture cuts it off
    margin = int(np.ceil(settings.skin_margin_mm / spacing_mm)) + 1
    top, bottom = margin * (row0 == 0), margin * (row1 == breast.shape[0])
    padded = np.pad(breast[:, column0:].view(np.uint8), ((top, bottom), (margin, 1)), mode="edge")
    padded[:, -1] = 0
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    mask = np.zeros(breast.shape, bool)
    mask[:, column0:] = depth[top : padded.shape[0] - bottom, margin:-1] * spacing_mm >= settings.skin_margin_mm
    mask &= breast
    edge = max(1, int(np.ceil(max(settings.edge_margin_mm, EDGE_ROOM_MM) / spacing_mm)))
    mask[:edge] = mask[-edge:] = False
    mask[:, : column0 + edge] = mask[:, -edge:] = False
    nipple = (float(column1), float(np.flatnonzero(breast[:, column1 - 1]).mean()) + 0.5)
    y, x = np.ogrid[: breast.shape[0], : breast.shape[1]]
    reach = settings.nipple_margin_mm / spacing_mm
    mask &= (x + 0.5 - nipple[0]) ** 2 + (y + 0.5 - nipple[1]) ** 2 > reach**2
    muscle, found = pectoral
    mask &= ~muscle
    folds = skin_folds(image, breast, view, spacing_mm)
    mask &= ~folds
    if implant is not None:
        mask &= ~behind_front(implant, spacing_mm)
    share = float((folds & breast).sum() / breast.sum())
    return PermittedArea(mask, nipple, float(column1 - column0), found, share)
