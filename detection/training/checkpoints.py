"""Checkpoints from which an interrupted training goes on as if nothing had happened."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from detection.errors import StorageFailed

SCHEMA = "cemlab.checkpoint/1"
_NAME = re.compile(r"epoch-(\d+)(?:-step-(\d+))?\.pt")
_KEPT = 2


def path_of(directory: Path, epoch: int, step: int = 0) -> Path:
    """Checkpoint after `epoch` complete epochs, and `step` further steps when the epoch is unfinished."""
    suffix = f"-step-{step:06d}" if step else ""
    return directory / "checkpoints" / f"epoch-{epoch:03d}{suffix}.pt"


def write(directory: Path, state: dict[str, Any], *, epoch: int, step: int = 0) -> Path:
    """Write a checkpoint whole or not at all, then remove all but the two newest.

    Raises
    ------
    StorageFailed
    """
    path = path_of(directory, epoch, step)
    write_whole(path, lambda temporary: torch.save({"schema": SCHEMA, **state}, temporary))
    for old in _newest_first(directory)[_KEPT:]:
        old.unlink(missing_ok=True)
    return path


def newest(directory: Path, notice: Callable[[str], None]) -> dict[str, Any] | None:
    """State of the newest readable checkpoint, or None; damaged ones are passed over with a notice."""
    for path in _newest_first(directory):
        try:
            _require_intact(path)
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile):
            notice(f"Checkpoint {path.name} is damaged; going back to the one before.")
            continue
        if isinstance(state, dict) and state.get("schema") == SCHEMA:
            return state
        notice(f"Checkpoint {path.name} is of another version; going back to the one before.")
    return None


def _require_intact(path: Path) -> None:
    """Compare every part of the archive with its checksum, which torch does not when it reads.

    Raises
    ------
    BadZipFile
    """
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(damaged)


def write_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write tensors as safetensors, whole or not at all.

    Raises
    ------
    StorageFailed
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write_whole(path, lambda temporary: save_file(tensors, temporary))


def write_whole(path: Path, save: Callable[[Path], object]) -> None:
    """Write to a temporary name, flush to disk, rename.

    Raises
    ------
    StorageFailed
        If the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError, SafetensorError) as error:
        # torch and safetensors do not always say that a disk is full: the space left does.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise StorageFailed(
            f"{path.name} could not be written ({reason}; {_free(path)}).",
            "Check free space and permissions, then start again: the training goes on from its last checkpoint.",
        ) from error


def _free(path: Path) -> str:
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    return f"{shutil.disk_usage(folder).free / 1e9:.2f} GB are free"


def _newest_first(directory: Path) -> list[Path]:
    folder = directory / "checkpoints"
    found = []
    for path in folder.glob("epoch-*.pt"):
        match = _NAME.fullmatch(path.name)
        if match:
            found.append(((int(match[1]), int(match[2] or 0)), path))
    return [path for _, path in sorted(found, reverse=True)]
