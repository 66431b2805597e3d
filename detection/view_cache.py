"""Prepared views kept on disk from one training to the next: one file a view, memory-mapped, found by content.

Trainings of any arm, seed and experiment share the folder, also while they run at the same time. A file appears under
its final name whole or not at all; two processes that prepare the same view write the same bytes, and the later one
replaces the earlier. What is damaged or gone is made anew from the images. Imports no torch.

Layout: ``views/<2 digits>/<key>.safetensors`` holds the pixels; ``known/<2 digits>/<digest>`` holds the key of a sample
whose files have not changed since it was worked out, so that images are read for their digest once and not at every
start.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from detection.errors import UnreadableSample
from detection.sample_set import Sample
from imaging import preprocessing
from imaging.errors import ImagingError
from imaging.reading import read_pair

SCHEMA = "cemlab.prepared-view/1"
_TENSOR, _NOTE = "channels", "note"
_KEY_LENGTH = 64
_LEFT_OVER_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class StoredView:
    """One prepared view.

    Attributes
    ----------
    sample : Sample
    shape : (rows, columns)
        Of the breast crop.
    offset : (x, y)
        Outer corner of the crop in the view, whole pixels.
    path : Path
        Safetensors file, one tensor ``channels``.
    cache, preset
        Where and how the view is made anew should its file be gone.
    """

    sample: Sample
    shape: tuple[int, int]
    offset: tuple[int, int]
    path: Path
    preset: str
    cache: ViewCache

    def pixels(self) -> NDArray[np.uint8]:
        """Memory-mapped channels, uint8, shape (rows, columns, 3).

        Raises
        ------
        UnreadableSample
            If the file was removed from the cache meanwhile and the images cannot be read any more.
        """
        try:
            return _mapped(self.path, self.shape)
        except FileNotFoundError:
            return _mapped(self.cache.view(self.sample, self.preset).path, self.shape)


@dataclass(frozen=True)
class Pruned:
    """What a cleaning removed and left: files and bytes."""

    removed: int
    removed_bytes: int
    kept: int
    kept_bytes: int


class ViewCache:
    """Folder of prepared views.

    Parameters
    ----------
    directory : Path
        Made when first written to.

    Attributes
    ----------
    made : int
        Views prepared by this object, not found ready.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.made = 0

    def view(self, sample: Sample, preset: str) -> StoredView:
        """The prepared view of a sample: found, or prepared now.

        Parameters
        ----------
        preset : str
            Name in `imaging.preprocessing.PRESETS`.

        Raises
        ------
        UnreadableSample
            Naming the sample, with the reason.
        OSError
            If the folder cannot be written.
        """
        key = self._key(sample, preset)
        path = self._directory / "views" / key[:2] / f"{key}.safetensors"
        found = _checked(path)
        if found is None:
            channels, (x, y) = channels_of(sample, preset)
            # one entry of metadata, since safetensors writes several in varying order
            note = json.dumps({"schema": SCHEMA, "offset": [x, y], "crc32": _checksum(channels, (x, y))})
            _write_whole(path, save({_TENSOR: channels}, metadata={_NOTE: note}))
            self.made += 1
            found = (int(channels.shape[0]), int(channels.shape[1])), (x, y)
        else:
            with suppress(OSError):  # the time of last use; another's file may not be ours to touch
                os.utime(path)
        return StoredView(sample, *found, path, preset, self)

    def prune(self, keep_bytes: int) -> Pruned:
        """Remove the views unused for longest until the rest takes at most `keep_bytes`; safe while trainings run.

        Left-over partial files of killed processes go after a day.
        """
        entries = []
        for path in (self._directory / "views").glob("*/*.safetensors"):
            with suppress(FileNotFoundError):
                status = path.stat()
                entries.append((status.st_mtime_ns, status.st_size, path))
        kept, kept_bytes = 0, 0
        removed, removed_bytes = 0, 0
        for _, size, path in sorted(entries, reverse=True):
            if kept_bytes + size <= keep_bytes and not removed:
                kept, kept_bytes = kept + 1, kept_bytes + size
            else:
                path.unlink(missing_ok=True)
                removed, removed_bytes = removed + 1, removed_bytes + size
        present = {path.stem for path in (self._directory / "views").glob("*/*.safetensors")}
        for known in (self._directory / "known").glob("*/*"):
            with suppress(FileNotFoundError):
                if not known.name.startswith(".") and known.read_text() not in present:
                    known.unlink()
        for part in self._directory.glob("*/*/.*.part"):
            with suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > _LEFT_OVER_SECONDS:
                    part.unlink()
        return Pruned(removed, removed_bytes, kept, kept_bytes)

    def _key(self, sample: Sample, preset: str) -> str:
        """Digest of the images' bytes and of everything that decides how they are prepared."""
        settings = [*_preparation(preset), sample.laterality, sample.view_position, sample.spacing_mm]
        files = (sample.low_energy, sample.recombined)
        try:
            states = [[str(path.resolve()), *_state(path)] for path in files]
        except OSError as error:
            raise _unreadable(sample, error) from error
        known = self._known(states, settings)
        with suppress(FileNotFoundError):
            key = known.read_text()
            if len(key) == _KEY_LENGTH:
                return key
        try:
            contents = [_digest(path) for path in files]
        except OSError as error:
            raise _unreadable(sample, error) from error
        key = hashlib.sha256(json.dumps([SCHEMA, contents, settings], sort_keys=True).encode()).hexdigest()
        _write_whole(known, key.encode())
        return key

    def _known(self, states: list[list[object]], settings: list[object]) -> Path:
        digest = hashlib.sha256(json.dumps([SCHEMA, states, settings], sort_keys=True).encode()).hexdigest()
        return self._directory / "known" / digest[:2] / digest


