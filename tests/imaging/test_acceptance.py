"""Each file gets a verdict in plain words, within bounds, and a sandbox outlives every file."""

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from imaging.acceptance import verdict
from imaging.pair import CEMPair
from imaging.sandbox import Sandbox

Write = Callable[..., Path]


def test_a_good_image_is_accepted_with_its_facts(write: Write) -> None:
    found = verdict(write())
    assert found.accepted
    assert found.reason == ""
    assert found.facts["kind"] == "low_energy"
    assert (found.facts["laterality"], found.facts["view_position"]) == ("L", "MLO")
    assert (found.facts["rows"], found.facts["columns"], found.facts["bits_stored"]) == (480, 400, 12)
    assert found.facts["synthetic"] is False


def test_what_a_person_must_still_say_is_said(write: Write) -> None:
    path = write()
    dataset = pydicom.dcmread(path)
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    del dataset.ImageLaterality
    dataset.save_as(path)
    found = verdict(path)
    assert found.accepted
    assert "Say which it is" in found.reason
    assert "left from right" in found.reason


@pytest.fixture(scope="module")
def hostile(shared_data: Path) -> list[Path]:
    return sorted((shared_data / "dicom-malformed").glob("*.dcm")) + sorted((shared_data / "dicom-mg").glob("*.dcm"))


def test_every_malformed_file_gets_a_verdict_in_plain_words_within_its_bounds(hostile: list[Path]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in hostile:
        start = time.process_time()
        found = verdict(path)
        assert time.process_time() - start < 15, path.name
        assert found.accepted or found.reason.endswith("."), path.name
        assert not any(word in found.reason for word in ("Traceback", "Error(", "0x", "None")), path.name
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2 * 2**20  # KiB


def test_the_sandbox_says_the_same_as_reading_in_the_process(hostile: list[Path]) -> None:
    with Sandbox() as sandbox:
        for path in hostile[::5]:
            assert sandbox.verdict(path) == verdict(path)


def test_the_sandbox_hands_over_pixels(write: Write, pair: CEMPair) -> None:
    with Sandbox() as sandbox:
        found, image = sandbox.inspect(write(photometric="MONOCHROME1"))
    assert found.accepted
    assert image is not None
    assert np.array_equal(image.pixels, pair.low_energy)
    assert image.windows
    assert image.spacing_mm == (0.1, 0.1)


def test_a_file_that_never_ends_is_stopped_and_the_next_one_is_read(write: Write, tmp_path: Path) -> None:
    pipe = tmp_path / "endless"
    os.mkfifo(pipe)  # opening it waits for a writer that never comes
    with Sandbox() as sandbox:
        assert sandbox.verdict(write()).accepted
        sandbox._seconds = 0.5
        stopped = sandbox.verdict(pipe)
        assert not stopped.accepted
        assert "stopped" in stopped.reason
        sandbox._seconds = 15
        assert sandbox.verdict(write()).accepted


def test_a_worker_that_dies_or_lacks_memory_becomes_a_refusal(write: Write) -> None:
    path = write()
    with Sandbox() as sandbox:
        assert sandbox.verdict(path).accepted
        assert sandbox._process is not None
        sandbox._process.kill()
        sandbox._process.wait()
        assert sandbox.verdict(path).accepted
    with Sandbox(memory_bytes=64 * 2**20) as starved:
        refused = starved.verdict(path)
    assert not refused.accepted
    assert refused.reason.endswith(".")
