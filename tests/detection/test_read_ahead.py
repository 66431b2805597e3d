"""Batches made ahead by threads: the same ones in the same order, errors where they belong, nothing left running."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from detection.errors import Interrupted
from detection.mask_rcnn.tile_batches import TrainingBatches
from detection.mask_rcnn.tile_set import TileSet
from detection.mask_rcnn.view_store import prepare_views
from detection.training.batches import Batch
from detection.training.read_ahead import read_ahead, threads_for
from tests.detection.conftest import CLUSTER, MASS, tiny
from tests.detection.test_training import Numbers, StopAt, small_run


class Counted:
    """Batches that hold their number; the even ones take longer, so that threads overtake each other."""

    def __init__(self, *, failing: int | None = None, pause: float = 0.002) -> None:
        self.asked: list[int] = []
        self.failing = failing
        self.pause = pause

    def steps(self) -> int:
        return 100

    def images(self) -> int:
        return 100

    def batch(self, epoch: int, step: int) -> Batch:
        self.asked.append(step)
        if step == self.failing:
            raise FileNotFoundError("gone")
        time.sleep(self.pause * (1 + step % 2))
        return [torch.tensor([float(step)])], [{}]


def threads_alive() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("batches")]


POSITIONS = [(0, step) for step in range(20)]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_batches_come_in_order_whatever_the_number_of_threads(threads: int) -> None:
    with read_ahead(Counted(), POSITIONS, threads=threads, pinned=False) as batches:
        assert [int(images[0]) for images, _ in batches] == list(range(20))
    assert threads_alive() == []


def test_the_next_batches_are_made_before_they_are_asked_for_and_not_too_many() -> None:
    source = Counted(pause=0.0)
    with read_ahead(source, POSITIONS, threads=2, pinned=False) as batches:
        next(batches)
        deadline = time.monotonic() + 5
        while len(source.asked) < 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.02)
        assert sorted(source.asked) == [0, 1, 2, 3]


def test_an_error_comes_where_its_batch_is_asked_for() -> None:
    with (
        pytest.raises(FileNotFoundError, match="gone"),
        read_ahead(Counted(failing=3), POSITIONS, threads=2, pinned=False) as batches,
    ):
        got = [int(next(batches)[0][0]) for _ in range(3)]
        assert got == [0, 1, 2]
        next(batches)
    assert threads_alive() == []


def test_leaving_early_drops_what_is_not_begun_and_ends_the_threads() -> None:
    source = Counted(pause=0.01)
    with pytest.raises(KeyboardInterrupt), read_ahead(source, POSITIONS, threads=2, pinned=False) as batches:
        next(batches)
        raise KeyboardInterrupt
    assert len(source.asked) <= 5
    assert threads_alive() == []


def test_an_empty_list_of_positions_gives_nothing() -> None:
    with read_ahead(Counted(), [], threads=2, pinned=False) as batches:
        assert list(batches) == []


def test_a_training_that_is_stopped_or_fails_leaves_no_thread(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        small_run(tmp_path / "stopped", should_stop=StopAt(3)).run()
    assert threads_alive() == []

    class Failing(Numbers):
        def batch(self, epoch: int, step: int) -> Any:
            if (epoch, step) == (1, 2):
                raise RuntimeError("the mask of view 7 is odd")
            return super().batch(epoch, step)

    with pytest.raises(RuntimeError, match="view 7"):
        small_run(tmp_path / "failed", training=Failing(1.0, 1.0, 1.0, 1.0)).run()
    assert threads_alive() == []


@pytest.mark.parametrize("threads", [1, 4])
def test_augmented_tiles_are_the_same_however_they_are_made(views: Any, tmp_path: Path, threads: int) -> None:
    samples = views([MASS], [CLUSTER], [MASS, CLUSTER], [])
    prepared = prepare_views(
        samples, "s000-cluster", tmp_path / "cache", progress=lambda event: None, should_stop=lambda: False
    )
    configuration = tiny(tiles="half-3x3", lesion_free_share=0.5, sampling="balanced")

    def source() -> TrainingBatches:
        return TrainingBatches(TileSet(prepared, configuration), batch_size=2, seed=3)

    reference = source()
    # across the end of a pass, as in a training by steps
    positions = [(epoch, step) for epoch in (0, 1) for step in range(reference.steps())]
    expected = [reference.batch(*position) for position in positions]
    with read_ahead(source(), positions, threads=threads, pinned=False) as batches:
        for (images, targets), (images_expected, targets_expected) in zip(batches, expected, strict=True):
            assert all(torch.equal(*pair) for pair in zip(images, images_expected, strict=True))
            for target, wanted in zip(targets, targets_expected, strict=True):
                assert all(torch.equal(target[name], wanted[name]) for name in wanted)


def test_one_thread_stands_beside_a_network_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads_for(torch.device("cpu"), 1) == 1
    monkeypatch.setattr("detection.training.read_ahead.os.cpu_count", lambda: 16)
    assert threads_for(torch.device("cuda"), 1) == 8
    assert threads_for(torch.device("cuda"), 4) == 2
    monkeypatch.setattr("detection.training.read_ahead.os.cpu_count", lambda: 1)
    assert threads_for(torch.device("cuda"), 2) == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is present")
def test_batches_for_cuda_lie_in_page_locked_memory() -> None:
    with read_ahead(Counted(), POSITIONS, threads=2, pinned=True) as batches:
        assert next(batches)[0][0].is_pinned()