def channels_of(sample: Sample, preset: str) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Channels, shape (rows, columns, 3), and crop corner (x, y) of one sample.

    Raises
    ------
    UnreadableSample
    """
    try:
        pair = read_pair(
            sample.low_energy,
            sample.recombined,
            laterality=sample.laterality,
            view_position=sample.view_position,
            spacing_mm=sample.spacing_mm,
        )
        prepared = preprocessing.preprocess(pair, preset)
    except ImagingError as error:
        raise UnreadableSample(
            f"Sample {sample.sample_id}: {error}", "Correct or remove the sample, then start again."
        ) from error
    except OSError as error:
        raise _unreadable(sample, error) from error
    row0, _, column0, _ = prepared.crop
    return np.ascontiguousarray(prepared.channels), (int(column0), int(row0))


def _unreadable(sample: Sample, error: OSError) -> UnreadableSample:
    what = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
    return UnreadableSample(
        f"Sample {sample.sample_id}: an image file {what}.", "Restore it or remove the sample, then start again."
    )


def _preparation(preset: str) -> list[object]:
    """What the pixels of a prepared view depend on besides the images: the rule, its version, the libraries'."""
    libraries = [cv2.__version__, metadata.version("scikit-image")]
    return [preprocessing.VERSION, asdict(preprocessing.PRESETS[preset]), libraries]


def _state(path: Path) -> tuple[int, int, int, int]:
    """Changes whenever the content of a file may have; the time of change cannot be set by a program."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _checked(path: Path) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Shape and offset of a stored view; None when it is absent or not what was written."""
    try:
        with safe_open(path, framework="numpy") as stored:
            note = json.loads((stored.metadata() or {})[_NOTE])
            rows, columns, _ = stored.get_slice(_TENSOR).get_shape()
        shape, offset = (int(rows), int(columns)), (int(note["offset"][0]), int(note["offset"][1]))
        intact = _checksum(_mapped(path, shape), offset) == note["crc32"]
    except (FileNotFoundError, SafetensorError, KeyError, ValueError):
        return None
    return (shape, offset) if intact else None


def _checksum(channels: NDArray[np.uint8], offset: tuple[int, int]) -> int:
    return zlib.crc32(channels.data, zlib.crc32(json.dumps([*channels.shape, *offset]).encode()))


def _mapped(path: Path, shape: tuple[int, int]) -> NDArray[np.uint8]:
    # safetensors: eight bytes with the length of the header, the header, then the one tensor
    with path.open("rb") as handle:
        header = int.from_bytes(handle.read(8), "little")
        return np.memmap(handle, dtype=np.uint8, mode="r", offset=8 + header, shape=(*shape, 3))


def _write_whole(path: Path, content: bytes) -> None:
    """Write under a name no other process uses, then rename; content is checked when read, so no flush is needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
