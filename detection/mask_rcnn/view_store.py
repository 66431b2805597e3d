"""The views of a sample set, prepared once and then memory-mapped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from detection.detector import Progress, ShouldStop
from detection.errors import Interrupted, StorageFailed
from detection.sample_set import Sample, SampleSet
from detection.view_cache import StoredView, ViewCache


def prepare_views(
    sample_set: SampleSet, preset: str, directory: Path, *, progress: Progress, should_stop: ShouldStop
) -> list[StoredView]:
    """Prepare every sample of a set, or find it prepared in `directory`; go on where an earlier process was left.

    Parameters
    ----------
    preset : str
        Name in `imaging.preprocessing.PRESETS`.
    directory : Path
        Folder of a `ViewCache`; any number of sets, trainings and processes may share it.

    Raises
    ------
    UnreadableSample
        Naming the sample, with the reason.
    Interrupted
    StorageFailed
    """
    samples = sample_set.samples
    cache = ViewCache(directory)
    views = []
    try:
        for index, sample in enumerate(samples):
            if should_stop():
                raise Interrupted(None)
            made = cache.made
            views.append(cache.view(sample, preset))
            if cache.made > made or index + 1 == len(samples):
                progress(_told(sample_set.name, index + 1, cache.made, samples))
    except OSError as error:
        raise StorageFailed(
            f"Prepared images could not be written ({error.strerror}).", "Check free space and permissions."
        ) from error
    return views


def _told(name: str, ready: int, made: int, samples: Sequence[Sample]) -> dict[str, object]:
    return {
        "event": "log",
        "message": f"{name}: {ready} of {len(samples)} views ready, {made} prepared now",
        "metrics": {"ready": ready, "prepared": made, "views": len(samples)},
    }
