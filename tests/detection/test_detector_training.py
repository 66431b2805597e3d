"""Training the detector: it learns, goes on where it was stopped or killed, and says what is wrong."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from detection.errors import (
    CheckpointMismatch,
    DeviceUnavailable,
    EmptySampleSet,
    Interrupted,
    MissingWeights,
    NotTrained,
    UnreadableModel,
)
from detection.findings_file import read_findings
from detection.mask_rcnn.detector import MaskRCNNDetector
from detection.sample_set import SampleSet
from detection.training.devices import resolve
from imaging.reading import read_pair
from tests.detection.conftest import CLUSTER, MASS, tiny
from tests.detection.test_training import StopAt, write_sets

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


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


def test_a_training_does_not_go_on_from_other_initial_weights_than_it_began_with(
    views: Any, tmp_path: Path, quiet: dict[str, Any]
) -> None:
    samples = views([MASS])
    for seed in (0, 1):
        first = tiny(tiles="whole", epochs=1, seed=seed)
        MaskRCNNDetector().fit(samples, samples, first, directory=tmp_path / str(seed), **quiet)
    given = tmp_path / "given.safetensors"
    configuration = tiny(tiles="whole", initial_weights=str(given))
    run: dict[str, Any] = {"directory": tmp_path / "run", **quiet}
    given.write_bytes((tmp_path / "0" / "best.safetensors").read_bytes())
    with pytest.raises(Interrupted):
        stopped = {**run, "should_stop": StopAt(4)}
        MaskRCNNDetector().fit(samples, samples, configuration, **stopped)
    given.write_bytes((tmp_path / "1" / "best.safetensors").read_bytes())
    with pytest.raises(CheckpointMismatch, match="other initial weights"):
        MaskRCNNDetector().fit(samples, samples, configuration, **run)
    given.write_bytes((tmp_path / "0" / "best.safetensors").read_bytes())
    outcome = MaskRCNNDetector().fit(samples, samples, configuration, **run)
    assert outcome.record["initial_weights"]["sha256"] == hashlib.sha256(given.read_bytes()).hexdigest()


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
