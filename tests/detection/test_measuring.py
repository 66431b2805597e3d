"""Numbers on the validation set between epochs: right, kept over interruptions, and without a trace in the training."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from detection.configuration import MaskRCNNConfiguration
from detection.detector import EpochRecord, Measure, TrainingOutcome
from detection.errors import Interrupted
from detection.evaluation.average_precision import average_precision
from detection.evaluation.images import EvaluatedImage, evaluated_images
from detection.evaluation.protocol import Protocol
from detection.evaluation.test_set import evaluate
from detection.finding import Finding
from detection.mask_rcnn.detector import MaskRCNNDetector
from detection.sample_set import LesionTarget, SampleSet
from detection.training.loop import TrainingLoop
from detection.training.validation_numbers import (
    AVERAGE_PRECISION,
    FALSE_POSITIVES,
    PRECISION,
    SENSITIVITY,
    counted,
    validation_numbers,
)
from imaging.reading import read_pair
from tests.detection.conftest import CLUSTER, MASS, tiny
from tests.detection.test_training import Numbers, StopAt

BOX = (10.0, 10.0, 30.0, 30.0)
OFF = (60.0, 60.0, 80.0, 80.0)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


# The numbers themselves.


def view(name: str, lesions: Sequence[str], *findings: tuple[tuple[float, ...], float, float]) -> EvaluatedImage:
    targets = tuple(
        LesionTarget(f"{name}-{index}", "mass", malignancy, (), BOX) for index, malignancy in enumerate(lesions)
    )
    found = [Finding(box, score, malignancy, "mass") for box, score, malignancy in findings]
    return EvaluatedImage(name, f"patient-{name[0]}", targets, found)


VIEWS = [
    view("a1", ["malignant"], (BOX, 0.9, 0.9), (OFF, 0.6, 0.8), (OFF, 0.05, 0.8)),
    view("a2", ["malignant"], (BOX, 0.08, 0.9)),
    view("b1", ["benign"], (BOX, 0.7, 0.1)),
    view("b2", [], (OFF, 0.8, 0.9), (BOX, 0.3, 0.2)),
    view("c1", ["unknown"], (BOX, 0.9, 0.9)),
]


def test_the_numbers_are_those_that_are_counted_by_hand() -> None:
    found = validation_numbers(VIEWS, Protocol())
    # a1 found, a2 not: its score is too low. Two findings off any malignant lesion; the one on c1 is not scored.
    assert found[SENSITIVITY] == Measure(1 / 2, 2)
    assert found[PRECISION] == Measure(1 / 3, 3)
    assert found[FALSE_POSITIVES] == Measure(2 / 5, 5)
    # Scores 0.9 true, 0.8 and 0.6 false, 0.08 true: precision 1 up to half of the lesions, then 1/2 up to all.
    assert found[AVERAGE_PRECISION].value == pytest.approx((51 * 1 + 50 * 0.5) / 101)
    assert counted(VIEWS) == {"views": 5, "patients": 3, "lesions": 2}


@pytest.mark.parametrize(
    "changes", [{}, {"score_above": 0.5}, {"top": 1}, {"duplicates": "fp"}, {"class_aware": "none"}], ids=str
)
@pytest.mark.parametrize("seed", range(4))
def test_the_numbers_are_those_of_the_evaluation_of_a_test_set(changes: dict[str, Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = []
    for number in range(12):
        lesions = list(rng.choice(["malignant", "benign", "unknown"], rng.integers(0, 3)))
        boxes = [BOX if rng.random() < 0.6 else OFF for _ in range(rng.integers(0, 7))]
        images.append(view(f"{number % 5}{number}", lesions, *((box, *rng.random(2).round(1)) for box in boxes)))
    protocol = Protocol(**changes, resamples=100)
    found, expected = validation_numbers(images, protocol), evaluate(images, protocol)
    for name, interval in ((SENSITIVITY, expected.sensitivity), (PRECISION, expected.precision)):
        assert found[name].value == pytest.approx(interval["malignant"].value)
        assert found[name].n == interval["malignant"].n
    assert found[AVERAGE_PRECISION].value == average_precision(images, protocol).interval.value


def test_without_malignant_lesions_or_findings_numbers_are_undefined_and_say_why() -> None:
    found = validation_numbers([view("b1", ["benign"]), view("b2", [], (OFF, 0.05, 0.9))], Protocol())
    for name in (SENSITIVITY, AVERAGE_PRECISION):
        assert found[name] == Measure(None, 0, "undefined: no malignant lesions")
    assert found[PRECISION] == Measure(None, 0, "undefined: no findings above the threshold")
    assert found[FALSE_POSITIVES] == Measure(0.0, 2)
    assert validation_numbers([], Protocol())[FALSE_POSITIVES] == Measure(None, 0, "undefined: no images")


def test_nothing_found_is_zero_and_not_undefined() -> None:
    found = validation_numbers([view("a1", ["malignant"])], Protocol())
    assert (found[SENSITIVITY].value, found[AVERAGE_PRECISION].value) == (0.0, 0.0)
    assert found[PRECISION].value is None


def test_average_precision_is_undefined_where_matching_changes_with_the_threshold() -> None:
    found = validation_numbers(VIEWS, Protocol(matching="hungarian"))
    assert found[AVERAGE_PRECISION].value is None
    assert "hungarian" in str(found[AVERAGE_PRECISION].reason)
    assert found[SENSITIVITY].value == 1 / 2


# In the loop, with a network of one number that draws at random in training.


class Restless(nn.Module):
    """One number, noise in every loss, and a running mean that only training may move."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))
        self.norm = nn.BatchNorm1d(1)

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]]) -> Mapping[str, Tensor]:
        seen = self.norm(torch.stack([images[0].mean(), images[0].mean() + 1])[:, None])
        return {"loss": ((self.value - images[0].mean() * torch.rand(1)) ** 2).sum() + 0.01 * seen.square().sum()}


