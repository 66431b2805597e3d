"""Measuring the single calcifications inside the outline of a cluster on a low-energy image.

Bright spots are peaks of the scale-normalised Laplacian of Gaussian over its own noise; ridges (vessels, ligaments)
are told by the two curvatures. Sizes come from the area above half of the peak. The same measurement serves real
lesions (`simulation.fits`) and inserted ones (`simulation.realism`), so that its faults cancel in comparisons.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist
from skimage.feature import peak_local_max

from simulation.contrast_to_noise import RING_MM, contrast_to_noise
from simulation.enhancement import box_around
from simulation.vendor import VendorProfile

SCALES_MM = (0.09, 0.14, 0.21, 0.32)
THRESHOLD = 5.0
"""Peak of the Laplacian over its robust standard deviation."""
ROUNDNESS = 0.1
"""Smaller over larger curvature; below it the peak lies on a ridge."""
SURROUND_MM = 3.0
HALF_WINDOW_MM = 0.9


@dataclass(frozen=True)
class Spot:
    """One bright spot.

    Attributes
    ----------
    x, y : float
        Continuous pixels.
    peak_contrast : float
        Grey values above the local background.
    contrast_to_noise : float
        As `simulation.contrast_to_noise`.
    area_mm2 : float
        Above half of the peak.
    fwhm_mm : float
        Diameter of the circle of that area.
    diameter_mm : float
        The same with the blur of the system taken out.
    edge_gradient : float
        Largest gradient around the peak over the peak contrast, per mm.
    """

    x: float
    y: float
    peak_contrast: float
    contrast_to_noise: float
    area_mm2: float
    fwhm_mm: float
    diameter_mm: float
    edge_gradient: float


@dataclass(frozen=True)
class MeasuredCluster:
    """What was found inside one outline.

    Attributes
    ----------
    count : int
    diameter_mm : float
        Largest distance between two calcifications; 0 for fewer than two.
    nearest_mm : tuple of float
        Distance of each calcification to its nearest neighbour; empty for fewer than two.
    spots : tuple of Spot
    spacing_mm : float
    """

    count: int
    diameter_mm: float
    nearest_mm: tuple[float, ...]
    spots: tuple[Spot, ...]
    spacing_mm: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def measure_cluster(
    low_energy: NDArray[Any],
    mask: NDArray[np.bool_],
    spacing_mm: float,
    profile: VendorProfile | None = None,
    *,
    threshold: float = THRESHOLD,
) -> MeasuredCluster:
    """Find and measure the calcifications inside the outline of a cluster.

    Parameters
    ----------
    low_energy : ndarray, shape (rows, columns)
        Stored values, brighter = denser.
    mask : ndarray of bool, same shape
        Outline of the cluster.
    spacing_mm : float
        Pixel size.
    profile : VendorProfile, optional
        Its MTF gives the blur that is taken out of the diameters; without it the pixel is.
    threshold : float
        See `THRESHOLD`.

    Raises
    ------
    ValueError
        If mask and image differ in shape, or the mask is empty.
    """
    if low_energy.shape != mask.shape:
        raise ValueError(f"the outline is {mask.shape} and the image {low_energy.shape}; they must agree")
    if not mask.any():
        raise ValueError("the outline of the cluster is empty")
    box = box_around(mask, int(np.ceil(SURROUND_MM / spacing_mm)) + 2)
    image, inside = low_energy[box].astype(np.float32), mask[box]
    blur = blur_fwhm_mm(profile, spacing_mm)
    taken = np.zeros(image.shape, bool)
    found = []
    for row, column in _peaks(image, inside, spacing_mm, threshold):
        # a second peak on a spot that was measured is the same calcification
        if not taken[row, column] and (spot := _measure_spot(image, row, column, spacing_mm, blur, taken)) is not None:
            found.append(spot)
    spots = tuple(replace(spot, x=spot.x + box[1].start, y=spot.y + box[0].start) for spot in found)
    places = np.array([(spot.x, spot.y) for spot in spots]).reshape(-1, 2) * spacing_mm
    if len(spots) < 2:
        return MeasuredCluster(len(spots), 0.0, (), spots, spacing_mm)
    nearest = KDTree(places).query(places, k=2)[0][:, 1]
    return MeasuredCluster(
        len(spots), float(pdist(places).max()), tuple(float(value) for value in nearest), spots, spacing_mm
    )


def blur_fwhm_mm(profile: VendorProfile | None, spacing_mm: float) -> float:
    """Full width at half maximum of the point spread: of a Gaussian with the same MTF at 2 lp/mm, or of the pixel."""
    if profile is None:
        return spacing_mm
    sigma = float(np.sqrt(-np.log(profile.mtf[1]) / (2 * np.pi**2 * 2.0**2)))
    return max(2.355 * sigma, spacing_mm)


def _peaks(
    image: NDArray[np.float32], inside: NDArray[np.bool_], spacing_mm: float, threshold: float
) -> list[tuple[int, int]]:
    """(row, column) of bright spots inside the outline, strongest first."""
    near = ndimage.distance_transform_edt(~inside) <= SURROUND_MM / spacing_mm
    tissue = near & (image > 0)
    strength = np.full(image.shape, -np.inf, np.float32)
    roundness = np.zeros(image.shape, np.float32)
    for sigma in sorted({max(scale / spacing_mm, 0.8) for scale in SCALES_MM}):
        yy = ndimage.gaussian_filter(image, sigma, order=(2, 0))
        xx = ndimage.gaussian_filter(image, sigma, order=(0, 2))
        xy = ndimage.gaussian_filter(image, sigma, order=(1, 1))
        response = -(xx + yy)
        values = response[tissue]
        noise = 1.4826 * float(np.median(np.abs(values - np.median(values))))
        found = response / max(noise, 1e-6)
        split = np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
        weak, strong = -(xx + yy) / 2 - split, -(xx + yy) / 2 + split
        better = found > strength
        strength[better] = found[better]
        roundness[better] = (weak / np.maximum(strong, 1e-6))[better]
    distance = max(1, round(0.2 / spacing_mm))
    places = peak_local_max(
        np.where(np.isfinite(strength), strength, 0),
        min_distance=distance,
        threshold_abs=threshold,
        exclude_border=False,
    )
    return [(int(r), int(c)) for r, c in places if inside[r, c] and roundness[r, c] >= ROUNDNESS]


def _measure_spot(
    image: NDArray[np.float32], row: int, column: int, spacing_mm: float, blur_mm: float, taken: NDArray[np.bool_]
) -> Spot | None:
    """Measure one spot and mark its pixels as taken.

    None where its surroundings reach beyond the image, or it is no brighter than they are.
    """
    half = max(2, round(HALF_WINDOW_MM / spacing_mm))
    try:
        ratio = contrast_to_noise(image, column + 0.5, row + 0.5, spacing_mm)
    except ValueError:
        return None
    outer = max(half, int(np.ceil(RING_MM[1] / spacing_mm)))
    around = image[max(row - outer, 0) : row + outer + 1, max(column - outer, 0) : column + outer + 1]
    background = float(np.median(around))
    top, left = max(row - half, 0), max(column - half, 0)
    window = image[top : row + half + 1, left : column + half + 1] - np.float32(background)
    r, c = row - top, column - left
    close = window[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2]
    peak = float(close.max())
    if peak <= 0:
        return None
    labels, _ = ndimage.label(window >= peak / 2)
    top_row, top_column = np.unravel_index(int(close.argmax()), close.shape)
    blob = labels == labels[max(r - 1, 0) + top_row, max(c - 1, 0) + top_column]
    taken[top : row + half + 1, left : column + half + 1] |= blob
    weights = np.where(blob, window, 0)
    y, x = np.indices(window.shape)
    total = float(weights.sum())
    # whole pixels make areas of small spots coarse: the share of the border pixels is taken from their values
    area = float(np.clip(window / peak, 0, 1)[_ring_of(blob)].sum()) + float(blob.sum())
    area_mm2 = area * spacing_mm**2
    fwhm = 2 * float(np.sqrt(area_mm2 / np.pi))
    steepest = float(np.hypot(*np.gradient(window))[_ring_of(blob) | blob].max())
    return Spot(
        left + float((x * weights).sum()) / total + 0.5,
        top + float((y * weights).sum()) / total + 0.5,
        peak,
        ratio,
        area_mm2,
        fwhm,
        float(np.sqrt(max(fwhm**2 - blur_mm**2, (spacing_mm / 2) ** 2))),
        steepest / peak / spacing_mm,
    )


def _ring_of(blob: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(ndimage.binary_dilation(blob) & ~blob, dtype=bool)
