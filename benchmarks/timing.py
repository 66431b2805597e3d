"""CPU time as the benchmarks take it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Shortest process CPU time of the repeats in seconds, and the last result."""
    best, result = float("inf"), None
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
    return best, result
