"""Bright spots that are in a host already: compact, far above the local texture, like calcifications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

LEAST_CONTRAST = 4.0
CROWD = 5
CROWD_AREA_MM = 10.0
COARSEST_MM = 0.25
_FINEST_MM = 0.15
_SPOT_MM = 0.15
_AROUND_MM = 0.6
_TEXTURE_MM = 6.0
_LEAST_ROUNDNESS = 0.35


@dataclass(frozen=True, eq=False)
class Spots:
    """Result of `bright_spots`.

    Attributes
    ----------
    x, y : ndarray of float64, shape (n,)
        Centres in continuous pixels of the full image.
    contrast : ndarray of float32, shape (n,)
        Height above the surroundings in standard deviations of the texture within 6 mm.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    contrast: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.x)


def bright_spots(image: NDArray[Any], breast: NDArray[np.bool_], spacing_mm: float) -> Spots | None:
    """Compact bright spots with a contrast above four.

    A difference of Gaussians (0.15 and 0.6 mm) against the mean absolute difference around it; ridges, which vessels
    and ligaments make, are told by the ratio of the two curvatures.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        Low-energy image.
    breast : ndarray of bool, shape (rows // n, columns // n)
        Where to look, at the same or a coarser resolution.
    spacing_mm : float
        Pixel size of `image`.

    Returns
    -------
    Spots or None
        None above 0.25 mm pixels, where calcifications cannot be told from texture.
    """
    if spacing_mm > COARSEST_MM:
        return None
    ratio = round(image.shape[0] / breast.shape[0])
    column0, row0, wide, tall = cv2.boundingRect(breast.view(np.uint8))
    if not wide:
        return Spots(np.empty(0), np.empty(0), np.empty(0, np.float32))
    # only where it is asked for, with room for the texture around it
    room = int(np.ceil(_TEXTURE_MM / spacing_mm / ratio))
    row1, column1 = row0 + tall + room, column0 + wide + room
    row0, column0 = max(row0 - room, 0), max(column0 - room, 0)
    breast = breast[row0:row1, column0:column1]
    image = image[row0 * ratio : row1 * ratio, column0 * ratio : column1 * ratio]
    step = 1
    if spacing_mm < _FINEST_MM:
        step = 2
        size = (image.shape[1] // 2, image.shape[0] // 2)
        image = cv2.resize(image[: 2 * size[1], : 2 * size[0]], size, interpolation=cv2.INTER_AREA)
    fine = image.astype(np.float32)
    pixel = spacing_mm * step
    peak = cv2.GaussianBlur(fine, (0, 0), max(_SPOT_MM / pixel, 0.6))
    height = peak - cv2.GaussianBlur(fine, (0, 0), _AROUND_MM / pixel)
    window = 2 * round(_TEXTURE_MM / pixel / 2) + 1
    size_of = np.abs(height)
    # once more without the spots themselves, which stand far out
    typical = cv2.blur(size_of, (window, window))
    texture = 1.2533 * cv2.blur(np.minimum(size_of, 2 * typical), (window, window)) + 1e-6
    inside = np.ascontiguousarray(breast).view(np.uint8)
    where = cv2.resize(inside, (fine.shape[1], fine.shape[0]), interpolation=cv2.INTER_NEAREST)
    found = (height > LEAST_CONTRAST * texture) & (where > 0)
    found[[0, -1]] = found[:, [0, -1]] = False
    rows, columns = np.nonzero(found)
    top = np.ones(len(rows), bool)
    for dy, dx in ((-1, -1), (-1, 0), (-1, 1), (0, -1)):
        top &= height[rows, columns] > height[rows + dy, columns + dx]
        top &= height[rows, columns] >= height[rows - dy, columns - dx]
    rows, columns = rows[top], columns[top]
    keep = _roundness(peak, rows, columns) >= _LEAST_ROUNDNESS
    rows, columns = rows[keep], columns[keep]
    contrast = height[rows, columns] / texture[rows, columns]
    x, y = ((places + 0.5) * step + start * ratio for places, start in ((columns, column0), (rows, row0)))
    return Spots(np.asarray(x, np.float64), np.asarray(y, np.float64), contrast)


def crowded(spots: Spots, shape: tuple[int, int], pixel_size: int, spacing_mm: float) -> NDArray[np.bool_]:
    """Where at least five spots lie within one square centimetre, with 5 mm around them.

    Parameters
    ----------
    spots : Spots
    shape : tuple of int
        (rows, columns) of the result.
    pixel_size : int
        Full-resolution pixels along a pixel of the result.
    spacing_mm : float
        Of the full image.
    """
    count = np.zeros(shape, np.float32)
    row = np.clip((spots.y / pixel_size).astype(int), 0, shape[0] - 1)
    column = np.clip((spots.x / pixel_size).astype(int), 0, shape[1] - 1)
    np.add.at(count, (row, column), 1)
    side = max(1, 2 * round(CROWD_AREA_MM / (spacing_mm * pixel_size) / 2) + 1)
    # a square centimetre around each pixel; every pixel of a crowded square is left out
    total = cv2.boxFilter(count, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    crowd = (total > CROWD - 0.5).astype(np.uint8)
    return cv2.dilate(crowd, np.ones((side, side), np.uint8)) > 0


def _roundness(peak: NDArray[Any], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Smaller by larger curvature at each place; 0 for a ridge or a saddle."""

    def at(dy: int, dx: int) -> NDArray[np.float64]:
        return np.asarray(peak[rows + dy, columns + dx], dtype=np.float64)

    xx = at(0, 1) - 2 * at(0, 0) + at(0, -1)
    yy = at(1, 0) - 2 * at(0, 0) + at(-1, 0)
    xy = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
    middle, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    steep, shallow = middle - spread, middle + spread
    return np.where(shallow < 0, shallow / np.minimum(steep, -1e-9), 0.0)
