"""Frames, pictures and hanging of stored images, made once and kept under the data folder.

Everything here is derived from the stored file and named by its hash: the folders may be deleted at any time.
What reads pixels is loaded on first use, so that the web process starts without it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from imaging import htj2k
from imaging.errors import BreastNotFound
from webapp.cases.models import Image
from webapp.core import files

if TYPE_CHECKING:
    from numpy.typing import NDArray

Side = Literal["left", "right"]

PICTURE_SIDE = 2048
"""Longest side of a rendered picture, in pixels."""


def pixels(image: Image) -> NDArray[Any]:
    """Stored values of an image, brighter = denser.

    Returns
    -------
    ndarray of uint8 (up to 8 bits stored) or uint16, shape (rows, columns)

    Raises
    ------
    ImagingError
        If the file cannot be read; the message says why.
    """
    import numpy as np

    from imaging.reading import read_pixels

    stored = read_pixels(files.absolute(image.file)).pixels
    return np.ascontiguousarray(stored, dtype=np.uint8 if image.bits_stored <= 8 else np.uint16)


def encoded(image: Image) -> Path:
    """File with the image as one lossless HTJ2K codestream, made on first use."""
    relative = f"frames/{image.sha256}.jph"
    path = files.absolute(relative)
    if path.is_file():
        return path
    return files.write(relative, htj2k.encode(pixels(image)))


def rendered(image: Image) -> Path:
    """File with the image as an 8-bit PNG in its display window, made on first use.

    At most `PICTURE_SIDE` pixels on the longer side: for screens that cannot draw the frame.
    """
    relative = f"rendered/{image.sha256}-{image.window_low:g}-{image.window_high:g}.png"
    path = files.absolute(relative)
    if path.is_file():
        return path
    return files.write(relative, picture(pixels(image), (image.window_low, image.window_high)))


def picture(values: NDArray[Any], window: tuple[float, float]) -> bytes:
    """PNG of stored values in a window, at most `PICTURE_SIDE` pixels on the longer side."""
    import cv2

    from imaging.rendering import to_uint8

    shown: NDArray[Any] = to_uint8(values, window)
    rows, columns = shown.shape
    factor = PICTURE_SIDE / max(rows, columns)
    if factor < 1:
        size = (max(1, round(columns * factor)), max(1, round(rows * factor)))
        shown = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".png", shown)[1].tobytes())


def chest_wall(image: Image) -> Side:
    """Side of the stored image on which the chest wall lies, found out once.

    Told by Patient Orientation (0020,0020), whose first value is the direction of the rows, so that "P" (posterior)
    means right and "A" (anterior) left. Pictures without it are told from the pixels.

    Raises
    ------
    ImagingError
        If the file cannot be read.
    """
    relative = f"frames/{image.sha256}.hanging.json"
    path = files.absolute(relative)
    if path.is_file():
        side: Side = json.loads(path.read_text())["chest_wall"]
        return side
    side = _chest_wall_by_attribute(image) or _chest_wall_in_pixels(image)
    files.write(relative, json.dumps({"chest_wall": side}).encode())
    return side


def _chest_wall_by_attribute(image: Image) -> Side | None:
    if image.format != "dicom":
        return None
    from imaging.attributes import texts
    from imaging.dicom_header import read_header

    dataset = read_header(files.absolute(image.file)).dataset
    row_direction = next(iter(texts(dataset, "PatientOrientation")), "")
    if "P" in row_direction:
        return "right"
    return "left" if "A" in row_direction else None


def _chest_wall_in_pixels(image: Image) -> Side:
    from imaging.breast import breast_mask, chest_wall_side

    try:
        return chest_wall_side(breast_mask(pixels(image)))
    except BreastNotFound:
        return "right" if image.view.laterality == "R" else "left"
