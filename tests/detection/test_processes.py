"""Trainings of several processes, on the processor with gloo, started by torchrun as on several GPUs."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from detection.devices import members
from detection.errors import (
    DetectionError,
    DeviceUnavailable,
    Interrupted,
    NonFiniteLoss,
    OutOfMemory,
    ProcessLost,
    UnreadableSample,
)
from detection.evaluation.protocol import Protocol
from detection.mask_rcnn.detector import MaskRCNNDetector
from detection.mask_rcnn.training import train
from detection.training.batches import Share
from detection.training.failures import FOLLOWED, STOP, failed_event, failure_in
from detection.training.processes import Processes, together
from tests.detection import toy_training
from tests.detection.conftest import CLUSTER, MASS, tiny
from tests.detection.test_training import write_sets

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cpu", ("cpu",)),
        ("cuda", ("cuda",)),
        ("cuda:1", ("cuda:1",)),
        ("cuda:0,2", ("cuda:0", "cuda:2")),
        ("cuda*3", ("cuda:0", "cuda:1", "cuda:2")),
        ("cpu*2", ("cpu", "cpu")),
        ("cuda*0", ("cuda*0",)),
    ],
)
def test_a_name_stands_for_the_devices_it_names(name: str, expected: tuple[str, ...]) -> None:
    assert members(name) == expected


def test_a_gpu_named_twice_is_refused() -> None:
    with pytest.raises(DeviceUnavailable, match="twice"):
        members("cuda:1,1")


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("images", [1, 2, 5, 6])
def test_shares_hold_every_image_once_and_weigh_their_means_to_the_mean_of_all(count: int, images: int) -> None:
    values = [float(number * number) for number in range(images)]
    shares = [Share(rank, count) for rank in range(count)]
    own = [values[rank::count] for rank in range(count)]
    assert sum(share.own(images) for share in shares) == images
    means = [sum(share.of(values)) / len(share.of(values)) for share in shares]
    assert [list(share.of(values)) for share in shares] == [some or values[:1] for some in own]
    mean = sum(share.weight(images) * value for share, value in zip(shares, means, strict=True)) / count
    assert mean == pytest.approx(sum(values) / images)


@pytest.mark.parametrize(
    "error", [OutOfMemory("m", "a"), NonFiniteLoss("m", "a"), Interrupted(Path("c")), Interrupted(None)]
)
def test_an_error_crosses_to_another_process_as_itself(error: DetectionError) -> None:
    again = failure_in(json.loads(json.dumps(failed_event(error))))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert getattr(again, "checkpoint", None) == getattr(error, "checkpoint", None)


OPTIONS = {"weight_averaging": 0.9, "gradient_limit": 1.0, "schedule": "cosine", "warm_up_steps": 2}
SCENARIOS: list[dict[str, Any]] = [
    {"name": "options", "changes": OPTIONS},
    {"name": "whole"},
    {"name": "halves", "stop_at": 5},
    {"name": "halves"},
    {"name": "fewer", "stop_at": 5},
    {"name": "full disk", "fail_on": 2},
    {"name": "measured", "changes": {"measure_every": 2}},
    {"name": "measured halves", "changes": {"measure_every": 1}, "stop_at": 6},
    {"name": "measured halves", "changes": {"measure_every": 1}},
]


@dataclasses.dataclass
class Seen:
    """Folder of the scenarios, and what each of the two processes has seen of them, in order."""

    folder: Path
    first: list[dict[str, Any]]
    second: list[dict[str, Any]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Two processes under torchrun go through all scenarios."""
    folder = tmp_path_factory.mktemp("processes")
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", "tests.detection.toy_training", str(folder), json.dumps(SCENARIOS)),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return Seen(folder, *(json.loads((folder / f"seen-{rank}.json").read_text()) for rank in range(2)))


def assert_near(told: Mapping[str, Any], curve: list[Any]) -> None:
    for name in ("training_loss", "validation_loss"):
        assert [entry[name] for entry in told["curve"]] == pytest.approx([getattr(e, name) for e in curve], rel=1e-5)


