"""Synthetic image minus its host, as an image of its own: grey where nothing changed.

The stored value is the difference plus an offset of 2^bits, in one bit more than the image has (16 at most).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from imaging import htj2k
from imaging.errors import PairMismatch
from webapp.cases.models import Image
from webapp.core import files
from webapp.viewer import dicom_json, frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW_SHARE = 0.25
"""Width of the window in which a difference opens, as a share of the image's own window."""


def bits(image: Image) -> int:
    """Bits stored of the difference image."""
    return min(image.bits_stored, 15) + 1


def offset(image: Image) -> int:
    """Stored value that means "unchanged"."""
    return int(2 ** (bits(image) - 1))


def window(image: Image) -> tuple[float, float]:
    """(low, high), the offset in the middle."""
    half = (image.window_high - image.window_low) * WINDOW_SHARE / 2
    return offset(image) - half, offset(image) + half


def difference(image: Image, host: Image) -> NDArray[Any]:
    """Synthetic minus host plus the offset.

    Returns
    -------
    ndarray of uint16, shape (rows, columns)

    Raises
    ------
    ImagingError
        If a file cannot be read or the two have different sizes.
    """
    import numpy as np

    changed, original = frames.pixels(image), frames.pixels(host)
    if changed.shape != original.shape:
        raise PairMismatch(
            f"The synthetic image is {changed.shape[0]} x {changed.shape[1]} pixels and its host "
            f"{original.shape[0]} x {original.shape[1]}: their difference cannot be shown."
        )
    shifted = changed.astype(np.int32) - original.astype(np.int32) + offset(image)
    return np.clip(shifted, 0, 2 * offset(image) - 1).astype(np.uint16)


def encoded(image: Image, host: Image) -> Path:
    """File with the difference as one lossless HTJ2K codestream, made on first use."""
    relative = f"frames/{image.sha256}-{host.sha256}.jph"
    path = files.absolute(relative)
    return path if path.is_file() else files.write(relative, htj2k.encode(difference(image, host)))


def rendered(image: Image, host: Image) -> Path:
    """File with the difference as an 8-bit PNG in its window, made on first use."""
    low, high = window(image)
    relative = f"rendered/{image.sha256}-{host.sha256}-{low:g}-{high:g}.png"
    path = files.absolute(relative)
    return path if path.is_file() else files.write(relative, frames.picture(difference(image, host), (low, high)))


def describe(image: Image) -> dict[str, Any]:
    """DICOM JSON of the difference frame."""
    low, high = window(image)
    return dicom_json.describe(image) | {
        "00080018": {"vr": "UI", "Value": [dicom_json.uid("difference", image.pk)]},
        "00280100": {"vr": "US", "Value": [16]},
        "00280101": {"vr": "US", "Value": [bits(image)]},
        "00280102": {"vr": "US", "Value": [bits(image) - 1]},
        "00281050": {"vr": "DS", "Value": [(low + high) / 2]},
        "00281051": {"vr": "DS", "Value": [high - low]},
    }
