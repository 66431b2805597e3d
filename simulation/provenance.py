"""The record of a simulated case: everything that is needed to understand it and to make it again."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCHEMA = "cemlab.simulation-record/1"
# Raised whenever the same seed gives other pixels.
ALGORITHM_VERSION = "1.0"
_LIBRARIES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "scikit-image": "scikit-image",
    "radiomics": "pyradiomics-cuda",
}


def versions() -> dict[str, str]:
    """Versions of the algorithm and of the libraries that shape the result."""
    found = {"algorithm": ALGORITHM_VERSION}
    for name, distribution in _LIBRARIES.items():
        try:
            found[name] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            found[name] = "not installed as a distribution"
    return found


def pixels_sha256(*images: NDArray[Any]) -> str:
    """Hash of pixel arrays with their shape and type."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(f"{image.dtype.str}{image.shape}".encode())
        digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()


def json_sha256(body: Any) -> str:
    """Hash of JSON-ready values, independent of the order of keys."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
