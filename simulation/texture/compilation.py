"""Compiling kernels with numba, kept on disk, and doing without where numba is missing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TypeVar, cast

Kernel = TypeVar("Kernel", bound=Callable[..., object])

HAS_NUMBA = importlib.util.find_spec("numba") is not None


def compiled(kernel: Kernel) -> Kernel:
    """Compile a kernel on its first call and keep the machine code on disk.

    The code is kept beside the source, or in the user's cache folder where the package is read-only, or where
    ``NUMBA_CACHE_DIR`` says. Where none of them can be written, each process compiles for itself. Without numba the
    kernel is returned as it is; the numpy engine does not call it.

    numba recompiles when the file of the kernel itself changes, not when a kernel it calls in another file does.
    So kernels call only kernels of their own file.
    """
    if not HAS_NUMBA:
        return kernel
    from numba import njit

    try:
        return cast(Kernel, njit(cache=True, error_model="numpy")(kernel))
    except RuntimeError:  # no folder for the cache
        return cast(Kernel, njit(error_model="numpy")(kernel))
