"""Seeded random streams that do not disturb each other."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, *path: str | int) -> np.random.Generator:
    """Random generator of one named stage.

    Each path gives its own stream, so that adding a stage leaves the draws of all others as they were.

    Parameters
    ----------
    seed : int
        Root seed, not negative.
    *path : str or int
        Name of the stage, for example ``("view", "CC", "noise")``.

    Returns
    -------
    numpy.random.Generator
        PCG64 generator, equal for equal arguments.
    """
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else int(part) for part in path]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([int(seed), len(words), *words])))


def log_normal(rng: np.random.Generator, median: float, sigma: float, low: float, high: float) -> float:
    """One log-normal draw (median, standard deviation of the logarithm), clipped to [low, high]."""
    return float(np.clip(median * np.exp(sigma * rng.standard_normal()), low, high))