class Watching:
    """Measures the number itself on three views, drawing at random and moving whatever is not in evaluation mode."""

    def __init__(self) -> None:
        self.modes: list[bool] = []

    def views(self) -> int:
        return 3

    def find(self, model: nn.Module, view: int) -> float:
        assert isinstance(model, Restless)
        self.modes.append(any(module.training for module in model.modules()))
        model.norm(torch.rand(4, 1))
        return float(model.value) + 10 * view

    def numbers(self, found: Sequence[float]) -> dict[str, Measure]:
        return {"value": Measure(found[0], 1), "last": Measure(found[-1], 1), "none": Measure(None, 0, "undefined: no")}

    def about(self) -> dict[str, Any]:
        return {"views": 3}


def loop(
    directory: Path, *, measuring: Any = None, progress: Any = None, should_stop: Any = None, **changes: Any
) -> Any:
    values: dict[str, Any] = {"optimiser": "sgd", "learning_rate": 0.03, "weight_decay": 0.0, "epochs": 6}
    torch.manual_seed(0)
    return TrainingLoop(
        Restless(),
        Numbers(1.0, 0.5, 1.5, 1.0),
        Numbers(0.5),
        MaskRCNNConfiguration(batch_size=1, **values | changes),
        identity="same",
        directory=directory,
        device=torch.device("cpu"),
        progress=progress or (lambda event: None),
        should_stop=should_stop or (lambda: False),
        measuring=measuring,
    )


def told(events: Sequence[Mapping[str, Any]]) -> dict[int, Any]:
    return {event["epoch"]: event["measures"] for event in events if "measures" in event}


@pytest.mark.parametrize(
    ("every", "epochs", "measured"), [(0, 4, []), (1, 3, [1, 2, 3]), (2, 5, [2, 4, 5]), (3, 6, [3, 6]), (9, 4, [4])]
)
def test_every_so_many_epochs_and_the_last_are_measured(
    tmp_path: Path, every: int, epochs: int, measured: list[int]
) -> None:
    heard: list[Mapping[str, Any]] = []
    training = loop(tmp_path, measuring=Watching(), progress=heard.append, measure_every=every, epochs=epochs)
    curve, _ = training.run()
    assert [entry.epoch for entry in curve if entry.measures is not None] == measured == list(told(heard))
    assert all(event["event"] == "epoch" for event in heard if "measures" in event)
    assert (training.measured() is None) == (every == 0)
    json.dumps(heard)


