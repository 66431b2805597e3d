"""Training: it learns, it resumes exactly, it survives being killed, and it says what is wrong."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
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
    DeviceUnavailable,
    EmptySampleSet,
    Interrupted,
    MissingWeights,
    NonFiniteLoss,
    NotTrained,
    OutOfMemory,
    UnreadableModel,
)
from detection.findings_file import read_findings
from detection.mask_rcnn.detector import MaskRCNNDetector
from detection.sample_set import SampleSet
from detection.training import checkpoints
from detection.training.devices import memory_errors, resolve
from detection.training.loop import TrainingLoop
from detection.training.schedule import learning_rate_factor
from imaging.reading import read_pair
from tests.detection.conftest import CLUSTER, MASS, tiny

ROOT = Path(__file__).resolve().parents[2]


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


# The detector itself.


def test_it_learns_one_view_by_heart(views: Any, tmp_path: Path, quiet: dict[str, Any]) -> None:
    samples = views([MASS])
    configuration = tiny(
        normalisation="batch",
        tiles="whole",
        epochs=60,
        batch_size=1,
        learning_rate=1e-3,
        best_epoch="last",
        flip_probability=0.0,
        affine_probability=0.0,
    )
    detector = MaskRCNNDetector()
    outcome = detector.fit(samples, samples, configuration, directory=tmp_path / "run", **quiet)
    assert outcome.curve[-1].training_loss < outcome.curve[0].training_loss / 4
    (sample,) = samples.samples
    pair = read_pair(sample.low_energy, sample.recombined, laterality="L", view_position="CC")
    best = detector.predict(pair)[0]
    assert best.score > 0.5
    assert best.is_malignant
    assert best.lesion_type == "mass"
    for found, true in zip(best.box, sample.lesions[0].box, strict=True):
        assert abs(found - true) < 5
    assert best.contour is not None
    again = MaskRCNNDetector.load(tmp_path / "run", "cpu")
    assert again.predict(pair) == detector.predict(pair)
    assert again.describe()["record"]["initial_weights"]["origin"] == "random"
    assert again.describe()["record"]["training"]["lesions: malignant mass"] == 1
    assert not (tmp_path / "run" / "prepared").exists()


def test_an_interrupted_detector_training_goes_on_to_the_same_weights(
    views: Any, tmp_path: Path, quiet: dict[str, Any]
) -> None:
    training, validation = views([MASS], [CLUSTER], [MASS, CLUSTER]), views([MASS, CLUSTER])
    configuration = tiny(tiles="whole", batch_size=1)
    whole = MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path / "whole", **quiet)
    # 4 questions while preparing, 4 in the first epoch with its validation, then the second step of the second.
    with pytest.raises(Interrupted):
        MaskRCNNDetector().fit(
            training,
            validation,
            configuration,
            directory=tmp_path / "halves",
            **{**quiet, "should_stop": StopAt(9)},
        )
    assert [path.name for path in (tmp_path / "halves" / "checkpoints").glob("*step*")] == ["epoch-001-step-000001.pt"]
    halves = MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path / "halves", **quiet)
    assert halves.curve == whole.curve
    assert halves.weights_sha256 == whole.weights_sha256


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


def test_killed_in_the_middle_of_an_epoch_it_goes_on_from_the_last_complete_one(views: Any, tmp_path: Path) -> None:
    command = write_sets(tmp_path, views(*[[MASS]] * 6), views([MASS]), epochs=3)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    for line in first.stdout:
        event = json.loads(line)
        if event["event"] == "step" and event["epoch"] == 2 and event["step"] == 2:
            first.send_signal(signal.SIGKILL)
            break
    first.stdout.close()
    assert first.wait() == -signal.SIGKILL
    assert not (tmp_path / "run" / "outcome.json").exists()

    second = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    events = [json.loads(line) for line in second.stdout.splitlines() if line.startswith("{")]
    assert any(event["message"] == "Going on after epoch 1, step 0" for event in events)
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [2, 3]

    SampleSet.read(tmp_path / "validation.json").write(tmp_path / "samples.json")
    out = tmp_path / "findings.json"
    predicted = subprocess.run(
        [
            *(sys.executable, "-m", "detection", "predict", "--model", str(tmp_path / "run")),
            *("--samples", str(tmp_path / "samples.json"), "--out", str(out)),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert predicted.returncode == 0, predicted.stderr
    assert set(read_findings(out)) == {"drawn-0"}


def test_a_finished_training_is_opened_and_not_repeated(views: Any, tmp_path: Path, quiet: dict[str, Any]) -> None:
    samples = views([MASS])
    configuration = tiny(tiles="whole", epochs=1)
    first = MaskRCNNDetector().fit(samples, samples, configuration, directory=tmp_path / "run", **quiet)
    heard: list[Any] = []
    again = MaskRCNNDetector().fit(
        samples, samples, configuration, directory=tmp_path / "run", **{**quiet, "progress": heard.append}
    )
    assert again == first
    assert heard == []
    with pytest.raises(CheckpointMismatch):
        other = dataclasses.replace(configuration, seed=1)
        MaskRCNNDetector().fit(samples, samples, other, directory=tmp_path / "run", **quiet)


def test_without_lesions_there_is_nothing_to_learn_and_the_counts_say_why(
    views: Any, tmp_path: Path, quiet: dict[str, Any]
) -> None:
    unknown = views([("mass", "unknown", 40, 60, 12)])
    with pytest.raises(EmptySampleSet, match="unknown malignancy: 1"):
        MaskRCNNDetector().fit(unknown, views([MASS]), tiny(), directory=tmp_path / "a", **quiet)
    with pytest.raises(EmptySampleSet, match="validation"):
        MaskRCNNDetector().fit(views([MASS]), unknown, tiny(), directory=tmp_path / "b", **quiet)


def test_missing_initial_weights_end_the_training_before_it_starts(
    views: Any, tmp_path: Path, quiet: dict[str, Any]
) -> None:
    configuration = tiny(initial_weights=str(tmp_path / "coco.pth"))
    with pytest.raises(MissingWeights):
        MaskRCNNDetector().fit(views([MASS]), views([MASS]), configuration, directory=tmp_path / "run", **quiet)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is present")
def test_asking_for_cuda_where_there_is_none_is_told_with_advice(
    views: Any, tmp_path: Path, quiet: dict[str, Any]
) -> None:
    with pytest.raises(DeviceUnavailable, match="cpu-quick"):
        MaskRCNNDetector().fit(
            views([MASS]), views([MASS]), tiny(), directory=tmp_path / "run", **{**quiet, "device": "cuda"}
        )
    assert resolve("auto").type == "cpu"


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "meta"])
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(DeviceUnavailable):
        resolve(name)


def test_a_model_folder_that_is_absent_unfinished_or_changed_is_refused(
    views: Any, tmp_path: Path, quiet: dict[str, Any]
) -> None:
    with pytest.raises(UnreadableModel, match="no finished training"):
        MaskRCNNDetector.load(tmp_path / "absent", "cpu")
    samples = views([MASS])
    configuration = tiny(tiles="whole", epochs=1)
    MaskRCNNDetector().fit(samples, samples, configuration, directory=tmp_path / "run", **quiet)
    weights = tmp_path / "run" / "best.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(UnreadableModel, match="has changed"):
        MaskRCNNDetector.load(tmp_path / "run", "cpu")


def test_an_untrained_detector_does_not_guess(views: Any) -> None:
    sample = views([MASS]).samples[0]
    pair = read_pair(sample.low_energy, sample.recombined, laterality="L", view_position="CC")
    with pytest.raises(NotTrained):
        MaskRCNNDetector().predict(pair)
    assert MaskRCNNDetector().describe() == {"family": "mask_rcnn", "trained": False}


def test_wrong_input_on_the_command_line_gives_a_sentence_and_no_stack_trace(tmp_path: Path) -> None:
    (tmp_path / "set.json").write_text("{}")
    result = subprocess.run(
        [
            *(sys.executable, "-m", "detection", "train", "--preset", "cpu-quick"),
            *("--training", str(tmp_path / "set.json"), "--validation", str(tmp_path / "set.json")),
            *("--out", str(tmp_path / "run")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "cemlab.sample-set/1" in result.stderr
    assert "Traceback" not in result.stderr
