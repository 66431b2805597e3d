"""DICOM images: header and pixels, within bounds.

All transfer syntaxes of pydicom with pylibjpeg and imagecodecs are decoded: native (implicit, explicit, big endian,
deflated), RLE, JPEG (baseline, extended, lossless), JPEG-LS, JPEG 2000 and High-Throughput JPEG 2000.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder
from pydicom.uid import UID

from imaging.attributes import VALUE_ERRORS, numbers, text, whole
from imaging.codestream import codestream_size
from imaging.dicom_header import Header, is_dicom, read_header, read_with_pixels
from imaging.dicom_voi import voi_luts, voi_windows
from imaging.errors import ImagingError, TooLarge, UnreadableFile, UnsupportedPixels
from imaging.limits import DEFAULT_LIMITS, Limits
from imaging.stored_image import Rescale, StoredImage
from imaging.vendor import vendor_profile
from imaging.view_facts import chest_wall, implant, laterality, pixel_spacing, view_position

__all__ = ["Header", "PixelDescription", "decode", "describe_pixels", "is_dicom", "read_header", "stored_image"]

_MOST_TILES = 4096
_DECODE_ERRORS = (*VALUE_ERRORS, RuntimeError, MemoryError, AssertionError)

_JPEG = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"}
_JPEG_LS = {"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"}
_JPEG_2000 = {"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"}
_HTJ2K = {f"1.2.840.10008.1.2.4.{number}" for number in (201, 202, 203)}

# A second decoder for each family: used when the first one refuses a stream the other understands.
_SECOND_DECODER: dict[str, Callable[[bytes], NDArray[Any]]] = {
    **dict.fromkeys(_JPEG, imagecodecs.jpeg_decode),
    **dict.fromkeys(_JPEG_LS, imagecodecs.jpegls_decode),
    **dict.fromkeys(_JPEG_2000, imagecodecs.jpeg2k_decode),
    **dict.fromkeys(_HTJ2K, imagecodecs.htj2k_decode),
}


@dataclass(frozen=True)
class PixelDescription:
    """Checked attributes of the Image Pixel module (DICOM PS3.3 C.7.6.3)."""

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str

    @property
    def bytes(self) -> int:
        """Size of the uncompressed frame."""
        return self.rows * self.columns * (self.bits_allocated // 8)


def describe_pixels(header: Header, limits: Limits = DEFAULT_LIMITS) -> PixelDescription:
    """Check that the header describes one monochrome frame of 8 to 16 bits.

    Raises
    ------
    UnsupportedPixels
        For colour, several frames, odd bit depths or a syntax without decoder.
    UnreadableFile
        If an attribute is missing or contradicts another.
    TooLarge
        If the image has too many pixels.
    """
    dataset = header.dataset
    rows, columns = whole(dataset, "Rows"), whole(dataset, "Columns")
    if rows is None or columns is None:
        raise UnreadableFile(
            "The file holds no image: Rows (0028,0010) or Columns (0028,0011) is missing or not a whole number. "
            "Give image objects, not reports or structured data."
        )
    if rows < 1 or columns < 1:
        raise UnreadableFile(f"The image is stated to have {rows} × {columns} pixels. Export the image again.")
    if rows * columns > limits.pixels:
        raise TooLarge(
            f"The image is stated to have {rows} × {columns} pixels; at most {limits.pixels:,} are read. "
            "Full-field mammograms have about 30 million at most."
        )
    frames = whole(dataset, "NumberOfFrames")
    if frames is not None and frames != 1:
        raise UnsupportedPixels(
            f"The file holds {frames} frames (a tomosynthesis stack or a series). Give single views."
        )
    if (samples := whole(dataset, "SamplesPerPixel")) not in (1, None):
        raise UnsupportedPixels(f"The image has {samples} colour channels; mammograms have one. Export it in grey.")
    photometric = text(dataset, "PhotometricInterpretation").upper()
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise UnsupportedPixels(
            f"Photometric Interpretation (0028,0004) is “{photometric[:20] or 'empty'}”; MONOCHROME1 or MONOCHROME2 "
            "is needed. Export the image in grey."
        )
    allocated, stored = whole(dataset, "BitsAllocated"), whole(dataset, "BitsStored")
    if allocated not in (8, 16):
        raise UnsupportedPixels(
            f"Bits Allocated (0028,0100) is {_number(allocated)}; 8 or 16 is needed. Export the image again."
        )
    if stored is None or not 6 <= stored <= allocated:
        raise UnsupportedPixels(
            f"Bits Stored (0028,0101) is {_number(stored)}; it must lie between 6 and {allocated}. "
            "Export the image again."
        )
    high_bit = whole(dataset, "HighBit")
    high_bit = stored - 1 if high_bit is None else high_bit
    if not stored - 1 <= high_bit < allocated:
        raise UnsupportedPixels(
            f"High Bit (0028,0102) is {high_bit}, which does not fit {stored} bits stored in {allocated}. "
            "Export the image again."
        )
    return PixelDescription(
        rows, columns, allocated, stored, high_bit, whole(dataset, "PixelRepresentation") == 1, photometric
    )


def decode(path: Path, limits: Limits = DEFAULT_LIMITS) -> StoredImage:
    """Read a DICOM file with its pixels.

    Parameters
    ----------
    path : Path
    limits : Limits

    Returns
    -------
    StoredImage
        Stored values, brighter = denser.

    Raises
    ------
    ImagingError
        `UnreadableFile`, `UnsupportedPixels` or `TooLarge`, in plain words.
    """
    # The description is checked before the pixels are read into memory.
    describe_pixels(read_header(path, limits), limits)
    return stored_image(read_with_pixels(path, limits), limits)


def stored_image(header: Header, limits: Limits = DEFAULT_LIMITS) -> StoredImage:
    """Decode the pixels of a data set that was read with them."""
    dataset, syntax = header.dataset, header.transfer_syntax
    description = describe_pixels(header, limits)
    if "PixelData" not in dataset:
        raise UnreadableFile("The file holds no pixels (7FE0,0010). Give image objects, not reports.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw, notes = _decode_frame(dataset, syntax, description)
    pixels, shift_notes = _to_stored_values(raw, description)
    inverted = description.photometric == "MONOCHROME1"
    if inverted:
        pixels = (np.array(2**description.bits_stored - 1, dtype=pixels.dtype) - pixels).astype(pixels.dtype)
    offset = 2 ** (description.bits_stored - 1) if description.signed else 0
    spacing, source = pixel_spacing(dataset)
    return StoredImage(
        pixels=pixels,
        bits_stored=description.bits_stored,
        spacing_mm=spacing,
        spacing_source=source,
        photometric=description.photometric,
        vendor=vendor_profile(dataset).key,
        laterality=laterality(dataset),
        view_position=view_position(dataset),
        source_format=f"DICOM, {syntax.name}",
        rescale=_rescale(dataset),
        windows=voi_windows(dataset, description.bits_stored, inverted=inverted, offset=offset),
        luts=voi_luts(dataset, description.bits_stored, inverted=inverted, offset=offset),
        notes=(*header.notes, *notes, *shift_notes),
        chest_wall=chest_wall(dataset),
        implant=implant(dataset),
        padding=_padding(dataset, description),
    )


def _decode_frame(
    dataset: FileDataset, syntax: UID, description: PixelDescription
) -> tuple[NDArray[Any], tuple[str, ...]]:
    try:
        decoder: Any = get_decoder(syntax)
    except NotImplementedError as error:
        known = syntax.name if syntax.name != str(syntax) else "an unknown one"
        raise UnsupportedPixels(
            f"The image is stored in a transfer syntax that is not read here ({known[:80]}). "
            "Export it uncompressed or in JPEG 2000."
        ) from error
    if not syntax.is_encapsulated:
        return _decode_native(dataset, decoder, description)
    frame = _encapsulated_frame(dataset, description)
    _check_codestream(frame, syntax, description)
    try:
        array, _ = decoder.as_array(dataset, index=0, raw=True, correct_unused_bits=False)
    except _DECODE_ERRORS as first:
        second = _SECOND_DECODER.get(str(syntax))
        if second is None:
            raise _undecodable(syntax) from first
        try:
            array = second(frame)
        except _DECODE_ERRORS as error:
            raise _undecodable(syntax) from error
    pixels = _check_shape(np.asarray(array), description)
    highest = 2 ** (description.high_bit + 1) - 1
    if not description.signed and int(pixels.max()) > highest:
        raise UnreadableFile(
            f"The compressed image holds values up to {int(pixels.max()):,}, the header says at most {highest:,} (High "
            "Bit, 0028,0102). Export the image again."
        )
    return pixels, ()


def _decode_native(
    dataset: FileDataset, decoder: Any, description: PixelDescription
) -> tuple[NDArray[Any], tuple[str, ...]]:
    data = dataset.PixelData
    available = len(data) if isinstance(data, bytes | bytearray) else 0
    if available < description.bytes:
        raise UnreadableFile(
            f"The image is stated to have {description.rows} × {description.columns} pixels "
            f"({description.bytes:,} bytes), but the file holds only {available:,}. Export the image again."
        )
    notes: tuple[str, ...] = ()
    if available > description.bytes + description.bytes % 2:
        notes = (f"{available - description.bytes:,} bytes after the pixels were ignored",)
        dataset.PixelData = bytes(data[: description.bytes + description.bytes % 2])
    try:
        array, _ = decoder.as_array(dataset, index=0, raw=True, correct_unused_bits=False)
    except _DECODE_ERRORS as error:
        raise UnreadableFile("The pixels could not be read as described. Export the image again.") from error
    return _check_shape(np.asarray(array), description), notes


def _encapsulated_frame(dataset: FileDataset, description: PixelDescription) -> bytes:
    try:
        frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    except _DECODE_ERRORS as error:
        raise UnreadableFile("The compressed pixels are damaged or missing. Export the image again.") from error
    if len(frame) > 2 * description.bytes + 2**20:
        raise TooLarge("The compressed image is larger than the image itself could be. Export it again.")
    return frame


def _check_codestream(frame: bytes, syntax: UID, description: PixelDescription) -> None:
    if str(syntax) == "1.2.840.10008.1.2.5":
        return  # run-length: the decoder knows the size from the header alone
    size = codestream_size(frame)
    if size is None:
        raise UnreadableFile(f"The pixels are not compressed as the file says ({syntax.name}). Export the image again.")
    if (size.rows, size.columns) != (description.rows, description.columns) or size.components != 1:
        raise UnreadableFile(
            f"The compressed image has {size.rows} × {size.columns} pixels and {size.components} channel(s), the "
            f"header says {description.rows} × {description.columns} and 1. Export the image again."
        )
    if size.bits > description.bits_allocated:
        raise UnreadableFile(
            f"The compressed image has {size.bits} bits a pixel, the header says {description.bits_allocated} (Bits "
            "Allocated, 0028,0100). Export the image again."
        )
    # Some decoders fill what is missing with grey and say nothing: the end marker tells whether all is there.
    if frame.rstrip(b"\x00")[-2:] != b"\xff\xd9":
        raise UnreadableFile("The compressed image is cut off: its end is missing. Export the image again.")
    if size.tiles > _MOST_TILES:
        raise TooLarge(f"The compressed image is cut into {size.tiles:,} tiles. Export it again.")


def _check_shape(array: NDArray[Any], description: PixelDescription) -> NDArray[Any]:
    if array.shape != (description.rows, description.columns):
        raise UnreadableFile("The decoded image does not have the size the header states. Export the image again.")
    return array


def _to_stored_values(raw: NDArray[Any], description: PixelDescription) -> tuple[NDArray[Any], tuple[str, ...]]:
    dtype = np.uint8 if description.bits_allocated == 8 else np.uint16
    stored = description.bits_stored
    values: NDArray[Any] = np.ascontiguousarray(raw).astype(dtype, copy=True)
    unused = description.high_bit - (stored - 1)
    if unused:
        values = np.right_shift(values, unused)
    values = np.bitwise_and(values, dtype(2**stored - 1))
    if description.signed:
        # Two's complement of the stored bits: adding half the range puts the lowest value at 0.
        values = np.bitwise_xor(values, dtype(2 ** (stored - 1)))
        return values, (f"signed values were shifted up by {2 ** (stored - 1)}",)
    return values, ()


def _padding(dataset: FileDataset, description: PixelDescription) -> tuple[int, int] | None:
    """Range of Pixel Padding Value (0028,0120) to its limit (0028,0121) in the values that `decode` returns."""
    value = whole(dataset, "PixelPaddingValue")
    if value is None:
        return None
    limit = whole(dataset, "PixelPaddingRangeLimit")
    maximum = 2**description.bits_stored - 1
    ends = []
    for end in (value, value if limit is None else limit):
        stored = end + 2 ** (description.bits_stored - 1) if description.signed else end
        ends.append(maximum - stored if description.photometric == "MONOCHROME1" else stored)
    low, high = max(min(ends), 0), min(max(ends), maximum)
    return (low, high) if low <= high else None


def _rescale(dataset: FileDataset) -> Rescale | None:
    slope, intercept = numbers(dataset, "RescaleSlope"), numbers(dataset, "RescaleIntercept")
    if not slope or not intercept:
        return None
    return Rescale(slope[0], intercept[0], text(dataset, "RescaleType"))


def _undecodable(syntax: UID) -> ImagingError:
    return UnreadableFile(f"The compressed pixels ({syntax.name}) cannot be decoded. Export the image again.")


def _number(value: int | None) -> str:
    return "missing" if value is None else str(value)
