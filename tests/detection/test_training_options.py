"""What the newer presets ask of a training: equal steps, averaged weights, plateau, balanced classes, samples."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from detection.configuration import ConfigurationError, MaskRCNNConfiguration
from detection.detector import TrainingOutcome
from detection.errors import Interrupted, NonFiniteLoss, OutOfMemory
from detection.findings_file import read_findings
from detection.mask_rcnn.detector import MaskRCNNDetector
from detection.mask_rcnn.tile_set import TileSet
from detection.mask_rcnn.view_store import prepare_views
from detection.training.loop import TrainingLoop
from detection.training.schedule import Schedule, build_optimiser
from tests.detection.conftest import CLUSTER, MASS, tiny
from tests.detection.test_training import Numbers, OneNumber, StopAt

FEATURES: dict[str, dict[str, Any]] = {
    "averaging": {"weight_averaging": 0.9},
    "plateau": {"schedule": "plateau", "optimiser": "adam", "learning_rate": 0.3, "momentum": 0.0},
    "cosine with warm-up": {"schedule": "cosine", "warm_up_steps": 5},
    "equal steps": {"length": "steps", "steps": 22},
    "all": {"weight_averaging": 0.99, "schedule": "cosine", "warm_up_steps": 3, "length": "steps", "steps": 17},
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def run(
    directory: Path,
    *,
    model: nn.Module | None = None,
    training: Any = None,
    should_stop: Any = lambda: False,
    progress: Any = lambda event: None,
    **changes: Any,
) -> TrainingLoop:
    values = {"optimiser": "sgd", "learning_rate": 0.03, "momentum": 0.5, "weight_decay": 0.0, "epochs": 6} | changes
    torch.manual_seed(0)
    return TrainingLoop(
        model or OneNumber(),
        training or Numbers(1.0, 0.5, 1.5, 1.0),
        Numbers(0.5),
        MaskRCNNConfiguration(batch_size=1, **values),
        identity="same",
        directory=directory,
        device=torch.device("cpu"),
        progress=progress,
        should_stop=should_stop,
    )


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("question", [2, 11, 21])
def test_stopping_and_going_on_changes_nothing_with_any_of_the_options(
    tmp_path: Path, feature: str, question: int
) -> None:
    changes = FEATURES[feature]
    whole = run(tmp_path / "whole", **changes)
    reference = whole.run()
    with pytest.raises(Interrupted):
        run(tmp_path / "halves", should_stop=StopAt(question), **changes).run()
    halves = run(tmp_path / "halves", **changes)
    assert halves.run() == reference
    assert halves.amount() == whole.amount()
    kept = [load_file(tmp_path / name / "best.safetensors")["value"] for name in ("whole", "halves")]
    assert torch.equal(*kept)


@pytest.mark.parametrize(("images", "steps"), [(1, 13), (3, 13), (4, 13), (50, 13)])
def test_sets_of_different_size_train_for_equally_many_steps_and_are_validated_equally_often(
    tmp_path: Path, images: int, steps: int
) -> None:
    heard: list[Mapping[str, Any]] = []
    loop = run(tmp_path, training=Numbers(*[1.0] * images), length="steps", steps=steps, progress=heard.append)
    curve, _ = loop.run()
    assert len(curve) == 6
    assert loop.amount() == {
        "length": "steps",
        "steps": steps,
        "steps_per_pass": images,
        "images": steps,
        "passes": steps / images,
    }
    done = [event for event in heard if event["event"] == "step"]
    assert len(done) == steps
    assert all(1 <= event["step"] <= event["steps"] for event in done)
    assert done[-1]["metrics"]["seconds_left"] >= 0


def test_equal_steps_go_through_the_set_pass_by_pass(tmp_path: Path) -> None:
    class Asked(Numbers):
        def batch(self, epoch: int, step: int) -> Any:
            asked.append((epoch, step))
            return super().batch(epoch, step)

    asked: list[tuple[int, int]] = []
    run(tmp_path, training=Asked(1.0, 1.0, 1.0), length="steps", steps=8, epochs=2).run()
    assert asked == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]


def test_as_many_steps_as_the_epochs_have_give_the_very_same_training(tmp_path: Path) -> None:
    epochs = run(tmp_path / "a")
    reference = epochs.run()
    steps = run(tmp_path / "b", length="steps", steps=24)
    assert steps.run() == reference
    assert epochs.amount()["steps"] == steps.amount()["steps"] == 24


class Rising(nn.Module):
    """Gradient 1 at every step: with a rate of 1 the weight is minus the number of steps."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]]) -> Mapping[str, Tensor]:
        return {"loss": self.value.sum()}


