"""Devices, and turning what goes wrong on them into plain words."""

from __future__ import annotations

import resource
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from detection.errors import DeviceUnavailable, OutOfMemory

_WITH_BFLOAT16 = 8
"""Compute capability, major number, from which GPUs calculate in bfloat16 (Ampere); older ones only imitate it."""
_EXHAUSTED = ("out of memory", "not enough memory", "can't allocate memory", "ALLOC_FAILED", "ALLOCATION_FAILED")
"""Words of CUDA, of the processor's allocator, of cuBLAS and of cuDNN, which raise a plain RuntimeError."""

_FOR_TRAINING = (
    "Lower batch_size, input_min_size or input_max_size, use smaller sub-images or, on CUDA, mixed_precision; "
    "training goes on from its last checkpoint only if the configuration stays the same."
)
FOR_PREDICTION = (
    "Wait until other programs have left this device, or choose one with more memory, such as the processor, "
    "then start again."
)


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


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether mixed precision is worth its name on a device."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= _WITH_BFLOAT16


@contextmanager
def memory_errors(device: torch.device, advice: str = _FOR_TRAINING) -> Iterator[None]:
    """Turn running out of memory inside into `OutOfMemory`, letting go of what the failed work held."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        exhausted = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if not exhausted and not any(words in str(error) for words in _EXHAUSTED):
            raise
        # The error keeps the frames it went through, and they keep the tensors of the failed step.
        traceback.clear_frames(error.__traceback__)
        if device.type == "cuda":
            torch.cuda.empty_cache()
        raise OutOfMemory(f"The memory of {device} is full.", advice) from error