@pytest.mark.slow
def test_two_processes_of_one_image_step_as_one_process_of_two_images(seen: Seen, tmp_path: Path) -> None:
    curve, best, events = toy_training.train(tmp_path, **OPTIONS)
    first, second = seen.first[0], seen.second[0]
    assert (first["count"], second["count"]) == (2, 2)
    assert_near(first, curve)
    assert first["curve"] == second["curve"]
    assert first["best"] == best
    assert (first["events"], second["events"]) == (len(events), 0)
    one, two = (load_file(folder / "best.safetensors") for folder in (tmp_path, seen.folder / "options"))
    for name, weights in one.items():
        torch.testing.assert_close(two[name], weights, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_asked_in_one_process_all_stop_at_the_same_step_and_go_on_to_the_same_weights(seen: Seen) -> None:
    for told in (seen.first, seen.second):
        assert told[2]["error"] == told[4]["error"] == "Interrupted"
        assert told[3]["curve"] == told[1]["curve"]
    whole, halves = (load_file(seen.folder / name / "best.safetensors") for name in ("whole", "halves"))
    assert all(torch.equal(whole[name], halves[name]) for name in whole)


@pytest.mark.slow
def test_views_are_measured_by_all_processes_together_and_the_training_stays_the_same(
    seen: Seen, tmp_path: Path
) -> None:
    curve, _, _ = toy_training.train(tmp_path, measure_every=2)
    for told in (seen.first[6]["curve"], seen.second[6]["curve"]):
        assert [entry["epoch"] for entry in told if entry["measures"]] == [2, 4]
        assert [entry | {"measures": None} for entry in told] == seen.first[1]["curve"]
        for entry, record in zip(told, curve, strict=True):
            of_one = record.measures or {}
            values = {name: measure["value"] for name, measure in (entry["measures"] or {}).items()}
            assert values == pytest.approx({name: measure.value for name, measure in of_one.items()}, rel=1e-5)


@pytest.mark.slow
def test_asked_to_stop_while_measuring_all_processes_stop_and_measure_once_resumed(seen: Seen) -> None:
    for told in (seen.first, seen.second):
        assert told[7]["error"] == "Interrupted"
        assert all(entry["measures"] for entry in told[8]["curve"])
    assert seen.first[8]["curve"][1]["measures"] == seen.first[6]["curve"][1]["measures"]
    kept = sorted(path.name for path in (seen.folder / "measured halves" / "checkpoints").iterdir())
    assert kept == ["epoch-003.pt", "epoch-004.pt"]


@pytest.mark.slow
def test_one_process_goes_on_where_two_were_stopped(seen: Seen) -> None:
    kept = sorted(path.name for path in (seen.folder / "fewer" / "checkpoints").iterdir())
    assert kept == ["epoch-001-step-000001.pt", "epoch-001.pt"]
    curve, _, _ = toy_training.train(seen.folder / "fewer")
    assert_near(seen.first[1], curve)


@pytest.mark.slow
def test_what_fails_in_the_first_process_ends_all_with_the_same_words(seen: Seen) -> None:
    for told in (seen.first[5], seen.second[5]):
        assert (told["error"], told["message"]) == ("StorageFailed", "The disk is full.")


# The detector itself, from the command line's own launcher.


@pytest.mark.slow
def test_a_detector_trains_on_two_processes_stops_and_goes_on(
    views: Any, tmp_path: Path, quiet: dict[str, Any]
) -> None:
    training, validation = views([MASS], [CLUSTER], [MASS, CLUSTER]), views([MASS, CLUSTER], [MASS])
    configuration = tiny(tiles="whole", batch_size=2, normalisation="group", sample_every=1, measure_every=1)
    heard: list[Mapping[str, Any]] = []
    protocol = Protocol(score_above=0.05, class_aware="none")
    followed = {**quiet, "device": "cpu*2", "progress": heard.append, "cache": tmp_path / "cache", "protocol": protocol}
    whole = MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path / "whole", **followed)
    assert whole.record["environment"]["processes"] == 2
    assert whole.record["amount"]["images"] == 6
    steps = [event for event in heard if event["event"] == "step"]
    assert [(event["epoch"], event["step"]) for event in steps] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert (tmp_path / "whole" / "samples" / "epoch-002.json").exists()
    measured = whole.record["measured"]
    assert (measured["views"], Protocol.from_json(measured["protocol"])) == (2, protocol)
    epochs = [event["measures"] for event in heard if event["event"] == "epoch"]
    assert epochs == [{name: asdict(one) for name, one in (entry.measures or {}).items()} for entry in whole.curve]
    assert all(epochs)

    heard.clear()
    stopped = {**followed, "should_stop": lambda: any(event["event"] == "step" for event in heard)}
    with pytest.raises(Interrupted) as caught:
        MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path / "halves", **stopped)
    assert caught.value.checkpoint is not None
    assert caught.value.checkpoint.exists()
    resumed = MaskRCNNDetector().fit(training, validation, configuration, directory=tmp_path / "halves", **followed)
    assert resumed.curve == whole.curve
    assert resumed.weights_sha256 == whole.weights_sha256


