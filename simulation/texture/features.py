"""Radiomics features of cells, computed by pyradiomics on pre-cropped cells.

The mask is padded by one pixel: pyradiomics takes a mask without background for one without a label.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from simulation.texture.grid import Cell

# (class, feature) in the order of the columns
FEATURES: tuple[tuple[str, str], ...] = (
    ("firstorder", "Mean"),
    ("firstorder", "Entropy"),
    ("firstorder", "Variance"),
    ("glcm", "Contrast"),
    ("glcm", "Idm"),
    ("glszm", "SmallAreaEmphasis"),
    ("gldm", "LargeDependenceEmphasis"),
)
FEATURE_NAMES: tuple[str, ...] = tuple(f"{family}_{name}" for family, name in FEATURES)


def cell_features(image: NDArray[Any], cells: Sequence[Cell], *, bin_count: int) -> NDArray[np.float64]:
    """Features of each cell.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        Low-energy stored values.
    cells : sequence of Cell
    bin_count : int
        Grey levels between the minimum and the maximum of a cell (pyradiomics ``binCount``).

    Returns
    -------
    ndarray of float64, shape (cells, features)
        Columns as in `FEATURE_NAMES`.
    """
    families = _feature_classes()
    result = np.empty((len(cells), len(FEATURES)))
    for row, cell in enumerate(cells):
        patch = np.pad(np.asarray(image[cell.slices], dtype=np.float64), 1, mode="edge")
        inside = np.zeros(patch.shape, np.uint8)
        inside[1:-1, 1:-1] = 1
        # a third axis of length one: pyradiomics works on volumes
        volume, mask = sitk.GetImageFromArray(patch[None]), sitk.GetImageFromArray(inside[None])
        values: dict[tuple[str, str], float] = {}
        for family, feature_class in families.items():
            calculator = feature_class(volume, mask, binCount=bin_count, force2D=True, force2Ddimension=0, label=1)
            for _, name in (item for item in FEATURES if item[0] == family):
                calculator.enableFeatureByName(name)
            for name, value in calculator.execute().items():
                values[family, name] = float(np.asarray(value))
        result[row] = [values[feature] for feature in FEATURES]
    return result


def _feature_classes() -> dict[str, Any]:
    # imported on first use: the library is heavy and pages that only read settings do without it
    from radiomics import firstorder, glcm, gldm, glszm

    logging.getLogger("radiomics").setLevel(logging.ERROR)
    return {
        "firstorder": firstorder.RadiomicsFirstOrder,
        "glcm": glcm.RadiomicsGLCM,
        "glszm": glszm.RadiomicsGLSZM,
        "gldm": gldm.RadiomicsGLDM,
    }
