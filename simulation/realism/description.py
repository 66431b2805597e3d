"""What the realism measures need to know of one lesion, taken from its image in one pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from imaging.breast import breast_mask
from imaging.errors import ImagingError
from simulation.cluster_measurement import MeasuredCluster, Spot, measure_cluster
from simulation.contrast_to_noise import local_noise
from simulation.errors import UnreadableLesions
from simulation.lesion_table import LesionRow, load
from simulation.realism.gabor import FREQUENCIES_LP_MM, response_kurtosis
from simulation.realism.power_spectrum import power_law_slope
from simulation.realism.shortcuts import shortcut_features
from simulation.texture.features import cell_features
from simulation.vendor import PROFILES

ROI_MM = 12.8
BIN_COUNT = 32
PATCH_MM = 2.0
SPOT_FEATURES = (
    "peak contrast",
    "contrast to noise",
    "area",
    "full width at half maximum",
    "edge gradient",
    "elongation",
    "background level",
    "background deviation",
    "skewness",
    "kurtosis",
    "undershoot",
    "fine noise",
)
Cell = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Description:
    """One lesion.

    Attributes
    ----------
    patient : str
    bits_stored : int
    spacing_mm : float
    cluster : MeasuredCluster
    spots : ndarray of float64, shape (calcifications, 12)
        Columns as `SPOT_FEATURES`.
    texture : ndarray of float64, shape (93,)
        Radiomics features of the 12.8 mm square around the lesion.
    texture_names : tuple of str
    slope_inside, slope_outside : float
        Of the power spectrum on that square, and on the nearest one beside the lesion; NaN where there is none.
    kurtosis : tuple of float
        Of Gabor responses beside the lesion at each of `gabor.FREQUENCIES_LP_MM`.
    shortcuts : dict of str to float
        See `shortcuts.shortcut_features`.
    """

    patient: str
    bits_stored: int
    spacing_mm: float
    cluster: MeasuredCluster
    spots: NDArray[np.float64]
    texture: NDArray[np.float64]
    texture_names: tuple[str, ...]
    slope_inside: float
    slope_outside: float
    kurtosis: tuple[float, ...]
    shortcuts: dict[str, float]


def describe(
    image: NDArray[Any],
    mask: NDArray[np.bool_],
    *,
    spacing_mm: float,
    patient: str,
    bits_stored: int,
    vendor: str = "unknown",
) -> Description:
    """Describe the lesion inside an outline on a low-energy image.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        The whole view, brighter = denser.
    mask : ndarray of bool, same shape
    spacing_mm : float
    patient : str
    bits_stored : int
    vendor : str
        Profile key; a known MTF is taken out of the diameters.

    Raises
    ------
    ValueError
        If the outline is empty or the image is smaller than the 12.8 mm square.
    """
    profile = PROFILES.get(vendor) if vendor != "unknown" else None
    cluster = measure_cluster(image, mask, spacing_mm, profile)
    breast = _breast(image)
    square = _square(mask, spacing_mm)
    beside = _beside(square, mask, breast, image.shape)
    features = cell_features(image, [square], bin_count=BIN_COUNT)
    kurtosis: tuple[float, ...] = (float("nan"),) * len(FREQUENCIES_LP_MM)
    outside = float("nan")
    if beside is not None:
        patch = image[_slices(beside)]
        outside = power_law_slope(patch, spacing_mm)
        kurtosis = tuple(response_kurtosis(patch, spacing_mm))
    return Description(
        patient,
        bits_stored,
        spacing_mm,
        cluster,
        np.array([spot_features(image, spot, spacing_mm) for spot in cluster.spots]).reshape(-1, len(SPOT_FEATURES)),
        features.values[0],
        features.names,
        power_law_slope(image[_slices(square)], spacing_mm),
        outside,
        kurtosis,
        shortcut_features(image, mask, breast),
    )


def describe_rows(rows: Iterable[LesionRow]) -> tuple[list[Description], list[dict[str, str]]]:
    """Describe the lesions of a list; those that cannot be measured are told with their reason.

    Returns
    -------
    descriptions : list of Description
    refused : list of dict
        ``lesion`` (line or file name) and ``reason``.
    """
    descriptions, refused = [], []
    for row in rows:
        try:
            view = load(row, "low_energy")
            if view.spacing_mm is None:
                raise UnreadableLesions("no pixel size is stated; give the column spacing_mm")
            descriptions.append(
                describe(
                    view.image,
                    view.mask,
                    spacing_mm=view.spacing_mm,
                    patient=row.patient,
                    bits_stored=view.bits_stored,
                    vendor=view.vendor,
                )
            )
        except (ValueError, UnreadableLesions) as error:
            refused.append({"lesion": row.name, "reason": str(error)})
    return descriptions, refused


def spot_features(image: NDArray[Any], spot: Spot, spacing_mm: float) -> list[float]:
    """The 12 `SPOT_FEATURES` of one calcification, on a patch of 2 mm around it."""
    half = max(4, round(PATCH_MM / 2 / spacing_mm))
    row, column = int(spot.y), int(spot.x)
    patch = image[max(row - half, 0) : row + half + 1, max(column - half, 0) : column + half + 1].astype(np.float64)
    y, x = np.indices(patch.shape)
    y, x = y - min(row, half), x - min(column, half)
    distance = np.hypot(y, x)
    around = distance > 0.6 * half
    background, deviation = float(np.median(patch[around])), float(patch[around].std())
    weights = np.where(~around, np.clip(patch - background, 0, None), 0)
    total = max(float(weights.sum()), 1e-9)
    covariance = np.array([[(weights * y * y).sum(), (weights * x * y).sum()], [0, (weights * x * x).sum()]]) / total
    covariance[1, 0] = covariance[0, 1]
    small, large = np.sqrt(np.clip(np.linalg.eigvalsh(covariance), 1e-6, None))
    rings = [float(patch[(distance >= r) & (distance < r + 1.5)].mean()) for r in range(1, half)]
    flat = patch.std() < 1e-9
    return [
        spot.peak_contrast,
        spot.contrast_to_noise,
        spot.area_mm2,
        spot.fwhm_mm,
        spot.edge_gradient,
        float(large / small),
        background,
        deviation,
        0.0 if flat else float(stats.skew(patch.ravel())),
        0.0 if flat else float(stats.kurtosis(patch.ravel())),
        (min(rings) - background) / spot.peak_contrast,
        local_noise(patch, spacing_mm, around),
    ]


def _breast(image: NDArray[Any]) -> NDArray[np.bool_]:
    try:
        return breast_mask(image)
    except ImagingError:  # a cut-out holds no air to find the outline with
        return np.asarray(image > 0, dtype=bool)


def _square(mask: NDArray[np.bool_], spacing_mm: float) -> Cell:
    side = max(32, 2 * round(ROI_MM / spacing_mm / 2))
    if min(mask.shape) < side:
        raise ValueError(f"the image is {mask.shape}; at least {side} pixels a side are needed around a lesion")
    y, x = ndimage.center_of_mass(mask)
    row = int(np.clip(round(y) - side // 2, 0, mask.shape[0] - side))
    column = int(np.clip(round(x) - side // 2, 0, mask.shape[1] - side))
    return row, column, side, side


def _beside(square: Cell, mask: NDArray[np.bool_], breast: NDArray[np.bool_], shape: tuple[int, ...]) -> Cell | None:
    """The nearest square of the same size that holds breast only and nothing of the lesion."""
    row, column, side, _ = square
    step = side // 4
    offsets = [(i * step, j * step) for i in range(-12, 13) for j in range(-12, 13) if max(abs(i), abs(j)) >= 2]
    for down, right in sorted(offsets, key=lambda offset: (offset[0] ** 2 + offset[1] ** 2, offset)):
        r, c = row + down, column + right
        if not (0 <= r <= shape[0] - side and 0 <= c <= shape[1] - side):
            continue
        cell = (r, c, side, side)
        if not mask[_slices(cell)].any() and breast[_slices(cell)].mean() > 0.99:
            return cell
    return None


def _slices(cell: Cell) -> tuple[slice, slice]:
    row, column, height, width = cell
    return slice(row, row + height), slice(column, column + width)