@pytest.mark.slow
def test_a_failure_of_one_process_comes_back_as_itself(views: Any, tmp_path: Path, quiet: dict[str, Any]) -> None:
    samples = views([MASS], [CLUSTER])
    samples.samples[1].low_energy.write_bytes(b"no image")
    with pytest.raises(UnreadableSample, match="drawn-1"):
        MaskRCNNDetector().fit(samples, views([MASS]), tiny(), directory=tmp_path, **{**quiet, "device": "cpu*2"})


# Stand-ins for torchrun: what the process that watches does when one of the others is killed, or it is itself.


def stand_in(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str) -> None:
    """Let `train_on` start this code in place of torchrun."""
    script = folder / "stand_in.py"
    script.write_text(code)
    program = folder / "python"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} {script}\n")
    program.chmod(0o755)
    monkeypatch.setattr("detection.training.launch.sys.executable", str(program))


def test_processes_that_end_without_a_word_are_told_with_advice(
    views: Any, tmp_path: Path, quiet: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, tmp_path, "print('no event'); raise SystemExit(1)")
    with pytest.raises(ProcessLost, match="last complete checkpoint"):
        MaskRCNNDetector().fit(
            views([MASS]), views([MASS]), tiny(), directory=tmp_path / "run", **{**quiet, "device": "cpu*2"}
        )


def test_of_several_failures_the_one_that_was_not_caused_by_another_is_told(
    views: Any, tmp_path: Path, quiet: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [failed_event(Interrupted(None)), failed_event(OutOfMemory("Too large.", "Lower batch_size."))]
    stand_in(monkeypatch, tmp_path, "\n".join(f"print({json.dumps(json.dumps(event))})" for event in events))
    with pytest.raises(OutOfMemory, match="Lower batch_size"):
        MaskRCNNDetector().fit(
            views([MASS]), views([MASS]), tiny(), directory=tmp_path / "run", **{**quiet, "device": "cpu*2"}
        )


def test_an_error_of_the_listener_leaves_no_process_behind(
    views: Any, tmp_path: Path, quiet: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As the real processes do, the stand-in ends when its input does.
    told = tmp_path / "ended"
    code = (
        'import sys, pathlib\nprint(\'{"event": "step"}\', flush=True)\n'
        f"sys.stdin.read()\npathlib.Path({str(told)!r}).write_text('by itself')"
    )
    stand_in(monkeypatch, tmp_path, code)

    def refuse(event: Mapping[str, Any]) -> None:
        raise LookupError("fenced")

    with pytest.raises(LookupError):
        MaskRCNNDetector().fit(
            views([MASS]),
            views([MASS]),
            tiny(),
            directory=tmp_path / "run",
            **{**quiet, "device": "cpu*2", "progress": refuse},
        )
    assert told.read_text() == "by itself"


def test_a_step_smaller_than_the_number_of_processes_is_refused(tmp_path: Path, views: Any) -> None:
    with pytest.raises(DeviceUnavailable, match="cannot be divided over 2"):
        train(
            views([MASS]),
            views([MASS]),
            tiny(batch_size=1),
            directory=tmp_path,
            device=torch.device("cpu"),
            processes=Processes(0, 2),
            progress=lambda event: None,
            should_stop=lambda: False,
            cache=None,
        )


def test_devices_and_processes_must_be_equally_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "3", "LOCAL_WORLD_SIZE": "3"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DeviceUnavailable, match="2 devices, and 3 processes"), together("cpu*2"):
        pass


@pytest.mark.slow
def test_a_followed_process_ends_when_nobody_follows_it_and_stops_when_asked(views: Any, tmp_path: Path) -> None:
    command = write_sets(tmp_path, views([MASS]), views([MASS]), epochs=1)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", FOLLOWED: "1"}
    pipes: dict[str, Any] = {"cwd": ROOT, "env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    alone = subprocess.run(command, stdin=subprocess.DEVNULL, check=False, **pipes)
    assert alone.returncode == 1
    assert not (tmp_path / "run" / "outcome.json").exists()
    with subprocess.Popen(command, stdin=subprocess.PIPE, **pipes) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(STOP)
        process.stdin.flush()
        events = [json.loads(line) for line in process.stdout]
    assert process.returncode == 3
    assert isinstance(failure_in(events[-1]), Interrupted)
