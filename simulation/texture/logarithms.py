"""x log2 x of whole numbers: every entropy of this package is one of counts."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=4)
def _table(size: int) -> NDArray[np.float64]:
    counts = np.arange(size, dtype=np.float64)
    table = counts * np.log2(np.maximum(counts, 1))
    table.flags.writeable = False
    return table


def count_logarithms(largest: int) -> NDArray[np.float64]:
    """x log2 x for x = 0 .. at least `largest`; float64, read-only, shared between calls."""
    return _table(1 << int(largest).bit_length())
