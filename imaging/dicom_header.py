"""Reading the header of a DICOM file within bounds."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydicom import config, filereader
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.tag import BaseTag
from pydicom.uid import UID

from imaging.attributes import VALUE_ERRORS
from imaging.bounded_file import BoundedFile, DeflatedBody, inflate
from imaging.errors import ImagingError, TooLarge, UnreadableFile
from imaging.limits import DEFAULT_LIMITS, Limits

# Wrong values are told from what we need of them; a warning for each odd attribute helps nobody.
config.settings.reading_validation_mode = config.IGNORE

_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_UNDEFINED = 0xFFFFFFFF
_READ_ERRORS = (*VALUE_ERRORS, InvalidDicomError, MemoryError, AssertionError)


@dataclass(frozen=True, eq=False)
class Header:
    """A data set, with or without its pixels, whose every attribute has been interpreted once.

    Attributes
    ----------
    dataset : pydicom.Dataset
    transfer_syntax : pydicom.uid.UID
    file_bytes : int
    notes : tuple of str
        What was left out because it could not be interpreted.
    """

    dataset: FileDataset
    transfer_syntax: UID
    file_bytes: int
    notes: tuple[str, ...] = ()


def read_header(path: Path, limits: Limits = DEFAULT_LIMITS) -> Header:
    """Read all attributes up to the pixels.

    Parameters
    ----------
    path : Path
    limits : Limits

    Returns
    -------
    Header

    Raises
    ------
    UnreadableFile
        If the file is not DICOM or is damaged.
    TooLarge
        If a limit is passed.
    """
    return _read(path, limits, with_pixels=False)


def read_with_pixels(path: Path, limits: Limits = DEFAULT_LIMITS) -> Header:
    """Like `read_header`, with the (still encoded) pixels in the data set."""
    return _read(path, limits, with_pixels=True)


def _read(path: Path, limits: Limits, *, with_pixels: bool) -> Header:
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read_stream(stream, path, limits, with_pixels=with_pixels)
    except ImagingError:
        raise
    except InvalidDicomError as error:
        raise UnreadableFile(
            "This is not a DICOM file (the DICM mark after the first 128 bytes is missing). "
            "Give DICOM, PNG, JPEG or PGM files."
        ) from error
    except FileNotFoundError as error:
        raise UnreadableFile("The file is not there any more. Choose it again.") from error
    except RecursionError as error:
        raise TooLarge(_TOO_DEEP.format(limits.sequence_depth)) from error
    except _READ_ERRORS as error:
        raise UnreadableFile(
            "The file starts like DICOM but is damaged: its attributes cannot be followed to the end. "
            "Export the image again."
        ) from error


_TOO_DEEP = "The file nests sequences deeper than {} levels, which no mammography image does. Export it again."


def _read_stream(stream: BinaryIO, path: Path, limits: Limits, *, with_pixels: bool) -> Header:
    budget = limits.file_bytes * 2 if with_pixels else limits.header_bytes
    bounded = BoundedFile(stream, limits, budget)
    if bounded.size > limits.file_bytes:
        raise TooLarge(
            f"The file has {bounded.size // 2**20} MiB; at most {limits.file_bytes // 2**20} MiB are read. "
            "Mammograms are far smaller: check that this is a single image."
        )
    total = bounded.size
    try:
        dataset = _parse(bounded, limits, with_pixels=with_pixels, without_meta=False)
    except DeflatedBody as body:
        stream.seek(body.position)
        inflated = inflate(stream.read(), limits.file_bytes if with_pixels else limits.file_bytes // 2)
        bounded = BoundedFile(inflated, limits, budget)
        dataset = _parse(bounded, limits, with_pixels=with_pixels, without_meta=True)
        dataset.file_meta = filereader.read_file_meta_info(path)
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if not syntax:
        raise UnreadableFile(
            "The file states no transfer syntax (0002,0010), so its encoding is unknown. Export the image again."
        )
    notes = _interpret_all(dataset, bounded, limits)
    dataset.buffer = None  # the file is closed when this returns; nothing may reach back for it
    return Header(dataset, UID(str(syntax)), total, tuple(notes))


def _parse(bounded: BoundedFile, limits: Limits, *, with_pixels: bool, without_meta: bool) -> FileDataset:
    seen = 0

    def stop_when(tag: BaseTag, _: str | None, length: int) -> bool:
        nonlocal seen
        seen += 1
        if seen > limits.elements:
            raise TooLarge(f"The file has more than {limits.elements:,} attributes. Export the image again.")
        if int(tag) in _PIXELS:
            return not with_pixels
        if int(tag) > _PIXELS[-1]:
            return True
        if length != _UNDEFINED:
            if length > limits.value_bytes:
                raise TooLarge(
                    f"Attribute {tag} claims {length:,} bytes; at most {limits.value_bytes:,} are read outside the "
                    "pixels. Export the image again."
                )
            if length > bounded.size - bounded.tell():
                raise UnreadableFile(
                    f"The file is cut off: attribute {tag} claims {length:,} bytes, more than are left. "
                    "Export the image again."
                )
        return False

    return filereader.read_partial(cast(BinaryIO, bounded), stop_when=stop_when, force=without_meta)


def _interpret_all(dataset: Dataset, bounded: BoundedFile, limits: Limits) -> list[str]:
    """Convert every raw value once; what cannot be converted is taken out and noted."""
    notes: list[str] = []
    count = 0
    waiting: list[tuple[Dataset, int]] = [(dataset, 0)]
    while waiting:
        current, depth = waiting.pop()
        if depth > limits.sequence_depth:
            raise TooLarge(_TOO_DEEP.format(limits.sequence_depth))
        for tag in list(current.keys()):
            count += 1
            if count > limits.elements:
                raise TooLarge(f"The file has more than {limits.elements:,} attributes. Export the image again.")
            if count % 64 == 0:
                bounded.check_time()
            if int(tag) in _PIXELS:
                continue
            try:
                element = current[tag]
                children: Any = element.value if element.VR == "SQ" else ()
                waiting.extend((child, depth + 1) for child in children)
            except VALUE_ERRORS:
                del current[tag]
                notes.append(f"attribute {tag} could not be interpreted and was left out")
    return notes


def is_dicom(path: Path) -> bool:
    """Whether the file carries the DICM mark."""
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"