def test_the_averaged_weights_are_the_ones_kept_and_follow_the_declared_decay(tmp_path: Path) -> None:
    run(
        tmp_path,
        model=Rising(),
        learning_rate=1.0,
        momentum=0.0,
        epochs=2,
        weight_averaging=0.25,
        best_epoch="last",
    ).run()
    # The first update copies; then the decay is the smaller of 0.25 and (1 + n) / (10 + n).
    average = -1.0
    for done, weight in enumerate(range(-2, -9, -1), start=1):
        decay = min(0.25, (1 + done) / (10 + done))
        average = decay * average + (1 - decay) * weight
    assert float(load_file(tmp_path / "best.safetensors")["value"]) == pytest.approx(average)


def keras_plateau(losses: list[float], rate: float) -> list[float]:
    """Rate after each epoch by the rule of Keras' ReduceLROnPlateau: factor 0.5, patience 2, cooldown 2, delta 1e-4."""
    best, wait, rest = math.inf, 0, 0
    rates = []
    for loss in losses:
        if rest > 0:
            rest -= 1
            wait = 0
        if loss < best - 1e-4:
            best, wait = loss, 0
        elif rest <= 0:
            wait += 1
            if wait >= 2:
                rate, rest, wait = max(rate * 0.5, 1e-7), 2, 0
        rates.append(rate)
    return rates


FALLS = {
    "stays": [1.0, *[0.5] * 30],
    "falls now and then": [1.0, 0.9, 0.9, 0.8, 0.8, 0.8, 0.79995, 0.7, 0.7, 0.7, 0.7, 0.7, 0.6, 0.6, 0.6, 0.6],
    "rises": [0.1 * number for number in range(12)],
}


@pytest.mark.parametrize("course", FALLS)
def test_the_plateau_rule_is_that_of_keras_with_the_published_values(course: str) -> None:
    model = Rising()
    configuration = MaskRCNNConfiguration(schedule="plateau", optimiser="adam", learning_rate=1e-5)
    optimiser = build_optimiser(model, configuration)
    schedule = Schedule(optimiser, configuration, 100, 10)
    rates = []
    for loss in FALLS[course]:
        schedule.after_step()
        schedule.after_epoch(loss)
        rates.append(schedule.rate())
    assert rates == pytest.approx(keras_plateau(FALLS[course], 1e-5))
    assert rates[0] == 1e-5
    assert rates[-1] < 5e-6


@pytest.mark.parametrize(("shortened", "steps_per_pass", "reached"), [(False, 5, 9), (True, 5, 5), (True, 50, 9)])
def test_the_warm_up_ends_with_the_first_pass_where_that_is_asked_for(
    shortened: bool, steps_per_pass: int, reached: int
) -> None:
    configuration = MaskRCNNConfiguration(warm_up_steps=8, warm_up_in_first_epoch=shortened, learning_rate=0.1)
    optimiser = build_optimiser(Rising(), configuration)
    schedule = Schedule(optimiser, configuration, 100, steps_per_pass)
    rates = []
    for _ in range(12):
        rates.append(schedule.rate())
        optimiser.step()
        schedule.after_step()
    assert rates[0] == pytest.approx(1e-4)
    assert rates.index(pytest.approx(0.1)) + 1 == reached
    assert rates[reached:] == pytest.approx([0.1] * (12 - reached))


def test_running_out_of_the_devices_memory_keeps_the_last_checkpoint_and_advises(tmp_path: Path) -> None:
    class Exhausting(OneNumber):
        steps = 0

        def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]]) -> Mapping[str, Tensor]:
            self.steps += self.training and torch.is_grad_enabled()
            if self.steps > 6:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return super().forward(images, targets)

    with pytest.raises(OutOfMemory, match="memory") as caught:
        run(tmp_path, model=Exhausting()).run()
    assert "batch_size" in caught.value.advice
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["epoch-001.pt"]


