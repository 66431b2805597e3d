"""The training loop: it resumes exactly, keeps the best epoch, and says what is wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from detection.configuration import MaskRCNNConfiguration
from detection.errors import (
    CheckpointMismatch,
    Interrupted,
    NonFiniteLoss,
    OutOfMemory,
)
from detection.sample_set import SampleSet
from detection.training import checkpoints
from detection.training.devices import memory_errors
from detection.training.loop import TrainingLoop
from detection.training.schedule import learning_rate_factor
from tests.detection.conftest import tiny


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


# A network of one number in place of the detector: the loop is the same, and every loss is known beforehand.


class OneNumber(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]]) -> Mapping[str, Tensor]:
        noise = torch.rand(1) * 0.01
        return {"loss": ((self.value - images[0].mean()) ** 2).sum() + noise.sum()}


class Numbers:
    """Batches of one image holding one number each, by epoch and step."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def steps(self) -> int:
        return len(self.values)

    def images(self) -> int:
        return len(self.values)

    def batch(self, epoch: int, step: int) -> Any:
        return [torch.full((3, 1, 1), self.values[(step + epoch) % len(self.values)])], [{}]


def small_run(directory: Path, **changes: Any) -> TrainingLoop:
    arguments: dict[str, Any] = {
        "training": Numbers(1.0, 1.0, 1.0, 1.0),
        "validation": Numbers(0.5),
        "should_stop": lambda: False,
        "progress": lambda event: None,
        "identity": "same",
        **changes,
    }
    configuration = MaskRCNNConfiguration(
        optimiser="sgd", learning_rate=0.03, momentum=0.0, weight_decay=0.0, epochs=6, batch_size=1
    )
    torch.manual_seed(0)
    return TrainingLoop(
        OneNumber(),
        arguments["training"],
        arguments["validation"],
        configuration,
        identity=arguments["identity"],
        directory=directory,
        device=torch.device("cpu"),
        progress=arguments["progress"],
        should_stop=arguments["should_stop"],
    )


class StopAt:
    """Says stop at the n-th question."""

    def __init__(self, question: int) -> None:
        self.left = question

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_the_epoch_with_the_lowest_validation_loss_is_kept(tmp_path: Path) -> None:
    curve, best = small_run(tmp_path).run()
    losses = [entry.validation_loss for entry in curve]
    # The number rises towards 1 and passes 0.5, the validation optimum, on its way.
    assert 1 < best < 6
    assert losses[best - 1] == min(losses)
    assert abs(float(load_file(tmp_path / "best.safetensors")["value"]) - 0.5) < 0.2


@pytest.mark.parametrize("question", range(1, 30))
def test_stopping_anywhere_and_going_on_gives_the_same_curve_bit_for_bit(tmp_path: Path, question: int) -> None:
    reference, best = small_run(tmp_path / "whole").run()
    with pytest.raises(Interrupted) as caught:
        small_run(tmp_path / "halves", should_stop=StopAt(question)).run()
    assert caught.value.checkpoint is not None
    assert caught.value.checkpoint.exists()
    resumed, resumed_best = small_run(tmp_path / "halves").run()
    assert resumed == reference
    assert resumed_best == best
    whole, halves = (load_file(tmp_path / name / "best.safetensors") for name in ("whole", "halves"))
    assert torch.equal(whole["value"], halves["value"])


def test_a_damaged_newest_checkpoint_is_passed_over_with_a_notice(tmp_path: Path) -> None:
    reference, _ = small_run(tmp_path / "whole").run()
    with pytest.raises(Interrupted) as caught:
        small_run(tmp_path / "halves", should_stop=StopAt(17)).run()
    newest = caught.value.checkpoint
    assert newest is not None
    newest.write_bytes(newest.read_bytes()[:100])
    heard: list[Mapping[str, Any]] = []
    resumed, _ = small_run(tmp_path / "halves", progress=heard.append).run()
    assert resumed == reference
    assert any(event["event"] == "log" and newest.name in event["message"] for event in heard)


