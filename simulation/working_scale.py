"""A host at about 0.4 mm pixels, where its anatomy is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_COARSEST_MM = 0.45


@dataclass(frozen=True)
class WorkingScale:
    """How a full image and its reduced copy lie over each other.

    Attributes
    ----------
    step : int
        Full pixels along a reduced pixel; a power of two. The last reduced pixels reach beyond the image where its
        sides are no multiples.
    shape : tuple of int
        (rows, columns) of the full image.
    """

    step: int
    shape: tuple[int, int]

    @classmethod
    def of(cls, shape: tuple[int, int], spacing_mm: float) -> WorkingScale:
        """The coarsest scale whose pixels are not above 0.45 mm."""
        step = 1
        while spacing_mm * step * 2 <= _COARSEST_MM:
            step *= 2
        return cls(step, shape)

    def reduce(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Mean over blocks; the last rows and columns are repeated to fill the last block."""
        rows, columns = self.shape
        filled: NDArray[Any] = cv2.copyMakeBorder(
            image, 0, -rows % self.step, 0, -columns % self.step, cv2.BORDER_REPLICATE
        )
        side = self.step
        while side > 1:  # halving is many times faster than one large reduction
            size = (filled.shape[1] // 2, filled.shape[0] // 2)
            filled = cv2.resize(filled, size, interpolation=cv2.INTER_AREA)
            if side == self.step:
                filled = filled.astype(np.float32)
            side //= 2
        return filled.astype(np.float32, copy=False)

    def enlarge(self, mask: NDArray[np.bool_], *, smooth: bool = False) -> NDArray[np.bool_]:
        """A reduced mask at full size; `smooth` interpolates its border, else a pixel becomes a block."""
        rows, columns = self.shape
        size = (mask.shape[1] * self.step, mask.shape[0] * self.step)
        values: NDArray[Any] = mask.view(np.uint8) * np.uint8(255)
        if self.step > 1:
            values = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST)
        return np.ascontiguousarray(values[:rows, :columns] >= 128)
