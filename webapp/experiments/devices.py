"""Which devices this machine has, without loading torch into the web process."""

from __future__ import annotations

import subprocess
from functools import cache


@cache
def graphics_cards() -> tuple[str, ...]:
    """Names of the CUDA devices the driver lists, in its order; empty without a driver."""
    try:
        listing = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in listing.stdout.splitlines() if line.strip())


def single_devices() -> dict[str, str]:
    """Device name → words for the form; each device alone."""
    return {"cpu": "CPU"} | {f"cuda:{number}": name for number, name in enumerate(graphics_cards())}


def devices() -> dict[str, str]:
    """Device name → words for the form; before the single GPUs, where there are several, all of them together."""
    cards = graphics_cards()
    numbers = ",".join(str(number) for number in range(len(cards)))
    together = {f"cuda:{numbers}": f"all {len(cards)} GPUs together"} if len(cards) > 1 else {}
    return {"cpu": "CPU"} | together | single_devices()
