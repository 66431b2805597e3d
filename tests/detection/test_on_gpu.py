"""What only a GPU can show of training and prediction: ``pytest -m gpu`` on a machine with one, or several."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from detection.errors import Interrupted, OutOfMemory
from detection.mask_rcnn.detector import MaskRCNNDetector
from detection.mask_rcnn.model import build
from detection.training import randomness
from detection.training.devices import computes_in_bfloat16
from imaging.reading import read_pair
from tests.detection.conftest import CLUSTER, MASS, tiny
from tests.detection.test_training import StopAt
from tests.detection.test_training_options import modern_small

DEVICE = torch.device("cuda")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is present"),
]


@pytest.fixture
def on_device(quiet: dict[str, Any]) -> dict[str, Any]:
    return {**quiet, "device": DEVICE.type}


@pytest.mark.parametrize("normalisation", ["batch", "group", "frozen"])
def test_mixed_precision_trains_and_tells_the_memory_of_the_gpu(
    views: Any, tmp_path: Path, on_device: dict[str, Any], normalisation: str
) -> None:
    samples = views([MASS], [CLUSTER], [])
    heard: list[Mapping[str, Any]] = []
    configuration = modern_small(normalisation=normalisation)
    outcome = MaskRCNNDetector().fit(
        samples, samples, configuration, directory=tmp_path / "run", **{**on_device, "progress": heard.append}
    )
    assert len(outcome.curve) == configuration.epochs
    assert outcome.record["environment"]["device_type"] == DEVICE.type
    peaks = [event["metrics"]["memory_bytes"] for event in heard if event["event"] == "epoch"]
    assert 0 < peaks[-1] <= torch.cuda.max_memory_allocated(DEVICE)
    native = computes_in_bfloat16(DEVICE)
    assert outcome.record["environment"]["precision"] == ("bfloat16 and float32" if native else "float32")


def test_stopped_and_resumed_the_losses_are_closely_those_of_a_whole_training(
    views: Any, tmp_path: Path, on_device: dict[str, Any]
) -> None:
    training, validation = views([MASS], [CLUSTER]), views([MASS])
    configuration = tiny(tiles="whole", batch_size=1)
    whole = MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path / "whole", **on_device)
    with pytest.raises(Interrupted):
        stopped = {**on_device, "should_stop": StopAt(8)}
        MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path / "halves", **stopped)
    halves = MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path / "halves", **on_device)
    for one, other in zip(whole.curve, halves.curve, strict=True):
        assert one.training_loss == pytest.approx(other.training_loss, rel=0.02)
        assert one.validation_loss == pytest.approx(other.validation_loss, rel=0.02)


def test_what_a_gpu_began_a_processor_can_end_and_both_find_the_same(
    views: Any, tmp_path: Path, quiet: dict[str, Any], on_device: dict[str, Any]
) -> None:
    samples = views([MASS], [CLUSTER])
    configuration = tiny(tiles="whole", batch_size=1, score_above=0.0)
    with pytest.raises(Interrupted):
        stopped = {**on_device, "should_stop": StopAt(8)}
        MaskRCNNDetector().fit(samples, samples, configuration, directory=tmp_path, **stopped)
    outcome = MaskRCNNDetector().fit(samples, samples, configuration, directory=tmp_path, **quiet)
    assert len(outcome.curve) == configuration.epochs
    sample = samples.samples[0]
    pair = read_pair(sample.low_energy, sample.recombined, laterality="L", view_position="CC")
    one, other = (MaskRCNNDetector.load(tmp_path, device).predict(pair)[0] for device in ("cpu", DEVICE.type))
    assert other.box == pytest.approx(one.box, abs=1.0)
    assert other.score == pytest.approx(one.score, abs=0.01)


def test_borrowed_random_states_of_the_gpu_are_given_back() -> None:
    torch.manual_seed(0)
    expected = [torch.rand(3, device=DEVICE) for _ in range(2)]
    torch.manual_seed(0)
    found = [torch.rand(3, device=DEVICE)]
    with randomness.fixed(7, DEVICE):
        torch.rand(100, device=DEVICE)
    found.append(torch.rand(3, device=DEVICE))
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_a_full_gpu_is_told_with_advice_and_what_the_step_held_is_free_again(
    views: Any, tmp_path: Path, on_device: dict[str, Any]
) -> None:
    samples = views([MASS])
    before = torch.cuda.memory_allocated(DEVICE)
    torch.cuda.set_per_process_memory_fraction(1e-4, DEVICE)
    try:
        with pytest.raises(OutOfMemory, match="Lower batch_size"):
            MaskRCNNDetector().fit(samples, samples, tiny(), directory=tmp_path, **on_device)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, DEVICE)
    assert torch.cuda.memory_allocated(DEVICE) - before < 2**20
    outcome = MaskRCNNDetector().fit(samples, samples, tiny(), directory=tmp_path, **on_device)
    assert len(outcome.curve) == 2


def test_mixed_precision_takes_less_memory_for_the_same_loss() -> None:
    configuration = tiny(backbone="resnet18", normalisation="frozen", input_min_size=512, input_max_size=512)
    peaks, losses = [], []
    for mixed in (False, True):
        randomness.start(0)
        model = build(configuration).to(DEVICE).train()
        image = torch.rand(3, 512, 512).to(DEVICE)
        target = {
            "boxes": torch.tensor([[301.3, 401.7, 323.9, 430.2]], device=DEVICE),
            "labels": torch.tensor([3], device=DEVICE),
            "masks": torch.ones(1, 512, 512, dtype=torch.uint8, device=DEVICE),
        }
        torch.cuda.reset_peak_memory_stats(DEVICE)
        with torch.autocast(DEVICE.type, dtype=torch.bfloat16, enabled=mixed):
            total = torch.stack(list(model([image], [target]).values())).sum()
        total.backward()
        peaks.append(torch.cuda.max_memory_allocated(DEVICE))
        losses.append(float(total.detach()))
    assert peaks[1] < 0.8 * peaks[0]
    assert losses[1] == pytest.approx(losses[0], rel=0.1)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two CUDA devices are present")
def test_two_gpus_train_stop_and_go_on(views: Any, tmp_path: Path, quiet: dict[str, Any]) -> None:
    training, validation = views([MASS], [CLUSTER], []), views([MASS, CLUSTER])
    configuration = modern_small(normalisation="batch")
    heard: list[Mapping[str, Any]] = []
    together = {**quiet, "device": "cuda*2", "progress": heard.append}
    stopped = {**together, "should_stop": lambda: any(event["event"] == "step" for event in heard)}
    with pytest.raises(Interrupted) as caught:
        MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path, **stopped)
    assert caught.value.checkpoint is not None
    outcome = MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path, **together)
    assert len(outcome.curve) == configuration.epochs
    assert outcome.record["environment"]["processes"] == 2
