"""The pectoral muscle of an oblique view: a bright triangle at the chest wall, told by its border."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from simulation.filters import block_mean

SEARCH_MM = 0.8
MARGIN_MM = 3.0
_EDGE_SIGMA_MM = 2.0
_BAND_MM = 12.0
_TIP_MM = 8.0
_LEAST_SCORE = 0.8
_LEAST_FALLING = 0.75
# Of the breast's width, at its upper end.
_WIDEST = 0.75
# Part of the breast's height and width that is left out where no border is found.
_WEDGE = (0.40, 0.50)

Found = Literal["line", "corner"]


@dataclass(frozen=True, eq=False)
class Pectoral:
    """Result of `find_pectoral`.

    Attributes
    ----------
    mask : ndarray of bool, shape (rows, columns)
        The muscle with 3 mm around it.
    found : {"line", "corner"}
        "corner": no border was found with confidence and a wedge of the corner is left out instead.
    score : float
        Mean fall of brightness along the best line in robust standard deviations, at most 3.
    falling : float
        Part of the line along which brightness falls.
    """

    mask: NDArray[np.bool_]
    found: Found
    score: float
    falling: float


def find_pectoral(image: NDArray[Any], breast: NDArray[np.bool_], spacing_mm: float) -> Pectoral:
    """Find the muscle: the straight line with the steepest fall of brightness away from the chest wall, then the path
    of steepest fall near that line.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
        Low-energy image, chest wall on the left, feet at the bottom.
    breast : ndarray of bool, same shape
    spacing_mm : float
        Pixel size, about 0.4 mm is enough.
    """
    rows, columns = np.flatnonzero(breast.any(1)), np.flatnonzero(breast.any(0))
    row0, row1, column0, column1 = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    step = max(1, round(SEARCH_MM / spacing_mm))
    size = spacing_mm * step
    inside = breast[row0:row1, column0:column1]
    level = float(np.median(image[row0:row1, column0:column1][inside]))
    # beyond the skin the picture goes on at a middle level, so that the skin is no border
    filled = np.where(inside, image[row0:row1, column0:column1], level).astype(np.float32)
    small = block_mean(filled, step)
    fall = -ndimage.gaussian_filter(small, (1.0 / size, _EDGE_SIGMA_MM / size), order=(0, 1), mode="nearest")
    tissue = block_mean(inside.astype(np.float32), step) > 0.99
    spread = 1.4826 * float(np.median(np.abs(fall[tissue]))) if tissue.any() else 0.0
    steep = np.clip(fall / max(spread, 1e-6), -3, 3) * tissue
    length, angle, score, falling = _best_line(steep, tissue)
    sure = spread > 0 and score >= _LEAST_SCORE and falling >= _LEAST_FALLING
    muscle: NDArray[Any] = np.zeros(small.shape, np.uint8)
    if length > 0:
        border = _path(steep, length, angle, max(2, round(_BAND_MM / size)), max(1, round(_TIP_MM / size)))
        muscle[: len(border)] = np.arange(small.shape[1])[None, :] <= border[:, None]
    if not sure:  # whichever reaches further: the wedge, or the best guess of the border
        y, x = np.ogrid[: small.shape[0], : small.shape[1]]
        muscle[y / (_WEDGE[0] * small.shape[0]) + x / (_WEDGE[1] * small.shape[1]) < 1] = 1
    reach = 2 * int(np.ceil(MARGIN_MM / size)) + 1
    muscle = cv2.dilate(muscle, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    result = np.zeros(breast.shape, bool)
    enlarged = muscle.repeat(step, 0).repeat(step, 1)[: row1 - row0, : column1 - column0]
    result[row0:row1, column0:column1] = enlarged > 0
    result[:row0, :column1] = result[row0, :column1]
    result[:, :column0] = result[:, column0 : column0 + 1]
    return Pectoral(result, "line" if sure else "corner", score, falling)


def _best_line(steep: NDArray[Any], tissue: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """(length along the chest wall, angle to it, score, falling part) of the best line, in pixels and radians."""
    rows, columns = steep.shape
    angles = np.deg2rad(np.arange(8, 51, 2.5))
    lengths = np.linspace(0.18, 0.95, 36) * rows
    angle, length = (grid.ravel()[:, None] for grid in np.meshgrid(angles, lengths, indexing="ij"))
    along = np.arange(rows)[None, :]
    across = (length - along) * np.tan(angle)
    # the muscle leaves the picture at the top, and room for the breast beside it
    used = (along >= 2) & (across > 2) & (length * np.tan(angle) < _WIDEST * columns)
    column = np.clip(across, 0, columns - 1).astype(int)
    used &= tissue[along, column]
    values = np.where(used, steep[along, column], 0)
    count = used.sum(1)
    # short lines are steep by chance
    score = values.sum(1) / (count + 0.15 * rows)
    score[count < 0.12 * rows] = -np.inf
    best = int(np.argmax(score))
    if not np.isfinite(score[best]):
        return 0.0, 0.0, 0.0, 0.0
    falling = float((values[best][used[best]] > 0).mean())
    return float(length[best, 0]), float(angle[best, 0]), float(values[best].sum() / count[best]), falling


def _path(steep: NDArray[Any], length: float, angle: float, band: int, tip_width: int) -> NDArray[np.intp]:
    """Column of the border in each row from the top to where the muscle leaves the chest wall."""
    columns = steep.shape[1]
    rows = min(int(length), steep.shape[0])
    straight = np.round((length - np.arange(rows)) * np.tan(angle)).astype(int)
    offsets = np.arange(-band, band + 1)
    where = straight[:, None] + offsets[None, :]
    gain = np.where(
        (where >= 0) & (where < columns), steep[np.arange(rows)[:, None], np.clip(where, 0, columns - 1)], 0
    )
    gain = gain - 0.02 * np.abs(offsets)[None, :]
    total = gain[0].astype(np.float64)
    steps = np.zeros((rows, len(offsets)), np.int8)
    for row in range(1, rows):
        padded = np.pad(total, 1, constant_values=-1e9)
        options = np.stack([padded[:-2] - 0.15, padded[1:-1], padded[2:] - 0.15])
        choice = options.argmax(0)
        steps[row] = choice - 1
        total = options.max(0) + gain[row]
    path = np.empty(rows, np.intp)
    current = int(total.argmax())
    for row in range(rows - 1, -1, -1):
        path[row] = straight[row] + offsets[current]
        current = int(np.clip(current + steps[row, current], 0, len(offsets) - 1))
    path = np.maximum(path, straight)
    # the tip often fades into gland: below the line it goes on twice as steep, at least `tip_width` wide at its start
    slope, start = np.tan(angle) / 2, max(int(path[-1]), tip_width)
    tip = start - np.round(np.arange(1, int(start / slope) + 1) * slope).astype(int)
    border = np.concatenate([path, tip])[: steep.shape[0]]
    # the muscle narrows downwards; where the course bends in, the wider one is kept
    return np.maximum.accumulate(border[::-1])[::-1]
