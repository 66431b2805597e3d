"""Prepared views on disk: preprocessing runs once a training, the pixels are then memory-mapped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.detector import Progress, ShouldStop
from detection.errors import Interrupted, StorageFailed, UnreadableSample
from detection.sample_set import Sample, SampleSet
from imaging.errors import ImagingError
from imaging.preprocessing import preprocess
from imaging.reading import read_pair


@dataclass(frozen=True)
class StoredView:
    """One prepared view.

    Attributes
    ----------
    sample : Sample
    path : Path
        .npy file, uint8, shape (rows, columns, 3): the breast crop.
    shape : (rows, columns) of the crop
    offset : (x, y)
        Outer corner of the crop in the view, whole pixels.
    """

    sample: Sample
    path: Path
    shape: tuple[int, int]
    offset: tuple[int, int]

    def pixels(self) -> NDArray[np.uint8]:
        """Memory-mapped channels, shape (rows, columns, 3)."""
        channels: NDArray[np.uint8] = np.load(self.path, mmap_mode="r")
        return channels


def prepare_views(
    sample_set: SampleSet, preset: str, directory: Path, *, progress: Progress, should_stop: ShouldStop
) -> list[StoredView]:
    """Preprocess every sample of a set into a folder of its own under `directory`; go on where it was left.

    Parameters
    ----------
    preset : str
        Name in `imaging.preprocessing.PRESETS`.
    directory : Path
        Several sets may share it.

    Raises
    ------
    UnreadableSample
        Naming the sample, with the reason.
    Interrupted
    StorageFailed
    """
    folder = directory / _fingerprint(sample_set.samples, preset)[:16]
    views = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for index, sample in enumerate(sample_set.samples):
            if should_stop():
                raise Interrupted(None)
            views.append(_prepare(sample, preset, folder / f"{index:06d}"))
            progress(
                {
                    "event": "log",
                    "message": f"{sample_set.name}: prepared {index + 1} of {len(sample_set.samples)} views",
                    "metrics": {"prepared": index + 1, "to_prepare": len(sample_set.samples)},
                }
            )
    except OSError as error:
        raise StorageFailed(
            f"Prepared images could not be written ({error.strerror}).", "Check free space and permissions."
        ) from error
    return views


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
        prepared = preprocess(pair, preset)
    except ImagingError as error:
        raise UnreadableSample(
            f"Sample {sample.sample_id}: {error}", "Correct or remove the sample, then start again."
        ) from error
    except OSError as error:
        raise UnreadableSample(
            f"Sample {sample.sample_id}: an image file cannot be read ({error.strerror}).",
            "Restore it or remove the sample.",
        ) from error
    row0, _, column0, _ = prepared.crop
    return prepared.channels, (int(column0), int(row0))


def _prepare(sample: Sample, preset: str, stem: Path) -> StoredView:
    pixels_path, note_path = stem.with_suffix(".npy"), stem.with_suffix(".json")
    if not note_path.exists():
        channels, offset = channels_of(sample, preset)
        temporary = stem.with_suffix(".part.npy")
        np.save(temporary, channels)
        temporary.replace(pixels_path)
        note = stem.with_suffix(".part.json")
        note.write_text(json.dumps({"shape": channels.shape[:2], "offset": offset}))
        note.replace(note_path)
    kept: dict[str, Any] = json.loads(note_path.read_text())
    (rows, columns), (x, y) = kept["shape"], kept["offset"]
    return StoredView(sample, pixels_path, (rows, columns), (x, y))


def _fingerprint(samples: Sequence[Sample], preset: str) -> str:
    """Changes with the preset, the order of the samples and the size or time of any file."""
    digest = hashlib.sha256(preset.encode())
    for sample in samples:
        for path in (sample.low_energy, sample.recombined):
            try:
                status = path.stat()
            except FileNotFoundError as error:
                raise UnreadableSample(
                    f"Sample {sample.sample_id}: an image file is missing.",
                    "Restore it or remove the sample.",
                ) from error
            digest.update(f"{sample.sample_id}|{path}|{status.st_size}|{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
