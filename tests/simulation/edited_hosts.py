"""Hosts for the failure table: prepared quickly, drawn with spots, or with an attribute of their headers changed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset
from scipy import ndimage

from imaging.pair import CEMPair
from simulation.host import Host, prepare_host
from simulation.settings import SimulationSettings

QUICK = SimulationSettings(maximum_cells=24)


def prepared(pair: CEMPair, settings: SimulationSettings = QUICK, lesion_free: bool = True) -> Host:
    return prepare_host(pair, lesion_free=lesion_free, exclusion=None, settings=settings)


def drawn(*, spots: str = "none", seed: int = 4, relief: float = 900) -> CEMPair:
    """A smooth half-ellipse breast of 0.2 mm pixels with noise, on which spots can be put."""
    rng = np.random.default_rng(seed)
    rows, columns = 900, 560
    y, x = np.mgrid[:rows, :columns]
    depth = 1 - np.sqrt((x / 460) ** 2 + ((y - 450) / 400) ** 2)
    structure = ndimage.gaussian_filter(rng.standard_normal((rows, columns)), 12) * 12
    level = 900 + relief * np.sqrt(np.clip(depth, 0, None)) + 150 * structure + rng.normal(0, 12, (rows, columns))
    places = {"none": [], "crowd": [(450 + 9 * r, 200 + 9 * c) for r in range(3) for c in range(3)], "everywhere": []}[
        spots
    ]
    if spots == "everywhere":
        places = [(r, c) for r in range(60, 860, 14) for c in range(8, 440, 14)]
    bright = np.zeros((rows, columns))
    for r, c in places:
        bright[r, c] = 1
    level += 5000 * ndimage.gaussian_filter(bright, 0.9)
    low = np.where(depth > 0, level, 20).clip(0, 4095).astype(np.uint16)
    recombined = np.where(depth > 0, 2000 + 100 * structure + rng.normal(0, 20, (rows, columns)), 0)
    return CEMPair(low, recombined.clip(0, 4095).astype(np.uint16), "L", "CC", (0.2, 0.2), 12, "ge-essential")


def attribute(**values: object) -> Callable[[Dataset], None]:
    def edit(dataset: Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return edit