@pytest.mark.parametrize("changes", [{}, {"weight_averaging": 0.9}, {"best_epoch": "last"}], ids=str)
def test_measuring_leaves_no_trace_in_the_training(tmp_path: Path, changes: dict[str, Any]) -> None:
    results = {}
    for every in (0, 1):
        watching = Watching()
        training = loop(tmp_path / str(every), measuring=watching, measure_every=every, **changes)
        curve, best = training.run()
        assert watching.modes == [False] * (18 * every)
        checkpoint = torch.load(tmp_path / str(every) / "checkpoints" / "epoch-006.pt", weights_only=True)
        results[every] = [replace(entry, measures=None) for entry in curve], best, checkpoint
    without, with_measures = results[0], results[1]
    assert with_measures[:2] == without[:2]
    for part in ("model", "random", "average"):
        first, second = without[2][part] or {}, with_measures[2][part] or {}
        assert list(first) == list(second)
        assert all(torch.equal(first[name], second[name]) for name in first if isinstance(first[name], Tensor))
    kept = [load_file(tmp_path / name / "best.safetensors") for name in ("0", "1")]
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])


@pytest.mark.parametrize("averaging", [0.0, 0.5])
def test_the_weights_measured_are_those_that_would_be_kept(tmp_path: Path, averaging: float) -> None:
    training = loop(
        tmp_path, measuring=Watching(), measure_every=1, best_epoch="last", weight_averaging=averaging, epochs=3
    )
    curve, _ = training.run()
    kept = load_file(tmp_path / "best.safetensors")["value"]
    assert curve[-1].measures["value"].value == float(kept)
    assert training.measured()["weights"] == ("moving average" if averaging else "of the epoch")


@pytest.mark.parametrize("question", [*range(3, 12), 20, 33])
def test_stopped_anywhere_and_resumed_no_number_is_lost_doubled_or_other(tmp_path: Path, question: int) -> None:
    whole: list[Mapping[str, Any]] = []
    reference = loop(tmp_path / "whole", measuring=Watching(), progress=whole.append, measure_every=2).run()
    halves: list[Mapping[str, Any]] = []
    arguments: dict[str, Any] = {"progress": halves.append, "measure_every": 2}
    with pytest.raises(Interrupted) as caught:
        loop(tmp_path / "halves", measuring=Watching(), should_stop=StopAt(question), **arguments).run()
    assert caught.value.checkpoint is not None and caught.value.checkpoint.exists()
    assert loop(tmp_path / "halves", measuring=Watching(), **arguments).run() == reference
    assert [event["epoch"] for event in halves if event["event"] == "epoch"] == [1, 2, 3, 4, 5, 6]
    assert told(halves) == told(whole)
    assert list(told(whole)) == [2, 4, 6]


def test_stopped_while_it_measures_the_epoch_is_kept_and_measured_later(tmp_path: Path) -> None:
    class Stopping(Watching):
        def find(self, model: nn.Module, view: int) -> float:
            asked.append(view)
            return super().find(model, view)

    asked: list[int] = []
    with pytest.raises(Interrupted) as caught:
        loop(tmp_path, measuring=Stopping(), measure_every=1, should_stop=lambda: len(asked) == 2).run()
    assert caught.value.checkpoint is not None
    assert caught.value.checkpoint.name == "epoch-000-step-000004.pt"
    assert asked == [0, 1]


def test_killed_before_its_checkpoint_an_epoch_is_told_again_with_the_same_numbers(tmp_path: Path) -> None:
    heard: list[Mapping[str, Any]] = []

    def killed(event: Mapping[str, Any]) -> None:
        heard.append(event)
        if event["event"] == "epoch" and event["epoch"] == 2:
            raise LookupError("killed")

    with pytest.raises(LookupError):
        loop(tmp_path, measuring=Watching(), progress=killed, measure_every=1).run()
    first = told(heard)[2]
    heard.clear()
    loop(tmp_path, measuring=Watching(), progress=heard.append, measure_every=1).run()
    assert list(told(heard)) == [2, 3, 4, 5, 6]
    assert told(heard)[2] == first


