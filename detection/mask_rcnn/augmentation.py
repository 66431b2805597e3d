"""Random flip, scale and shear of a training tile, exact for image and outlines alike.

Horizontal flip and scale and shear per axis without rotation or translation, edge pixels repeated, as in the
code released with Van Camp et al.; vertical flip as in that of Beuque et al. No intensity change.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from detection.configuration import MaskRCNNConfiguration

Affine = NDArray[np.float64]
"""Shape (2, 3): maps continuous (x, y, 1) of the tile to continuous (x, y)."""

IDENTITY: Affine = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def random_affine(shape: tuple[int, int], configuration: MaskRCNNConfiguration, rng: np.random.Generator) -> Affine:
    """Draw a transformation about the centre of a tile of `shape` (rows, columns)."""
    linear = np.eye(2)
    if rng.random() < configuration.affine_probability:
        scale = 1 + rng.uniform(-configuration.scale_range, configuration.scale_range, size=2)
        shear = rng.uniform(-configuration.shear_range, configuration.shear_range, size=2)
        linear = np.array([[1.0, shear[0]], [shear[1], 1.0]]) @ np.diag(scale)
    if rng.random() < configuration.flip_probability:
        linear = np.diag([-1.0, 1.0]) @ linear
    if configuration.vertical_flip_probability and rng.random() < configuration.vertical_flip_probability:
        linear = np.diag([1.0, -1.0]) @ linear
    centre = np.array([shape[1] / 2, shape[0] / 2])
    return np.column_stack([linear, centre - linear @ centre])


def apply_to_points(affine: Affine, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Transform (x, y) points, shape (n, 2)."""
    moved: NDArray[np.float64] = points @ affine[:, :2].T + affine[:, 2]
    return moved


def apply_to_image(affine: Affine, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Transform an image, shape (rows, columns, 3), bilinear, keeping its size."""
    if np.array_equal(affine, IDENTITY):
        return np.ascontiguousarray(pixels)
    # OpenCV counts from pixel centres, the project from pixel corners.
    indexed = affine.copy()
    indexed[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5
    rows, columns = pixels.shape[:2]
    moved = cv2.warpAffine(
        np.ascontiguousarray(pixels),
        indexed,
        (columns, rows),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved, dtype=np.uint8)
