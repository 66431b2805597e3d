"""Breast of a phantom: what its views share, and the outline, thickness and pectoral muscle of each view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from imaging.pair import ViewPosition
from simulation.filters import Image, block_mean
from simulation.phantom.fields import resize
from simulation.randomness import generator

GLANDULAR_FRACTION = {"a": 0.08, "b": 0.18, "c": 0.32, "d": 0.50}
# Grid on which the outline is drawn; its distance to the skin is smooth enough to be interpolated from there.
GEOMETRY_MM = 0.2
# Beyond the image the breast goes on: the distance to the skin is not cut at the chest wall or the upper edge.
_BEYOND_MM = 40.0


@dataclass(frozen=True)
class Breast:
    """What all views of one breast share; lengths in mm.

    Attributes
    ----------
    depth, half_height : float
        Chest wall to nipple, and half of the extent along the chest wall.
    taper, roundness : float
        Exponents of the outline across and along the chest wall; a small taper gives a conical breast.
    thickness : float
        Compressed thickness.
    density_class : {"a", "b", "c", "d"}
        BI-RADS composition.
    fat_rim : float
        Subcutaneous fat.
    droop : float
        Shift of the nipple towards the feet in the MLO view, as part of the half height.
    axilla : float
        Depth of the breast at the upper image edge of the MLO view, as part of `depth`.
    fold : float
        Depth of the inframammary fold in the MLO view.
    nipple_height : float
        How far the nipple stands out.
    pectoral_angle, pectoral_length : float
        Angle to the chest wall in radians, and part of the image height.
    parenchymal_iodine : float
        Background enhancement in mg/cm2 of pure gland.
    vessels : int
    """

    depth: float
    half_height: float
    taper: float
    roundness: float
    thickness: float
    density_class: str
    fat_rim: float
    droop: float
    axilla: float
    fold: float
    nipple_height: float
    pectoral_angle: float
    pectoral_length: float
    parenchymal_iodine: float
    vessels: int


@dataclass(frozen=True, eq=False)
class Outline:
    """Geometry of one view, chest wall at the left edge.

    Attributes
    ----------
    mask : ndarray of bool, shape (rows, columns)
    distance_mm : ndarray of float32
        From the skin line, 0 outside.
    thickness_cm : ndarray of float32
    pectoral : ndarray of float32
        0 to 1, soft edge; 0 in CC.
    nipple : tuple of float
        (x, y) in continuous pixels, at the base of the nipple.
    half_height_px : float
    """

    mask: NDArray[np.bool_]
    distance_mm: Image
    thickness_cm: Image
    pectoral: Image
    nipple: tuple[float, float]
    half_height_px: float


def draw_breast(seed: int) -> Breast:
    """Draw the breast of a patient (both sides of a patient are alike)."""
    rng = generator(seed, "breast")
    density = str(rng.choice(list(GLANDULAR_FRACTION), p=[0.12, 0.40, 0.36, 0.12]))
    return Breast(
        depth=float(rng.uniform(78, 112)),
        half_height=float(rng.uniform(72, 98)),
        taper=float(rng.uniform(1.45, 1.95)),
        roundness=float(rng.uniform(1.9, 2.3)),
        thickness=float(np.clip(rng.normal(52, 12), 25, 85)),
        density_class=density,
        fat_rim=float(rng.uniform(3, 9)),
        droop=float(rng.uniform(0.1, 0.3)),
        axilla=float(rng.uniform(0.35, 0.6)),
        fold=float(rng.uniform(0, 12)),
        nipple_height=float(rng.uniform(3, 7)),
        pectoral_angle=float(np.deg2rad(rng.uniform(15, 35))),
        pectoral_length=float(rng.uniform(0.35, 0.65)),
        parenchymal_iodine=float(rng.uniform(0.05, 0.3)),
        vessels=int(rng.integers(3, 9)),
    )


def outline(breast: Breast, view: ViewPosition, shape: tuple[int, int], spacing_mm: float) -> Outline:
    """Outline, thickness and pectoral muscle of one view.

    In CC a rounded cone; MLO sags, runs up to the axilla, ends below in the inframammary fold and carries the pectoral
    muscle. The distance to the skin comes from a Euclidean distance transform on a grid of about 0.2 mm.
    """
    finer = max(1, round(spacing_mm / GEOMETRY_MM))
    coarser = max(1, round(GEOMETRY_MM / spacing_mm))
    grid_mm = spacing_mm * coarser / finer
    rows, columns = (-(-side // coarser) * finer for side in shape)
    height_mm, width_mm = shape[0] * spacing_mm, shape[1] * spacing_mm
    field = float(np.hypot(height_mm, width_mm)) / 298  # same framing on larger detectors
    y = (np.arange(rows) + 0.5) * grid_mm
    x = (np.arange(columns) + 0.5) * grid_mm
    nipple_x = breast.depth * field
    nipple_y = height_mm * 0.5 if view == "CC" else height_mm * 0.56 + breast.droop * breast.half_height * field
    skin = _skin_line(breast, view, y, (nipple_x, nipple_y), height_mm, field, grid_mm)
    mask = x[None, :] < skin[:, None]
    distance = _signed_distance(mask, grid_mm, upper=view == "MLO")
    # near the skin the first-order distance to the curve: it has no steps
    slope = np.gradient(skin, grid_mm)[:, None]
    near = ((skin[:, None] - x[None, :]) / np.sqrt(1 + slope**2)).astype(np.float32)
    blend = np.clip((np.abs(distance) - 2) / 4, 0, 1)
    distance = np.asarray(near + blend * (distance - near), dtype=np.float32)
    pectoral: NDArray[Any] = np.zeros((rows, columns), np.float32)
    if view == "MLO":
        length = breast.pectoral_length * height_mm
        border = (length - y) * np.tan(breast.pectoral_angle)
        border -= 0.06 * length * np.sin(np.pi * np.clip(y / length, 0, 1))
        beside = np.clip((x[None, :] - border[:, None]) / 1.3, -30, 30).astype(np.float32)
        pectoral = np.asarray(1 / (1 + np.exp(beside)), dtype=np.float32)
    if finer > 1:
        distance, pectoral = block_mean(distance, finer), block_mean(pectoral.astype(np.float32), finer)
    distance, pectoral = resize(distance, shape, coarser), resize(pectoral, shape, coarser)
    inside = distance > 0
    distance = np.maximum(distance, 0)
    edge = np.minimum(distance / np.float32(0.4 * breast.thickness), 1)
    thickness = np.float32(breast.thickness / 10) * np.sqrt(edge * (2 - edge))
    return Outline(
        inside,
        distance,
        thickness,
        pectoral * inside,
        (nipple_x / spacing_mm, nipple_y / spacing_mm),
        breast.half_height * field / spacing_mm,
    )


def _skin_line(
    breast: Breast,
    view: ViewPosition,
    y: NDArray[Any],
    nipple: tuple[float, float],
    height_mm: float,
    field: float,
    grid_mm: float,
) -> NDArray[np.float64]:
    """Depth of the skin in mm for each row; below 0 where there is no breast."""
    depth, half = nipple[0], breast.half_height * field
    above = y < nipple[1]
    if view == "CC":
        reach = np.where(above, half, 0.97 * half)
        start = 0.0
    else:
        reach = np.where(above, 1.03 * nipple[1], min(1.05 * half, 0.95 * height_mm - nipple[1]))
        start = breast.axilla * depth
    part = np.abs(y - nipple[1]) / reach
    body = np.clip(1 - part**breast.roundness, 0, None) ** (1 / breast.taper)
    skin = np.where(above, start + (depth - start) * body, depth * body)
    if view == "MLO":
        fold = breast.fold / (1 + np.exp(-np.clip((part - 0.97) * reach / 3, -30, 30)))
        skin = np.where(above, skin, np.maximum(skin, fold))
    skin = ndimage.gaussian_filter1d(np.where((part < 1) | (view == "MLO"), skin, -1.0), 1.0 / grid_mm, mode="nearest")
    # the nipple in profile: a small knob
    return np.asarray(skin + breast.nipple_height * np.exp(-(((y - nipple[1]) / 5.0) ** 4)))


def _signed_distance(mask: NDArray[np.bool_], grid_mm: float, *, upper: bool) -> Image:
    """Distance from the skin in mm, positive inside, smooth on the scale of the grid."""
    beyond = int(_BEYOND_MM / grid_mm)
    padded = np.pad(mask, ((beyond if upper else 0, 0), (beyond, 1)), mode="edge").astype(np.uint8)
    inner = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    outer = cv2.distanceTransform(1 - padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    signed = cv2.GaussianBlur(inner - outer, (0, 0), 1.0)
    return np.asarray(signed[beyond if upper else 0 :, beyond:-1] * np.float32(grid_mm), dtype=np.float32)