def test_its_time_counts_for_the_epochs_still_to_be_measured_and_in_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a clock of its own for each module: threads wait by the real one
    clock: Iterator[float] = iter(range(0, 10**6, 1000))
    monkeypatch.setattr("detection.training.measuring.time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr("detection.training.loop.time", SimpleNamespace(monotonic=lambda: 0.0))
    heard: list[Mapping[str, Any]] = []
    loop(tmp_path, measuring=Watching(), progress=heard.append, measure_every=2, epochs=5).run()
    left = {event["epoch"]: event["metrics"]["seconds_left"] for event in heard if event["event"] == "epoch"}
    assert left == {1: 0.0, 2: 2000.0, 3: 2000.0, 4: 1000.0, 5: 0.0}
    speeds = {event["metrics"]["loading_share"] for event in heard if event["event"] == "step"}
    assert speeds == {0.0}


def test_records_written_before_there_were_measures_are_still_read(tmp_path: Path) -> None:
    entry = {"epoch": 1, "training_loss": 0.5, "validation_loss": None, "learning_rate": 0.1}
    assert EpochRecord.from_dict(entry).measures is None
    measured = EpochRecord(1, 0.5, None, 0.1, {SENSITIVITY: Measure(None, 0, "undefined: no malignant lesions")})
    assert EpochRecord.from_dict(asdict(measured)) == measured
    outcome = TrainingOutcome((measured,), 1, "best.safetensors", "0" * 64, {})
    assert TrainingOutcome.from_json(outcome.to_json()) == outcome


# The detector itself.


def predictions(detector: MaskRCNNDetector, samples: SampleSet) -> dict[str, list[Finding]]:
    return {
        sample.sample_id: detector.predict(
            read_pair(sample.low_energy, sample.recombined, laterality="L", view_position="CC")
        )
        for sample in samples.samples
    }


def learning(**changes: Any) -> MaskRCNNConfiguration:
    values: dict[str, Any] = {
        "tiles": "whole",
        "epochs": 10,
        "batch_size": 1,
        "best_epoch": "last",
        "flip_probability": 0.0,
        "affine_probability": 0.0,
        "measure_every": 10,
    }
    return tiny(**values | changes)


@pytest.mark.parametrize(
    ("changes", "protocol"),
    [({}, Protocol()), ({"weight_averaging": 0.5, "tiles": "half-2x2"}, Protocol(iou_of="mask", score_above=0.2))],
    ids=["boxes", "averaged weights, sub-images, outlines"],
)
def test_the_numbers_of_the_last_epoch_are_those_of_the_stored_weights(
    views: Any, tmp_path: Path, quiet: dict[str, Any], changes: dict[str, Any], protocol: Protocol
) -> None:
    training, validation = views([MASS], [MASS, CLUSTER]), views([MASS], [CLUSTER], [], [MASS, CLUSTER])
    detector = MaskRCNNDetector()
    outcome = detector.fit(
        training, validation, learning(**changes), directory=tmp_path / "run", protocol=protocol, **quiet
    )
    images = evaluated_images(validation.samples, predictions(detector, validation))
    expected = validation_numbers(images, protocol)
    assert outcome.curve[-1].measures == expected
    assert expected[PRECISION].n > 0 and expected[FALSE_POSITIVES].n == 4
    result = evaluate(images, protocol)
    assert expected[SENSITIVITY].value == result.sensitivity["malignant"].value
    assert [entry.measures for entry in outcome.curve[:-1]] == [None] * 9
    assert outcome.record["measured"]["lesions"] == 2
    assert Protocol.from_json(outcome.record["measured"]["protocol"]) == protocol


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_a_detector_trains_to_the_same_weights_whether_it_is_measured_or_not(
    views: Any, tmp_path: Path, quiet: dict[str, Any], averaging: float
) -> None:
    training, validation = views([MASS], [CLUSTER]), views([MASS, CLUSTER], [])
    outcomes = [
        MaskRCNNDetector().fit(
            training,
            validation,
            tiny(tiles="whole", epochs=3, measure_every=every, weight_averaging=averaging),
            directory=tmp_path / str(every),
            **quiet,
        )
        for every in (0, 1)
    ]
    assert outcomes[0].weights_sha256 == outcomes[1].weights_sha256
    assert outcomes[0].curve == tuple(replace(entry, measures=None) for entry in outcomes[1].curve)
    assert all(entry.measures for entry in outcomes[1].curve)
    assert outcomes[0].record["measured"] is None


def test_a_validation_set_without_malignant_lesions_says_undefined(
    views: Any, tmp_path: Path, quiet: dict[str, Any]
) -> None:
    configuration = tiny(tiles="whole", epochs=1, measure_every=1)
    outcome = MaskRCNNDetector().fit(
        views([MASS]), views([CLUSTER], []), configuration, directory=tmp_path / "run", **quiet
    )
    measures = outcome.curve[0].measures
    assert measures is not None
    for name in (SENSITIVITY, AVERAGE_PRECISION):
        assert measures[name] == Measure(None, 0, "undefined: no malignant lesions")
    assert measures[FALSE_POSITIVES].n == 2