def test_a_loss_that_is_no_number_in_one_part_names_the_part(tmp_path: Path) -> None:
    class Broken(OneNumber):
        def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]]) -> Mapping[str, Tensor]:
            return {"loss_box": self.value.sum(), "loss_mask": self.value.sum() * float("inf")}

    with pytest.raises(NonFiniteLoss, match="loss_mask"):
        run(tmp_path, model=Broken(), weight_averaging=0.9).run()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"tiles": "native", "input_min_size": 800}, "input_min_size"),
        ({"schedule": "plateau", "warm_up_steps": 5}, "warm_up_steps"),
        ({"length": "steps", "steps": 29, "epochs": 30}, "steps"),
        ({"classes": "three"}, "classes"),
        ({"weight_averaging": 1.0}, "weight_averaging"),
    ],
)
def test_choices_that_contradict_each_other_are_refused_by_field(values: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        MaskRCNNConfiguration.from_values(values)
    assert list(caught.value.problems) == [field]


def test_a_configuration_made_before_the_newer_fields_keeps_its_digest() -> None:
    before = MaskRCNNConfiguration()
    body = before.to_dict()
    for name in ("classes", "length", "steps", "sampling", "weight_averaging", "tile_size", "tile_overlap"):
        del body["values"][name]
    assert MaskRCNNConfiguration.from_dict(body).digest() == before.digest()
    assert dataclasses.replace(before, sampling="balanced").digest() != before.digest()
    assert dataclasses.replace(before, steps=5000).digest() != before.digest()


# The detector itself with the options of the preset "modern", small.


def modern_small(**changes: Any) -> MaskRCNNConfiguration:
    values: dict[str, Any] = {
        "tiles": "native",
        "tile_size": 80,
        "input_min_size": 80,
        "input_max_size": 80,
        "sampling": "balanced",
        "lesion_free_share": 0.5,
        "weight_averaging": 0.9,
        "schedule": "cosine",
        "warm_up_steps": 2,
        "mixed_precision": True,
    }
    return tiny(**{**values, **changes})


@pytest.mark.slow
def test_a_training_with_all_options_of_modern_resumes_to_the_same_weights(
    views: Any, tmp_path: Path, quiet: dict[str, Any]
) -> None:
    training, validation = views([MASS], [CLUSTER], []), views([MASS, CLUSTER])
    configuration = modern_small()
    whole = MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path / "whole", **quiet)
    with pytest.raises(Interrupted):
        stopped = {**quiet, "should_stop": StopAt(9)}
        MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path / "halves", **stopped)
    halves = MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path / "halves", **quiet)
    assert halves.curve == whole.curve
    assert halves.weights_sha256 == whole.weights_sha256
    again = MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path / "again", **quiet)
    assert again.weights_sha256 == whole.weights_sha256
    kept = TrainingOutcome.from_json((tmp_path / "whole" / "outcome.json").read_text())
    assert kept.record["amount"]["steps"] == 2 * kept.record["amount"]["steps_per_pass"]
    assert json.dumps(kept.record)


def test_two_classes_give_findings_that_do_not_name_a_type(views: Any, tmp_path: Path, quiet: dict[str, Any]) -> None:
    samples = views([MASS], [CLUSTER])
    configuration = tiny(tiles="whole", classes="two", epochs=1, score_above=0.0)
    detector = MaskRCNNDetector()
    outcome = detector.fit(samples, samples, configuration, directory=tmp_path / "run", **quiet)
    assert outcome.record["training"]["lesions: malignant other"] == 1
    assert outcome.record["training"]["lesions: benign other"] == 1
    assert outcome.record["environment"]["precision"] == "float32"
    weights = load_file(tmp_path / "run" / "best.safetensors")
    assert weights["roi_heads.box_predictor.cls_score.weight"].shape[0] == 3


def test_sample_predictions_are_written_in_view_pixels_and_change_no_weight(
    views: Any, tmp_path: Path, quiet: dict[str, Any]
) -> None:
    training, validation = views([MASS]), views([MASS], [], [CLUSTER])
    heard: list[Mapping[str, Any]] = []
    outcomes = {}
    for every in (0, 2):
        configuration = tiny(tiles="whole", epochs=3, score_above=0.01, sample_every=every)
        listened = {**quiet, "progress": heard.append}
        outcomes[every] = MaskRCNNDetector().fit(
            training, validation, configuration, directory=tmp_path / str(every), **listened
        )
    assert outcomes[0].weights_sha256 == outcomes[2].weights_sha256
    assert [(event["epoch"], event["message"]) for event in heard if event["event"] == "sample"] == [
        (2, "samples/epoch-002.json")
    ]
    found = read_findings(tmp_path / "2" / "samples" / "epoch-002.json")
    assert list(found) == [sample.sample_id for sample in validation.samples if sample.lesions]
    assert not (tmp_path / "0" / "samples").exists()


def test_balanced_sampling_shows_every_class_equally_often(views: Any, tmp_path: Path) -> None:
    samples = views(*[[MASS]] * 7, [CLUSTER])
    prepared = prepare_views(
        samples, "s000-cluster", tmp_path / "prepared", progress=lambda event: None, should_stop=lambda: False
    )
    balanced = TileSet(prepared, tiny(tiles="whole", sampling="balanced"))
    drawn = balanced.epoch(np.random.default_rng(0))
    assert Counter(entry.instances[0].label for entry in drawn) == {2: 4, 3: 4}
    assert len(drawn) == balanced.epoch_size() == 8
    masses = [entry.view.sample.sample_id for entry in drawn if entry.instances[0].label == 2]
    assert len(set(masses)) == 4
    natural = TileSet(prepared, tiny(tiles="whole"))
    assert Counter(entry.instances[0].label for entry in natural.epoch(np.random.default_rng(0))) == {2: 7, 3: 1}
