"""One range of bytes, as RFC 9110 section 14 has it."""

from __future__ import annotations

import re

_ONE_RANGE = re.compile(r"^bytes=(?P<first>\d*)-(?P<last>\d*)$")


class RangeNotSatisfiable(Exception):
    """The range begins behind the end of the file."""


def parse(header: str, size: int) -> tuple[int, int] | None:
    """Half-open range of bytes asked for.

    Parameters
    ----------
    header : str
        Value of the Range header.
    size : int
        Bytes in the file.

    Returns
    -------
    tuple of int or None
        (start, stop), half open; None when the header asks for nothing this server serves in part (no range, more
        than one, another unit, malformed): the whole file is the right answer then.

    Raises
    ------
    RangeNotSatisfiable
        If the range is well formed but lies behind the end.
    """
    found = _ONE_RANGE.match(header.strip())
    if found is None or not (found["first"] or found["last"]):
        return None
    if not found["first"]:
        length = int(found["last"])
        if length == 0:
            raise RangeNotSatisfiable
        return max(0, size - length), size
    start = int(found["first"])
    if found["last"] and int(found["last"]) < start:
        return None
    if start >= size:
        raise RangeNotSatisfiable
    stop = min(size, int(found["last"]) + 1) if found["last"] else size
    return start, stop
