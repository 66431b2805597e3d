"""A file object that counts what is read from it, so that a hostile file cannot cause unbounded work."""

from __future__ import annotations

import io
import os
import time
import zlib
from typing import BinaryIO

from imaging.errors import TooLarge, UnreadableFile
from imaging.limits import Limits


class DeflatedBody(Exception):
    """Raised when the reader asks for everything up to the end: it only does so to inflate a deflated data set."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


class BoundedFile:
    """Readable, seekable view of a binary file with limits on bytes, reads and time.

    Parameters
    ----------
    stream : binary file
    limits : Limits
    budget : int
        Bytes that may be read in all, counting those read twice.
    """

    def __init__(self, stream: BinaryIO, limits: Limits, budget: int) -> None:
        self._stream = stream
        self._limits = limits
        self._bytes_left = budget
        self._reads_left = limits.reads
        self._deadline = time.monotonic() + limits.seconds
        stream.seek(0, os.SEEK_END)
        self.size = stream.tell()
        stream.seek(0)

    def read(self, size: int | None = -1) -> bytes:
        """Read up to ``size`` bytes.

        Raises
        ------
        TooLarge
            When a limit is passed.
        """
        if size is None or size < 0:
            raise DeflatedBody(self._stream.tell())
        self._reads_left -= 1
        remaining = self.size - self._stream.tell()
        self._bytes_left -= min(size, max(0, remaining))
        if self._reads_left < 0:
            raise TooLarge(
                f"The file has too many attributes (more than {self._limits.reads:,} parts were read). "
                "Images of a mammography system have a few hundred; export the image again."
            )
        if self._bytes_left < 0:
            raise TooLarge(
                "The part of the file that describes the image is larger than any mammogram needs "
                f"({self._limits.header_bytes // 2**20} MiB). Export the image again."
            )
        if self._reads_left % 256 == 0:
            self.check_time()
        return self._stream.read(size)

    def check_time(self) -> None:
        """Raise when the time for this file is used up."""
        if time.monotonic() > self._deadline:
            raise TooLarge(
                f"Reading was stopped after {self._limits.seconds:g} seconds: the file is built in a way "
                "that takes very long to read. Export the image again."
            )

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as in any file."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Position in bytes."""
        return self._stream.tell()

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    @property
    def closed(self) -> bool:
        """Whether the underlying file is closed."""
        return self._stream.closed


def inflate(data: bytes, limit: int) -> io.BytesIO:
    """Inflate a raw deflate stream to at most ``limit`` bytes.

    Raises
    ------
    TooLarge
        If it would become larger.
    UnreadableFile
        If the stream is damaged.
    """
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        result = machine.decompress(data, limit)
    except zlib.error as error:
        raise UnreadableFile("The compressed part of the file is damaged. Export the image again.") from error
    if machine.unconsumed_tail:
        raise TooLarge(f"The file would unpack to more than {limit // 2**20} MiB. Export the image uncompressed.")
    if not machine.eof:
        raise UnreadableFile("The compressed part of the file is cut off. Export the image again.")
    return io.BytesIO(result)
