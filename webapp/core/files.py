"""Files under the data folder: opaque names, written aside and renamed, so that no reader sees half a file."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path

from django.conf import settings


def absolute(relative: str) -> Path:
    """Path on disk of a stored file.

    Raises
    ------
    ValueError
        If the stored name points outside the data folder.
    """
    root = Path(settings.FILES_ROOT).resolve()
    path = (root / relative).resolve()
    if not path.is_relative_to(root):
        raise ValueError("stored file name points outside the data folder")
    return path


def new_name(area: str, suffix: str) -> str:
    """A fresh opaque relative name such as ``images/3f/3f0c….dcm``."""
    key = uuid.uuid4().hex
    return f"{area}/{key[:2]}/{key}{suffix}"


def write(relative: str, content: bytes) -> Path:
    """Store bytes under a relative name, atomically and flushed to disk."""
    return write_with(relative, lambda path: path.write_bytes(content))


def write_with(relative: str, writer: Callable[[Path], object]) -> Path:
    """Let `writer` fill a temporary file beside the target, then rename it into place.

    The temporary file is removed when `writer` fails.
    """
    target = absolute(relative)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}{target.suffix}")
    try:
        writer(draft)
        with draft.open("rb") as handle:
            os.fsync(handle.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return target


def sha256(path: Path) -> str:
    """Hex digest of a file, read in blocks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
