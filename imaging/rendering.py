"""Showing stored values: display windows, 8-bit pictures and thumbnails."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.stored_image import StoredImage, VoiLut, VoiWindow

Voi = VoiWindow | VoiLut

_SAMPLE = 1_000_000  # pixels that are enough for percentiles


def display_window(pixels: NDArray[Any], bits_stored: int, *, voi: VoiWindow | None = None) -> tuple[float, float]:
    """Stored values that are shown black and white.

    Parameters
    ----------
    pixels : ndarray, shape (rows, columns)
    bits_stored : int
    voi : VoiWindow, optional
        The window of the file; it is followed when given (for a sigmoid: its centre ± half its width).

    Returns
    -------
    tuple of float
        (low, high) with low < high. Without ``voi``: the 1st and 99.8th percentile of the pixels above the darkest
        value, which leaves the empty background out.
    """
    if voi is not None:
        if voi.function == "LINEAR":
            half, centre = (voi.width - 1) / 2, voi.centre - 0.5
        else:
            half, centre = voi.width / 2, voi.centre
        half = max(half, 0.5)
        return centre - half, centre + half
    step = max(1, int(np.sqrt(pixels.size / _SAMPLE)))
    sample = pixels[::step, ::step]
    bright = sample[sample > sample.min()] if sample.size else sample
    if not bright.size:
        return 0.0, float(2**bits_stored - 1)
    low, high = (float(value) for value in np.percentile(bright, (1, 99.8)))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def to_uint8(
    pixels: NDArray[Any],
    window: tuple[float, float] | None = None,
    *,
    bits_stored: int | None = None,
    voi: Voi | None = None,
) -> NDArray[np.uint8]:
    """Stored values as a picture of 256 grey levels.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16
    window : tuple of float, optional
        (low, high) shown black and white.
    bits_stored : int, optional
        Needed when no window is given.
    voi : VoiWindow or VoiLut, optional
        The display transform of the file (linear, sigmoid or table); goes before ``window``.

    Returns
    -------
    ndarray of uint8, same shape

    Raises
    ------
    ValueError
        If neither window, voi nor bits_stored is given.
    """
    size = 256 if pixels.dtype == np.uint8 else 65_536
    values = np.arange(size, dtype=np.float64)
    if voi is not None:
        brightness = _apply(voi, values)
    else:
        if window is None:
            if bits_stored is None:
                raise ValueError("a window, a VOI transform or the number of bits stored is needed")
            window = display_window(pixels, bits_stored)
        low, high = window
        brightness = (values - low) / max(high - low, 1e-9)
    table = np.rint(brightness.clip(0, 1) * 255).astype(np.uint8)
    return table[pixels]


def picture(image: StoredImage) -> NDArray[np.uint8]:
    """An image as its file wants it shown: first VOI table, else first window, else a window from its values."""
    return to_uint8(image.pixels, bits_stored=image.bits_stored, voi=_shown_by(image))


def thumbnail_of(image: StoredImage, size: tuple[int, int]) -> bytes:
    """A small picture of an image in a box of fixed size.

    Parameters
    ----------
    image : StoredImage
    size : tuple of int
        (width, height) of the box; the aspect of the image is kept, the rest is black.

    Returns
    -------
    bytes
        PNG, 8-bit grey.
    """
    shrunk = _fit(image.pixels, size)
    shown = to_uint8(shrunk, bits_stored=image.bits_stored, voi=_shown_by(image))
    width, height = size
    box = np.zeros((height, width), dtype=np.uint8)
    top, left = (height - shown.shape[0]) // 2, (width - shown.shape[1]) // 2
    box[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    written, data = cv2.imencode(".png", box, [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not written:
        raise ValueError("the thumbnail could not be encoded")
    return data.tobytes()


def _shown_by(image: StoredImage) -> Voi | None:
    return image.luts[0] if image.luts else (image.windows[0] if image.windows else None)


def _fit(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    width, height = size
    if width < 1 or height < 1:
        raise ValueError(f"a thumbnail needs at least one pixel, not {width} × {height}")
    rows, columns = pixels.shape
    scale = min(height / rows, width / columns)
    target = (max(1, min(width, round(columns * scale))), max(1, min(height, round(rows * scale))))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(pixels), target, interpolation=method)


def _apply(voi: Voi, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Brightness in [0, 1] for each value (PS3.3 C.11.2.1.1 to C.11.2.1.3)."""
    if isinstance(voi, VoiLut):
        index = (values - voi.first).round().clip(0, len(voi.brightness) - 1).astype(np.int64)
        return voi.brightness[index].astype(np.float64)
    if voi.function == "SIGMOID":
        exponent = np.clip(-4 * (values - voi.centre) / voi.width, -700, 700)
        return 1 / (1 + np.exp(exponent))
    if voi.function == "LINEAR_EXACT":
        return (values - voi.centre) / voi.width + 0.5
    if voi.width <= 1:
        return (values > voi.centre - 0.5).astype(np.float64)
    return (values - (voi.centre - 0.5)) / (voi.width - 1) + 0.5