def test_a_checkpoint_with_one_wrong_bit_is_passed_over(tmp_path: Path) -> None:
    reference, _ = small_run(tmp_path / "whole").run()
    with pytest.raises(Interrupted) as caught:
        small_run(tmp_path / "halves", should_stop=StopAt(17)).run()
    newest = caught.value.checkpoint
    assert newest is not None
    weight = torch.load(newest, weights_only=True)["model"]["value"].numpy().tobytes()
    content = newest.read_bytes()
    assert content.count(weight) == 1
    newest.write_bytes(content.replace(weight, weight[:-1] + bytes([weight[-1] ^ 1])))
    assert torch.load(newest, weights_only=True), "torch itself reads it without a word"
    heard: list[Mapping[str, Any]] = []
    assert small_run(tmp_path / "halves", progress=heard.append).run()[0] == reference
    assert any(f"{newest.name} is damaged" in event["message"] for event in heard if event["event"] == "log")


def test_checkpoints_of_another_training_are_refused(tmp_path: Path) -> None:
    small_run(tmp_path).run()
    with pytest.raises(CheckpointMismatch, match="another configuration"):
        small_run(tmp_path, identity="other").run()


def test_only_the_two_newest_checkpoints_stay(tmp_path: Path) -> None:
    small_run(tmp_path).run()
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["epoch-005.pt", "epoch-006.pt"]


def test_progress_tells_every_step_and_epoch_with_the_time_left(tmp_path: Path) -> None:
    heard: list[Mapping[str, Any]] = []
    small_run(tmp_path, progress=heard.append).run()
    steps = [event for event in heard if event["event"] == "step"]
    assert [(event["epoch"], event["step"]) for event in steps] == [
        (epoch, step) for epoch in range(1, 7) for step in range(1, 5)
    ]
    assert all(event["metrics"]["seconds_left"] >= 0 for event in steps)
    assert {"training_loss", "learning_rate", "images_per_second"} <= set(steps[0]["metrics"])
    epochs = [event for event in heard if event["event"] == "epoch"]
    assert [event["epoch"] for event in epochs] == [1, 2, 3, 4, 5, 6]
    assert epochs[-1]["metrics"]["seconds_left"] == 0
    assert [event["message"] for event in heard if event["event"] == "checkpoint"][-1] == "epoch-006.pt"
    json.dumps(heard)


def test_a_loss_that_is_no_number_ends_the_training_with_place_and_advice(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLoss, match="epoch 1, step 3") as caught:
        small_run(tmp_path, training=Numbers(1.0, 1.0, float("nan"), 1.0)).run()
    assert "learning rate" in caught.value.advice
    assert not (tmp_path / "best.safetensors").exists()


def test_a_validation_loss_that_is_no_number_is_never_the_best(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLoss):
        small_run(tmp_path, validation=Numbers(float("inf"))).run()


def test_running_out_of_memory_is_told_with_advice() -> None:
    with pytest.raises(OutOfMemory, match="batch_size"), memory_errors(torch.device("cpu")):
        torch.empty(2**60, dtype=torch.uint8)


def test_a_checkpoint_is_never_half_written(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_text("before")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(Exception, match="could not be written"):
        checkpoints.write_whole(path, fail)
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]


def test_the_learning_rate_warms_up_and_follows_its_course() -> None:
    factors = [learning_rate_factor(step, warm_up_steps=10, total_steps=110, schedule="cosine") for step in range(110)]
    assert factors[0] == pytest.approx(1e-3)
    assert factors[10] == pytest.approx(1.0)
    assert factors[60] == pytest.approx(0.505, abs=0.02)
    assert factors[-1] == pytest.approx(1e-2)
    assert learning_rate_factor(5000, warm_up_steps=0, total_steps=10, schedule="constant") == 1.0


def write_sets(folder: Path, training: SampleSet, validation: SampleSet, epochs: int) -> list[str]:
    training.write(folder / "training.json")
    validation.write(folder / "validation.json")
    configuration = tiny(tiles="whole", epochs=epochs, batch_size=1)
    (folder / "configuration.json").write_text(configuration.to_json())
    return [
        *(sys.executable, "-m", "detection", "train"),
        *("--training", str(folder / "training.json"), "--validation", str(folder / "validation.json")),
        *("--configuration", str(folder / "configuration.json"), "--out", str(folder / "run")),
    ]
