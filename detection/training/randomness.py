"""Random states: one seed in, the same run out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def start(seed: int) -> None:
    """Seed torch on every device and choose repeatable algorithms where torch has fast ones.

    On the processor two runs with the same number of threads agree bit for bit. On CUDA some operations (RoIAlign
    backwards) add in varying order, so runs agree closely but not exactly.
    """
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def state() -> dict[str, Any]:
    """Generator states of every device."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore(saved: dict[str, Any]) -> None:
    """Set the generators to a saved `state`; CUDA states are used only where as many devices are present."""
    torch.set_rng_state(saved["cpu"])
    if torch.cuda.is_available() and len(saved["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(saved["cuda"])


@contextmanager
def fixed(seed: int) -> Iterator[None]:
    """Draw from `seed` inside, and leave the generators as they were."""
    saved = state()
    torch.manual_seed(seed)
    try:
        yield
    finally:
        restore(saved)


def generator(seed: int, *purpose: int) -> np.random.Generator:
    """A numpy generator that depends on nothing but the seed and the purpose (epoch, index, …)."""
    return np.random.default_rng([seed, *purpose])
