"""Bounds on the work that one file may cause."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """How much one file may ask for before it is refused.

    A full-field mammogram has at most about 4800 × 6000 pixels of 2 bytes and a header below 1 MiB, so the defaults
    leave ample room for real images.
    """

    file_bytes: int = 512 * MEBIBYTE
    header_bytes: int = 64 * MEBIBYTE
    elements: int = 20_000
    reads: int = 500_000
    sequence_depth: int = 24
    value_bytes: int = 4 * MEBIBYTE
    pixels: int = 64_000_000
    seconds: float = 12.0


DEFAULT_LIMITS = Limits()
