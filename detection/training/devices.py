"""Devices, and turning what goes wrong on them into plain words."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from detection.errors import DeviceUnavailable, OutOfMemory


def resolve(name: str) -> torch.device:
    """Device by name: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, or ``"auto"`` for CUDA where present.

    Raises
    ------
    DeviceUnavailable
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceUnavailable(f"There is no device {name!r}.", "Use cpu, cuda or cuda:<number>.") from error
    if device.type not in ("cpu", "cuda"):
        raise DeviceUnavailable(f"The device {name!r} is not supported.", "Use cpu, cuda or cuda:<number>.")
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise DeviceUnavailable(
                "A CUDA device was asked for, and none is available here.",
                "Run on a machine with one, check its driver, or choose the device cpu with the preset cpu-quick.",
            )
        if device.index is not None and device.index >= torch.cuda.device_count():
            raise DeviceUnavailable(
                f"There is no {name}: {torch.cuda.device_count()} CUDA devices are present.",
                "Choose a lower number.",
            )
    return device


def memory_peak(device: torch.device) -> int:
    """Most memory used so far, in bytes: of the GPU by this process, else of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


@contextmanager
def memory_errors(device: torch.device) -> Iterator[None]:
    """Turn running out of memory inside into `OutOfMemory`."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise _out_of_memory(device) from error
    except MemoryError as error:
        raise _out_of_memory(device) from error
    except RuntimeError as error:
        if "not enough memory" in str(error) or "can't allocate memory" in str(error):
            raise _out_of_memory(device) from error
        raise


def _out_of_memory(device: torch.device) -> OutOfMemory:
    return OutOfMemory(
        f"The memory of {device} does not hold a training step.",
        "Lower batch_size, input_min_size or input_max_size, use half-size tiles or, on CUDA, mixed_precision; "
        "training goes on from its last checkpoint only if the configuration stays the same.",
    )
