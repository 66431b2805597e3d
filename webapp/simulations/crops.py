"""Pictures of the surroundings of a cluster, for the gallery: made once and kept under the data folder.

Derived from the stored files and named by their hash: the folder may be deleted at any time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from webapp.cases.models import Image
from webapp.core import files
from webapp.simulations.models import SyntheticView

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 192
"""Pixels of a picture's side."""
MARGIN_SHARE = 0.25
"""Of the longer side of the outline's box, added all round."""
LEAST_SIDE_MM = 20.0
LEAST_SIDE_SHARE = 0.12
"""Of the longer image side, where the pixel size is unknown."""
Box = tuple[int, int, int, int]


def box_around(synthetic: SyntheticView, image: Image) -> Box:
    """Square around the outline, inside the image where it fits: left, top, right, bottom in pixels."""
    points = [point for polygon in _polygons(synthetic) for point in polygon]
    if not points:
        return (0, 0, image.columns, image.rows)
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    top, bottom = min(y for _, y in points), max(y for _, y in points)
    least = LEAST_SIDE_SHARE * max(image.rows, image.columns)
    if image.spacing_row is not None:
        least = LEAST_SIDE_MM / image.spacing_row
    side = max((1 + 2 * MARGIN_SHARE) * max(right - left, bottom - top), least)
    side = int(min(side, image.rows, image.columns))
    x = min(max(int((left + right - side) / 2), 0), image.columns - side)
    y = min(max(int((top + bottom - side) / 2), 0), image.rows - side)
    return (x, y, x + side, y + side)


def outline_in(synthetic: SyntheticView, image: Image) -> list[str]:
    """The outline's polygons in a picture of side 100, as SVG wants them."""
    left, top, right, _ = box_around(synthetic, image)
    scale = 100 / max(right - left, 1)
    return [
        " ".join(f"{(x - left) * scale:.1f},{(y - top) * scale:.1f}" for x, y in polygon)
        for polygon in _polygons(synthetic)
    ]


def _polygons(synthetic: SyntheticView) -> list[Any]:
    found: list[Any] = synthetic.record.get("mask", {}).get("polygons", [])
    return found


def tag_of(image: Image, box: Box) -> str:
    """Changes with everything the picture shows."""
    return f"{image.sha256[:32]}-{'-'.join(map(str, box))}-{image.window_low:g}-{image.window_high:g}"


def picture(image: Image, box: Box) -> Path:
    """File with the square as an 8-bit PNG in the image's window, made on first use.

    Raises
    ------
    ImagingError
        If the image cannot be read.
    FileNotFoundError
        If its file is not in the data folder any more.
    """
    path = files.absolute(f"crops/{tag_of(image, box)}.png")
    if path.is_file():
        return path
    import cv2
    import numpy as np

    from imaging.reading import read_pixels
    from imaging.rendering import to_uint8

    left, top, right, bottom = box
    pixels = np.ascontiguousarray(read_pixels(files.absolute(image.file)).pixels[top:bottom, left:right])
    kind = np.uint8 if image.bits_stored <= 8 else np.uint16
    shown: NDArray[Any] = to_uint8(pixels.astype(kind), (image.window_low, image.window_high))
    method = cv2.INTER_AREA if shown.shape[0] > SIDE else cv2.INTER_CUBIC
    shown = cv2.resize(shown, (SIDE, SIDE), interpolation=method)
    return files.write(f"crops/{path.name}", cv2.imencode(".png", shown)[1].tobytes())
