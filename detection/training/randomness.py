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


def start_own(seed: int, rank: int) -> None:
    """Give a further process of a training draws of its own, once all have built the same network."""
    if rank:
        torch.manual_seed(int(np.random.SeedSequence([seed, rank]).generate_state(1)[0]))


def state(device: torch.device) -> dict[str, Any]:
    """States of the generators of the processor and of `device`."""
    cuda = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore(saved: dict[str, Any], device: torch.device) -> None:
    """Set the generators to a saved `state`; that of CUDA only where there is one."""
    torch.set_rng_state(saved["cpu"])
    if device.type == "cuda" and saved["cuda"]:
        torch.cuda.set_rng_state(saved["cuda"][0], device)


@contextmanager
def fixed(seed: int, device: torch.device) -> Iterator[None]:
    """Draw from `seed` inside, and leave the generators as they were."""
    saved = state(device)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        restore(saved, device)


def generator(seed: int, *purpose: int) -> np.random.Generator:
    """A numpy generator that depends on nothing but the seed and the purpose (epoch, index, …)."""
    return np.random.default_rng([seed, *purpose])
