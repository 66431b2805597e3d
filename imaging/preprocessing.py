"""The published preprocessing of a CEM pair into three 8-bit channels.

Sources: Van Camp et al., IWBI 2024 (presets ``s000-cluster`` and ``s000-mass``); Beuque et al., Radiology 2023
(``s004``): breast mask, crop to its box, window to the 1st–99th percentile, 256 grey levels, CLAHE.

The papers cut 256 grey levels in as many passes over the image. Here every step that depends on a pixel's value alone
is one table over the stored values, and percentiles and Otsu's threshold are read from one histogram.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from imaging.breast import bounding_box, breast_mask, working_mask
from imaging.errors import BreastNotFound
from imaging.pair import CEMPair

ImageName = Literal["low_energy", "recombined"]
VERSION = 1
"""To be raised with every change after which a preset gives other pixels: prepared views are kept under it."""
LEVELS = 256
PERCENTILES = (1.0, 99.0)
# Otsu's mask is used when it holds this part of the breast; a bright implant or muscle can push it off the breast.
PLAUSIBLE_COVER = 0.9


@dataclass(frozen=True)
class Channel:
    """One output channel: which image, and the clip limit of its CLAHE."""

    image: ImageName
    clip_limit: float


@dataclass(frozen=True)
class Preset:
    """A published way to prepare a pair.

    Attributes
    ----------
    name, source : str
    channels : tuple of Channel
        In the order the network sees.
    tiles : int
        CLAHE tiles along each side.
    mask_from : {"low_energy", "recombined"}
        Image whose Otsu threshold gives the mask.
    """

    name: str
    source: str
    channels: tuple[Channel, Channel, Channel]
    tiles: int
    mask_from: ImageName


_S000 = "Van Camp et al., IWBI 2024, doi 10.1117/12.3026879"
PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "s000-cluster",
            _S000,
            (Channel("low_energy", 5.0), Channel("low_energy", 1.0), Channel("recombined", 5.0)),
            8,
            "low_energy",
        ),
        Preset(
            "s000-mass",
            _S000,
            (Channel("low_energy", 5.0), Channel("recombined", 1.0), Channel("recombined", 5.0)),
            8,
            "low_energy",
        ),
        Preset(
            "s004",
            "Beuque et al., Radiology 2023",
            (Channel("recombined", 1.0), Channel("recombined", 2.5), Channel("low_energy", 2.5)),
            16,
            "recombined",
        ),
    )
}


@dataclass(frozen=True, eq=False)
class Preprocessed:
    """A prepared pair.

    Attributes
    ----------
    channels : ndarray of uint8, shape (rows, columns, 3)
    crop : tuple of int
        (row0, row1, column0, column1) of the crop in the whole image, half open.
    mask_source : {"otsu", "breast"}
        Whether the published Otsu mask was used, or the breast mask of this package because Otsu's left out more than
        a tenth of the breast.
    windows : dict
        (low, high) percentiles per image, in stored values.
    """

    channels: NDArray[np.uint8]
    crop: tuple[int, int, int, int]
    mask_source: Literal["otsu", "breast"]
    windows: dict[ImageName, tuple[float, float]] = field(default_factory=dict)


def preprocess(pair: CEMPair, preset: str | Preset = "s000-cluster") -> Preprocessed:
    """Prepare a pair for a detector.

    Parameters
    ----------
    pair : CEMPair
    preset : str or Preset

    Returns
    -------
    Preprocessed

    Raises
    ------
    BreastNotFound
        If nothing stands out from the background.
    KeyError
        If the preset is unknown.
    """
    chosen = PRESETS[preset] if isinstance(preset, str) else preset
    images: dict[ImageName, NDArray[Any]] = {"low_energy": pair.low_energy, "recombined": pair.recombined}
    mask, source = _mask(images[chosen.mask_from])
    crop = _crop(mask, pair.recombined)
    row0, row1, column0, column1 = crop
    inside = np.ascontiguousarray(mask[row0:row1, column0:column1])
    levels: dict[ImageName, NDArray[np.uint8]] = {}
    windows: dict[ImageName, tuple[float, float]] = {}
    for name in dict.fromkeys(channel.image for channel in chosen.channels):
        part = np.ascontiguousarray(images[name][row0:row1, column0:column1])
        levels[name], windows[name] = _levels(part, inside)
    channels = [
        cv2.createCLAHE(clipLimit=channel.clip_limit, tileGridSize=(chosen.tiles, chosen.tiles)).apply(
            levels[channel.image]
        )
        for channel in chosen.channels
    ]
    return Preprocessed(np.dstack(channels), crop, source, windows)


def otsu_mask(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Published mask: values at or above Otsu's threshold, the outline of largest area, filled.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (rows, columns)

    Returns
    -------
    ndarray of uint8, shape (rows, columns)
        255 inside, 0 outside.
    """
    counts = _histogram(pixels, None)
    present = np.flatnonzero(counts)
    if present.size < 2:
        return np.zeros(pixels.shape, dtype=np.uint8)
    low, high = int(present[0]), int(present[-1])
    threshold = threshold_otsu(hist=(counts[low : high + 1], np.arange(low, high + 1)))
    foreground = (pixels >= threshold).view(np.uint8)
    outlines, _ = cv2.findContours(foreground, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    mask = np.zeros(pixels.shape, dtype=np.uint8)
    cv2.drawContours(mask, [max(outlines, key=cv2.contourArea)], -1, 255, cv2.FILLED)
    return mask


def _mask(pixels: NDArray[Any]) -> tuple[NDArray[np.uint8], Literal["otsu", "breast"]]:
    published = otsu_mask(pixels)
    breast, (top, bottom, left, right) = working_mask(pixels)
    rows, columns = breast.shape
    shrunk = cv2.resize(published[top:bottom, left:right], (columns, rows), interpolation=cv2.INTER_NEAREST)
    if cv2.countNonZero(shrunk[breast]) >= PLAUSIBLE_COVER * np.count_nonzero(breast):
        return published, "otsu"
    return breast_mask(pixels).view(np.uint8) * np.uint8(255), "breast"


def _crop(mask: NDArray[np.uint8], recombined: NDArray[Any]) -> tuple[int, int, int, int]:
    """Box of the mask pixels where the recombined image is not zero."""
    row0, row1, column0, column1 = bounding_box(mask)
    part = recombined[row0:row1, column0:column1]
    shown = cv2.bitwise_and((part > 0).view(np.uint8), mask[row0:row1, column0:column1])
    if not cv2.countNonZero(shown):
        raise BreastNotFound("The recombined image is empty where the breast lies. Check that the pair is complete.")
    left, top, width, height = cv2.boundingRect(shown)
    return row0 + top, row0 + top + height, column0 + left, column0 + left + width


def _levels(part: NDArray[Any], inside: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    counts = _histogram(part, inside)
    counts[0] = 0
    low, high = _percentiles(counts, PERCENTILES)
    values = np.arange(len(counts), dtype=np.float64).clip(low, high)
    extent = high - low
    if extent <= 0:
        return np.zeros(part.shape, dtype=np.uint8), (low, high)
    seen = np.flatnonzero(counts)
    distinct = len(np.unique(values[seen]))
    if distinct > LEVELS:
        table = np.minimum(np.floor((values - low) / extent * LEVELS), LEVELS - 1)
    else:
        table = np.rint((values - low) / extent * (LEVELS - 1))
    mapped = np.take(table.astype(np.uint8), part)
    return np.where(inside > 0, mapped, np.uint8(0)), (low, high)


def _histogram(pixels: NDArray[Any], mask: NDArray[np.uint8] | None) -> NDArray[np.int64]:
    # Only as many bins as the values need: small tables stay in the cache.
    size = 256 if pixels.dtype == np.uint8 else max(256, 1 << int(pixels.max()).bit_length())
    counts = cv2.calcHist([np.ascontiguousarray(pixels)], [0], mask, [size], [0, size])
    return counts.ravel().astype(np.int64)


def _percentiles(counts: NDArray[np.int64], percents: tuple[float, float]) -> tuple[float, float]:
    """Linearly interpolated percentiles of the values a histogram counts, as `numpy.percentile` gives them."""
    total = int(counts.sum())
    if not total:
        return 0.0, 0.0
    reached = np.cumsum(counts)
    result = []
    for percent in percents:
        position = (total - 1) * percent / 100
        below = int(np.floor(position))
        lower, upper = np.searchsorted(reached, [below + 1, min(below + 2, total)])
        result.append(float(lower + (upper - lower) * (position - below)))
    return result[0], result[1]
