"""Bootstrap resamples of patients that every arm shares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any
from typing import Protocol as Structural

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.errors import EvaluationError

_BLOCK_VALUES = 1 << 17
# random positions that stay in the processor's cache while they are counted
_DRAWN_AT_ONCE = 1 << 16
# 32 MB of counts: 4,000 patients and 2,000 resamples
_SHARED_VALUES = 1 << 23
_sharing: ContextVar[bool] = ContextVar("sharing", default=False)


class Statistic(Structural):
    """A number that can be recomputed for weighted units."""

    def resampled(self, weights: NDArray[np.int32]) -> NDArray[np.float64]:
        """(resamples, units) counts to (resamples,) values, NaN where undefined."""
        ...


class Units:
    """The units that are drawn, sorted, and the unit of each row.

    Parameters
    ----------
    names : sequence of str
        Name of the unit (patient) of each row.

    Raises
    ------
    EvaluationError
        If a name is not text: a missing patient must not become a patient of its own.
    """

    def __init__(self, names: Sequence[str]) -> None:
        if other := [kind.__name__ for kind in set(map(type, names)) if not issubclass(kind, str)]:
            raise EvaluationError(f"Resampling: expected the name of a patient as text for each row, found {other[0]}.")
        position = {name: index for index, name in enumerate(sorted(set(names)))}
        self.names: tuple[str, ...] = tuple(position)
        self.row = np.fromiter((position[name] for name in names), dtype=np.intp, count=len(names))

    def __len__(self) -> int:
        return len(self.names)

    def weight_blocks(self, resamples: int, seed: int) -> Iterator[NDArray[np.int32]]:
        """Draw units with replacement, as many as there are.

        The random numbers follow from the seed and the sorted names alone: arms evaluated on the same
        patients meet the same resamples, whatever the order of their images and whatever was found.

        Yields
        ------
        (b, units) int32
            How often each unit was drawn; the blocks together have `resamples` rows.
        """
        if _sharing.get() and len(self) * resamples <= _SHARED_VALUES:
            yield from _shared(self.names, resamples, seed)
        else:
            yield from _drawn(self.names, resamples, seed)


def _drawn(names: tuple[str, ...], resamples: int, seed: int) -> Iterator[NDArray[np.int32]]:
    count = len(names)
    if count == 0:
        return
    material = json.dumps([seed, names], separators=(",", ":")).encode()
    generator = np.random.default_rng(int.from_bytes(hashlib.sha256(material).digest()))
    rows = max(1, _BLOCK_VALUES // count)
    for start in range(0, resamples, rows):
        block = np.empty((min(rows, resamples - start), count), dtype=np.int32)
        few = max(1, _DRAWN_AT_ONCE // count)
        for first in range(0, len(block), few):
            part = block[first : first + few]
            # the generator goes on where it stopped: neither size can change the numbers
            drawn = generator.integers(0, count, part.shape)
            drawn += np.arange(len(part))[:, None] * count
            part[:] = np.bincount(drawn.ravel(), minlength=part.size).reshape(part.shape)
        yield block


@lru_cache(maxsize=2)
def _shared(names: tuple[str, ...], resamples: int, seed: int) -> tuple[NDArray[np.int32], ...]:
    blocks = tuple(_drawn(names, resamples, seed))
    for block in blocks:
        block.flags.writeable = False
    return blocks


@contextmanager
def shared_resamples() -> Iterator[None]:
    """Within, the same resamples are drawn once for all numbers that meet them, and stay in memory (at most 64 MB)."""
    before = _sharing.set(True)
    try:
        yield
    finally:
        _sharing.reset(before)


class Ratio:
    """A sum over the sum of a count: a share, or the mean of a measurement.

    Parameters
    ----------
    numerator : (rows,) int or float
    denominator : (rows,) int
    units : Units
        The unit of each row.
    """

    def __init__(self, numerator: NDArray[np.number[Any]], denominator: NDArray[np.int64], units: Units) -> None:
        self.numerator = np.bincount(units.row, weights=numerator, minlength=len(units))
        self.denominator = np.bincount(units.row, weights=denominator, minlength=len(units))

    def resampled(self, weights: NDArray[np.int32]) -> NDArray[np.float64]:
        """(resamples, units) counts to (resamples,) ratios, NaN where the denominator is 0."""
        drawn = weights.astype(np.float64)
        above, below = drawn @ self.numerator, drawn @ self.denominator
        return np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)


def replicates(statistics: Sequence[Statistic], units: Units, resamples: int, seed: int) -> NDArray[np.float64]:
    """Values of all statistics on the same resamples.

    Returns
    -------
    (statistics, resamples) float64
        NaN where a statistic is undefined on a resample.

    Raises
    ------
    EvaluationError
        If the number of resamples is negative.
    """
    if resamples < 0:
        raise EvaluationError(f"Resampling: expected a number of resamples from 0, found {resamples}.")
    values = np.full((len(statistics), resamples), np.nan)
    start = 0
    for block in units.weight_blocks(resamples, seed):
        for index, statistic in enumerate(statistics):
            values[index, start : start + len(block)] = statistic.resampled(block)
        start += len(block)
    return values
