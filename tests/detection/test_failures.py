"""How trainings end badly: in a clear state, with words and advice, and able to go on."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor
from torchvision.models.detection import MaskRCNN

from detection.errors import NonFiniteLoss, OutOfMemory, StorageFailed, UnsuitableWeights
from detection.mask_rcnn.detector import MaskRCNNDetector
from detection.training import checkpoints
from tests.detection.conftest import CLUSTER, MASS, tiny
from tests.detection.test_training import small_run, write_sets

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def broken_at(step: int, failure: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the network fail at a training step, from 1; `failure` raises, or gives a factor for the losses."""
    forward = MaskRCNN.forward
    steps = 0

    def failing(self: MaskRCNN, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None) -> Any:
        nonlocal steps
        steps += self.training and torch.is_grad_enabled()
        losses = forward(self, images, targets)
        return {name: loss * failure() for name, loss in losses.items()} if steps == step else losses

    monkeypatch.setattr(MaskRCNN, "forward", failing)


def out_of_memory() -> float:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.mark.parametrize(
    ("failure", "kind", "advice"),
    [(out_of_memory, OutOfMemory, "batch_size"), (lambda: float("nan"), NonFiniteLoss, "learning rate")],
    ids=["out of memory", "not a number"],
)
def test_a_detector_that_fails_in_its_second_epoch_keeps_the_first_and_can_go_on(
    views: Any,
    tmp_path: Path,
    quiet: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    failure: Callable[[], Any],
    kind: type[Exception],
    advice: str,
) -> None:
    training, validation = views([MASS], [CLUSTER]), views([MASS])
    configuration = tiny(tiles="whole", batch_size=1)
    whole = MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path / "whole", **quiet)
    with monkeypatch.context() as patched, pytest.raises(kind, match=advice):
        broken_at(4, failure, patched)
        MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path / "run", **quiet)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["epoch-001.pt"]
    assert not (tmp_path / "run" / "outcome.json").exists()
    again = MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path / "run", **quiet)
    assert again.weights_sha256 == whole.weights_sha256


def full(error: Exception) -> Callable[..., None]:
    def fail(*_: Any) -> None:
        raise error

    return fail


DISK_FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("torch.save", DISK_FULL),
        ("torch.save", RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos 576 vs 534")),
        ("save_file", SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")),
        ("os.fsync", DISK_FULL),
    ],
)
def test_a_full_disk_ends_the_training_in_words_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, error: Exception
) -> None:
    reference, _ = small_run(tmp_path / "whole").run()
    epochs: list[int] = []

    def listen(event: Mapping[str, Any]) -> None:
        if event["event"] == "epoch":
            epochs.append(event["epoch"])
            if event["epoch"] == 2:
                monkeypatch.setattr(f"detection.training.checkpoints.{where}", full(error))

    with pytest.raises(StorageFailed, match=r"GB are free.*free space.*last checkpoint"):
        small_run(tmp_path / "run", progress=listen).run()
    monkeypatch.undo()
    assert epochs == [1, 2]
    assert not list((tmp_path / "run").rglob("*.part"))
    assert checkpoints.newest(tmp_path / "run", lambda text: None) is not None
    assert small_run(tmp_path / "run").run()[0] == reference


@pytest.mark.slow
def test_files_that_may_not_grow_end_the_command_in_a_sentence(views: Any, tmp_path: Path) -> None:
    command = write_sets(tmp_path, views([MASS]), views([MASS]), epochs=1)

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, preexec_fn=small_files_only, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1, result.stderr
    assert "best.safetensors could not be written" in result.stderr
    assert "Check free space" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list((tmp_path / "run").rglob("*.part"))
    assert all(json.loads(line)["event"] for line in result.stdout.splitlines())


def test_a_cut_off_weights_file_ends_the_training_before_it_starts(
    views: Any, tmp_path: Path, quiet: dict[str, Any]
) -> None:
    samples = views([MASS])
    configuration = tiny(tiles="whole", epochs=1)
    MaskRCNNDetector().fit(samples, samples, configuration, directory=tmp_path / "first", **quiet)
    whole = (tmp_path / "first" / "best.safetensors").read_bytes()
    for name, content in (("cut.safetensors", whole[: len(whole) // 2]), ("cut.pth", b"PK\x03\x04" + whole[:500])):
        given = tmp_path / name
        given.write_bytes(content)
        with pytest.raises(UnsuitableWeights, match="Copy it again"):
            MaskRCNNDetector().fit(
                samples,
                samples,
                tiny(tiles="whole", epochs=1, initial_weights=str(given)),
                directory=tmp_path / "second",
                **quiet,
            )
        assert not (tmp_path / "second").exists()
