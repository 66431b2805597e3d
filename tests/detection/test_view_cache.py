"""Prepared views on disk: found again by content, shared by processes, made anew when damaged or removed."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from detection import view_cache
from detection.errors import StorageFailed, UnreadableSample
from detection.mask_rcnn.detector import MaskRCNNDetector
from detection.mask_rcnn.view_store import prepare_views
from detection.sample_set import Sample, SampleSet
from detection.view_cache import ViewCache, channels_of
from imaging import preprocessing
from tests.detection.conftest import CLUSTER, MASS, tiny

ROOT = Path(__file__).resolve().parents[2]
PRESET = "s000-cluster"


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("views/*/*.safetensors"))


def prepared(folder: Path, sample: Sample, preset: str = PRESET) -> tuple[Any, int]:
    """A view, and how many had to be prepared for it."""
    cache = ViewCache(folder)
    return cache.view(sample, preset), cache.made


def test_a_second_training_finds_what_the_first_has_prepared(views: Any, tmp_path: Path) -> None:
    (sample,) = views([MASS]).samples
    first, made = prepared(tmp_path / "cache", sample)
    again, made_again = prepared(tmp_path / "cache", sample)
    assert (made, made_again) == (1, 0)
    channels, offset = channels_of(sample, PRESET)
    np.testing.assert_array_equal(again.pixels(), channels)
    assert isinstance(again.pixels(), np.memmap)
    assert again.offset == first.offset == offset
    assert again.shape == channels.shape[:2]


def test_the_same_images_under_other_names_are_the_same_view_and_lesions_do_not_count(
    views: Any, tmp_path: Path
) -> None:
    (sample,) = views([MASS]).samples
    moved = {name: tmp_path / f"moved-{name}.png" for name in ("low_energy", "recombined")}
    for name, path in moved.items():
        path.write_bytes(getattr(sample, name).read_bytes())
    prepared(tmp_path / "cache", sample)
    other = dataclasses.replace(sample, **moved, sample_id="other", lesions=(), origin="synthetic")
    assert prepared(tmp_path / "cache", other)[1] == 0
    assert len(entries(tmp_path / "cache")) == 1


def test_another_preset_or_version_of_the_preparation_is_another_view(
    views: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sample,) = views([MASS]).samples
    prepared(tmp_path, sample)
    assert prepared(tmp_path, sample, "s004")[1] == 1
    monkeypatch.setattr(preprocessing, "VERSION", preprocessing.VERSION + 1)
    assert prepared(tmp_path, sample)[1] == 1
    changed = dataclasses.replace(preprocessing.PRESETS[PRESET], tiles=4)
    monkeypatch.setitem(preprocessing.PRESETS, PRESET, changed)
    assert prepared(tmp_path, sample)[1] == 1
    assert len(entries(tmp_path)) == 4


def test_an_image_that_changed_in_place_is_prepared_anew_even_with_its_time_set_back(
    views: Any, tmp_path: Path
) -> None:
    (sample,) = views([MASS]).samples
    before, _ = prepared(tmp_path, sample)
    pixels = cv2.imread(str(sample.recombined), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    status = sample.recombined.stat()
    pixels[40:60, 20:40] = 0
    assert cv2.imwrite(str(sample.recombined), pixels)
    os.utime(sample.recombined, ns=(status.st_atime_ns, status.st_mtime_ns))
    after, made = prepared(tmp_path, sample)
    assert made == 1
    assert not np.array_equal(before.pixels(), after.pixels())


def damage_pixel(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[-7] ^= 1
    path.write_bytes(body)


@pytest.mark.parametrize(
    "damage",
    [
        damage_pixel,
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\xff" * 400),
        lambda path: path.unlink(),
    ],
    ids=["one pixel", "cut off", "empty", "garbage", "gone"],
)
def test_a_damaged_entry_is_noticed_and_made_anew(views: Any, tmp_path: Path, damage: Any) -> None:
    (sample,) = views([MASS]).samples
    prepared(tmp_path, sample)
    (path,) = entries(tmp_path)
    whole = path.read_bytes()
    damage(path)
    view, made = prepared(tmp_path, sample)
    assert made == 1
    assert path.read_bytes() == whole
    np.testing.assert_array_equal(view.pixels(), channels_of(sample, PRESET)[0])


def test_a_damaged_note_of_a_known_sample_costs_a_look_at_the_images_alone(views: Any, tmp_path: Path) -> None:
    (sample,) = views([MASS]).samples
    prepared(tmp_path, sample)
    (known,) = tmp_path.glob("known/*/*")
    key = known.read_text()
    known.write_text("")
    assert prepared(tmp_path, sample)[1] == 0
    assert known.read_text() == key


PREPARING = """
import sys
from pathlib import Path
from detection.mask_rcnn.view_store import prepare_views
from detection.sample_set import SampleSet
samples = SampleSet.read(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
prepare_views(samples, "s000-cluster", Path(sys.argv[2]), progress=lambda event: None, should_stop=lambda: False)
"""


def test_processes_that_prepare_the_same_views_at_the_same_time_do_not_disturb_each_other(
    views: Any, tmp_path: Path
) -> None:
    samples: SampleSet = views(*[[MASS]] * 3, [CLUSTER], [MASS, CLUSTER])
    samples.write(tmp_path / "set.json")
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", PREPARING, str(tmp_path / "set.json"), str(cache)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    processes = [subprocess.Popen(command, **pipes) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert len(entries(cache)) == len(samples.samples)
    assert not list(cache.rglob("*.part"))
    for sample in samples.samples:
        view, made = prepared(cache, sample)
        assert made == 0
        np.testing.assert_array_equal(view.pixels(), channels_of(sample, PRESET)[0])


def test_cleaning_removes_what_was_unused_for_longest_and_a_training_under_way_goes_on(
    views: Any, tmp_path: Path
) -> None:
    samples = views([MASS], [CLUSTER], [MASS, CLUSTER]).samples
    cache = ViewCache(tmp_path)
    made = [cache.view(sample, PRESET) for sample in samples]
    for age, view in zip((30, 10, 20), made, strict=True):
        os.utime(view.path, (1e9 - age, 1e9 - age))
    killed = made[0].path.parent / ".left.part"
    killed.write_bytes(b"x" * 1000)
    os.utime(killed, (1e9, 1e9))
    newest = made[1].path.stat().st_size
    result = cache.prune(newest + made[2].path.stat().st_size - 1)
    assert (result.removed, result.kept, result.kept_bytes) == (2, 1, newest)
    assert entries(tmp_path) == [made[1].path]
    assert len(list(tmp_path.glob("known/*/*"))) == 1
    assert not killed.exists()
    np.testing.assert_array_equal(made[0].pixels(), channels_of(samples[0], PRESET)[0])
    assert cache.made == 4


def test_the_use_of_a_view_counts_for_cleaning(views: Any, tmp_path: Path) -> None:
    old, new = views([MASS], [CLUSTER]).samples
    cache = ViewCache(tmp_path)
    first, second = cache.view(old, PRESET), cache.view(new, PRESET)
    for age, view in ((20, first), (10, second)):
        os.utime(view.path, (1e9 - age, 1e9 - age))
    cache.view(old, PRESET)
    cache.prune(first.path.stat().st_size)
    assert entries(tmp_path) == [first.path]


def test_an_absent_image_is_told_even_when_its_view_is_there(views: Any, tmp_path: Path) -> None:
    (sample,) = views([MASS]).samples
    prepared(tmp_path, sample)
    sample.low_energy.unlink()
    with pytest.raises(UnreadableSample, match="drawn-0: an image file is missing"):
        prepared(tmp_path, sample)


def test_a_folder_that_cannot_be_written_ends_in_words_and_advice(views: Any, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder is wanted")
    with pytest.raises(StorageFailed, match="free space"):
        prepare_views(views([MASS]), PRESET, tmp_path / "cache", progress=lambda event: None, should_stop=lambda: False)


def test_trainings_share_the_folder_they_are_given_and_leave_it(
    views: Any, tmp_path: Path, quiet: dict[str, Any]
) -> None:
    training, validation = views([MASS], [CLUSTER]), views([MASS, CLUSTER])
    heard: list[Mapping[str, Any]] = []
    weights = []
    for name in ("first", "second", "alone"):
        cache = None if name == "alone" else tmp_path / "cache"
        outcome = MaskRCNNDetector().fit(
            training,
            validation,
            tiny(tiles="whole", epochs=1),
            directory=tmp_path / name,
            cache=cache,
            **{**quiet, "progress": heard.append},
        )
        weights.append(outcome.weights_sha256)
        assert not (tmp_path / name / "prepared").exists()
    told = [event["metrics"]["prepared"] for event in heard if "prepared" in event.get("metrics", {})]
    assert told == [1, 2, 1, 0, 0, 1, 2, 1]
    assert len(entries(tmp_path / "cache")) == 3
    assert len(set(weights)) == 1


def test_the_command_cleans_the_folder(views: Any, tmp_path: Path) -> None:
    prepared(tmp_path / "cache", views([MASS]).samples[0])
    result = subprocess.run(
        [sys.executable, "-m", "detection", "clean", "--cache", str(tmp_path / "cache"), "--keep-gigabytes", "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(result.stdout)["removed"] == 1
    assert entries(tmp_path / "cache") == []


def test_the_cache_imports_no_torch() -> None:
    code = f"import sys, {view_cache.__name__}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
