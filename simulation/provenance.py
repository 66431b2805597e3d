"""The record of a simulated case: everything that is needed to understand it and to make it again."""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCHEMA = "cemlab.simulation-record/2"
# Raised whenever the same seed gives other pixels.
ALGORITHM_VERSION = "2.0"
_LIBRARIES = ("numpy", "scipy", "scikit-image", "opencv-python-headless", "numba", "pydicom")
_PACKAGES = ("imaging", "simulation")


@cache
def _found_versions() -> tuple[tuple[str, str], ...]:
    found = {"algorithm": ALGORITHM_VERSION, "source_sha256": source_sha256(), "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed as a distribution"
    return tuple(found.items())


def versions() -> dict[str, str]:
    """Versions of the algorithm, of its source and of the libraries that shape the result."""
    return dict(_found_versions())


@cache
def source_sha256() -> str:
    """Hash of the source of the packages `imaging` and `simulation`; a change of one line changes it."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def pixels_sha256(*images: NDArray[Any]) -> str:
    """Hash of pixel arrays with their shape and type."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(f"{image.dtype.str}{image.shape}".encode())
        digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def json_sha256(body: Any) -> str:
    """Hash of JSON-ready values, independent of the order of keys."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
