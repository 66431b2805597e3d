"""8-bit images (PNG, JPEG, PGM), recognised by content."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from imaging.errors import TooLarge, UnreadableFile, UnsupportedPixels
from imaging.limits import DEFAULT_LIMITS, Limits
from imaging.stored_image import StoredImage

_FORMATS = ("PNG", "JPEG", "PPM")
_PILLOW_ERRORS = (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, OverflowError, KeyError)


def read_eight_bit(path: Path, limits: Limits = DEFAULT_LIMITS) -> StoredImage:
    """Read a grey image of 8 bits; colour images are taken when their channels are equal.

    Parameters
    ----------
    path : Path
    limits : Limits

    Returns
    -------
    StoredImage
        ``bits_stored`` 8, no spacing.

    Raises
    ------
    UnreadableFile, UnsupportedPixels, TooLarge
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(path, limits)
    except FileNotFoundError as error:
        raise UnreadableFile("The file is not there any more. Choose it again.") from error
    except UnidentifiedImageError as error:
        raise UnreadableFile(
            "The file is none of DICOM, PNG, JPEG or PGM (told by its content). Export the image in one of these."
        ) from error
    except Image.DecompressionBombError as error:
        raise TooLarge(f"The image has more than {limits.pixels:,} pixels. Mammograms are smaller.") from error
    except _PILLOW_ERRORS as error:
        raise UnreadableFile("The image is damaged or cut off. Export it again.") from error


def _read(path: Path, limits: Limits) -> StoredImage:
    if path.stat().st_size > limits.file_bytes:
        raise TooLarge(f"The file is larger than {limits.file_bytes // 2**20} MiB. Mammograms are smaller.")
    # Opening reads the header only, so the size is checked before any pixel is unpacked.
    with Image.open(path, formats=_FORMATS) as image:
        width, height = image.size
        if width * height > limits.pixels:
            raise TooLarge(
                f"The image has {height} × {width} pixels; at most {limits.pixels:,} are read. Mammograms are smaller."
            )
        if getattr(image, "n_frames", 1) != 1:
            raise UnsupportedPixels("The file holds an animation. Give a single picture.")
        if image.mode not in ("L", "LA", "RGB", "RGBA", "P", "1"):
            raise UnsupportedPixels(
                f"The picture has pixels of kind “{image.mode}”; 8-bit grey is needed. "
                "Export 12- to 16-bit images as DICOM, so that spacing and bit depth are known."
            )
        if image.mode == "L":
            pixels = np.array(image, dtype=np.uint8)
        else:
            colour = np.array(image.convert("RGB"), dtype=np.uint8)
            if (np.ptp(colour, axis=2) > 2).any():
                raise UnsupportedPixels("The picture is in colour; mammograms are grey. Export it in grey.")
            pixels = np.ascontiguousarray(colour[..., 0])
        return StoredImage(pixels, 8, None, "MONOCHROME2", source_format=str(image.format))
