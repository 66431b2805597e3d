"""The grid of cells over the part of the breast that may take a cluster (S000, section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MINIMUM_CELL_PX = 32


@dataclass(frozen=True)
class Cell:
    """One square cell; rows and columns are half open."""

    row: int
    column: int
    size: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the cell in the image."""
        return slice(self.row, self.row + self.size), slice(self.column, self.column + self.size)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(row, column, height, width) in pixels."""
        return self.row, self.column, self.size, self.size

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in continuous pixels."""
        return self.column + self.size / 2, self.row + self.size / 2


def cell_size(cell_mm: float, spacing_mm: float) -> int:
    """Side of a cell in pixels: even, and at least 32 so that texture can be measured."""
    return max(MINIMUM_CELL_PX, 2 * round(cell_mm / spacing_mm / 2))


def cells_inside(permitted: NDArray[np.bool_], size: int, *, overlap: float, maximum: int) -> list[Cell]:
    """All cells of a regular grid that lie completely in the permitted area.

    Parameters
    ----------
    permitted : ndarray of bool, shape (rows, columns)
    size : int
        Side in pixels.
    overlap : float
        Shared part of neighbouring cells, 0 to below 1.
    maximum : int
        At most this many cells are kept, evenly spread in raster order.

    Returns
    -------
    list of Cell
        In raster order.
    """
    rows, columns = permitted.shape
    if rows < size or columns < size:
        return []
    step = max(1, round(size * (1 - overlap)))
    total: NDArray[Any] = cv2.integral(np.ascontiguousarray(permitted).view(np.uint8))
    row = np.arange(0, rows - size + 1, step)[:, None]
    column = np.arange(0, columns - size + 1, step)[None, :]
    inside = (
        total[row + size, column + size] - total[row, column + size] - total[row + size, column] + total[row, column]
    )
    found = np.argwhere(inside == size * size)
    if len(found) > maximum:
        found = found[np.linspace(0, len(found) - 1, maximum).round().astype(int)]
    return [Cell(int(r) * step, int(c) * step, size) for r, c in found]
