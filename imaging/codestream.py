"""Size declared inside a compressed image, read before any decoder may allocate memory for it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from imaging.errors import UnreadableFile

# Start-of-frame markers of JPEG and JPEG-LS (T.81 table B.1, T.87); C4, C8 and CC are other segments.
_START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD9)}


@dataclass(frozen=True)
class CodestreamSize:
    """What a compressed image says about itself."""

    rows: int
    columns: int
    components: int
    bits: int
    tiles: int = 1


def codestream_size(data: bytes) -> CodestreamSize | None:
    """Read the size from a JPEG, JPEG-LS or JPEG 2000 (also High-Throughput) codestream.

    Parameters
    ----------
    data : bytes
        One frame.

    Returns
    -------
    CodestreamSize or None
        None when the data start with none of the known signatures.

    Raises
    ------
    UnreadableFile
        If the codestream ends or breaks before its size is known.
    """
    try:
        if data[:2] == b"\xff\xd8":
            return _jpeg(data)
        if data[:4] == b"\xff\x4f\xff\x51":
            return _jpeg_2000(data, 0)
        if data[4:8] == b"jP  ":
            start = data.find(b"\xff\x4f\xff\x51", 8, 65_536)
            if start >= 0:
                return _jpeg_2000(data, start)
    except (IndexError, struct.error) as error:
        raise UnreadableFile(
            "The compressed image is cut off before its size is stated. Export the image again."
        ) from error
    return None


def _jpeg(data: bytes) -> CodestreamSize:
    position = 2
    while True:
        if data[position] != 0xFF:
            raise UnreadableFile("The compressed image is damaged (a JPEG marker is missing). Export it again.")
        while data[position] == 0xFF:
            position += 1
        marker = data[position]
        position += 1
        if marker in _START_OF_FRAME:
            bits, rows, columns, components = struct.unpack_from(">xxBHHB", data, position)
            return CodestreamSize(rows, columns, components, bits)
        if marker in _ALONE:
            continue
        if marker in (0xD9, 0xDA):
            raise UnreadableFile("The compressed image is damaged (it states no size). Export it again.")
        (length,) = struct.unpack_from(">H", data, position)
        position += max(2, length)


def _jpeg_2000(data: bytes, start: int) -> CodestreamSize:
    right, bottom, left, top, tile_width, tile_height = struct.unpack_from(">6I", data, start + 8)
    components, depth = struct.unpack_from(">HB", data, start + 40)
    if tile_width == 0 or tile_height == 0 or right <= left or bottom <= top:
        raise UnreadableFile("The compressed image is damaged (its stated size is impossible). Export it again.")
    tiles = -(-right // tile_width) * -(-bottom // tile_height)
    return CodestreamSize(bottom - top, right - left, components, (depth & 0x7F) + 1, tiles)
