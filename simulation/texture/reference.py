"""The same features by pyradiomics itself: the reference that tests and benchmarks compare with."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FAMILIES = ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")


def extractor(*, bin_width: float = 25.0, bin_count: int | None = None) -> Any:
    """A ``RadiomicsFeatureExtractor`` with the 93 features of a plane."""
    # imported on first use: only verification needs it
    from radiomics import featureextractor

    logging.getLogger("radiomics").setLevel(logging.ERROR)
    bins = {"binWidth": bin_width} if bin_count is None else {"binCount": bin_count}
    made = featureextractor.RadiomicsFeatureExtractor(force2D=True, force2Ddimension=0, additionalInfo=False, **bins)
    made.disableAllFeatures()
    for family in FAMILIES:
        made.enableFeatureClassByName(family)
    return made


def volume(plane: NDArray[Any], spacing: Sequence[float] = (1.0, 1.0)) -> Any:
    """A plane as a SimpleITK volume one voxel (of 1) deep."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(plane[None])
    image.SetSpacing((float(spacing[1]), float(spacing[0]), 1.0))
    return image


def padded_mask(height: int, width: int) -> NDArray[np.uint8]:
    """Mask of a cell with a border of one pixel: pyradiomics takes a mask without background for an empty one."""
    return np.pad(np.ones((height, width), np.uint8), 1)


def pyradiomics_features(
    image: NDArray[Any],
    cells: NDArray[np.int64],
    *,
    bin_width: float,
    bin_count: int | None,
    spacing: Sequence[float],
) -> NDArray[np.float64]:
    """Features of each cell by the extractor on the cropped cell; float64, shape (cells, 93)."""
    from simulation.texture.features import FEATURE_NAMES

    made = extractor(bin_width=bin_width, bin_count=bin_count)
    values = np.empty((len(cells), len(FEATURE_NAMES)))
    for index, (row, column, height, width) in enumerate(cells.tolist()):
        patch = np.pad(image[row : row + height, column : column + width].astype(np.float64), 1, mode="edge")
        found = made.execute(volume(patch, spacing), volume(padded_mask(height, width), spacing))
        values[index] = [float(np.asarray(found[name])) for name in FEATURE_NAMES]
    return values
