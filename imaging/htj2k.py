"""High-Throughput JPEG 2000 frames for the viewer.

The codecs are loaded on first use: the web process needs the name of the transfer syntax on every start.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only).
TRANSFER_SYNTAX = "1.2.840.10008.1.2.4.202"


def encode(pixels: NDArray[Any]) -> bytes:
    """Encode one grey frame without loss, in RPCL order with five decompositions.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (rows, columns)

    Returns
    -------
    bytes
        Codestream to be labelled with `TRANSFER_SYNTAX`.

    Raises
    ------
    ValueError
        If the array is not two-dimensional or of another type.
    """
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"a grey frame of uint8 or uint16 is needed, not {pixels.ndim}-D {pixels.dtype}")
    import imagecodecs

    return bytes(imagecodecs.htj2k_encode(np.ascontiguousarray(pixels)))


def decode(data: bytes) -> NDArray[Any]:
    """Decode a frame made by `encode`."""
    import imagecodecs

    return np.asarray(imagecodecs.htj2k_decode(data))
