"""How often the web process looks for unreachable cycles of objects."""

from __future__ import annotations

import gc

THRESHOLDS = (100_000, 20, 50)
"""Objects made before the youngest are looked at, and how many such looks before the older two generations."""


def look_less_often() -> None:
    """Leave what start-up made out of every look, and look less often.

    A results page makes hundreds of thousands of small records without cycles; with Python's own thresholds a third of
    its time goes into looking at them (`benchmarks.dashboard`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
