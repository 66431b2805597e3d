"""One training of a Mask R-CNN in its folder, in one process or as one of several."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import torchvision
from torchvision.models.detection import MaskRCNN

from detection.configuration import FAMILY, MaskRCNNConfiguration
from detection.detector import Progress, ShouldStop, TrainingOutcome
from detection.errors import DeviceUnavailable, EmptySampleSet, StorageFailed, UnreadableModel
from detection.evaluation.protocol import Protocol
from detection.mask_rcnn.measuring import ValidationViews
from detection.mask_rcnn.model import build, freeze
from detection.mask_rcnn.samples import SamplePredictions
from detection.mask_rcnn.tile_batches import TrainingBatches, ValidationBatches
from detection.mask_rcnn.tile_set import TileSet
from detection.mask_rcnn.view_store import prepare_views
from detection.mask_rcnn.weights import digest_of, load_initial_weights
from detection.sample_set import SampleSet
from detection.training import checkpoints, randomness
from detection.training.devices import computes_in_bfloat16
from detection.training.loop import BEST, TrainingLoop
from detection.training.processes import Processes
from detection.view_cache import StoredView

OUTCOME = "outcome.json"
CONFIGURATION = "configuration.json"
_PREPARED = "prepared"


def train(
    training: SampleSet,
    validation: SampleSet,
    configuration: MaskRCNNConfiguration,
    *,
    directory: Path,
    device: torch.device,
    processes: Processes,
    progress: Progress,
    should_stop: ShouldStop,
    cache: Path | None,
    protocol: Protocol | None = None,
) -> TrainingOutcome:
    """Train, or go on from the newest checkpoint; `MaskRCNNDetector.fit` says what is written and raised."""
    size, share = configuration.batch_size, processes.share
    if size < share.count:
        raise DeviceUnavailable(
            f"A step of {size} sub-images cannot be divided over {share.count} devices.",
            "Raise batch_size or use fewer devices.",
        )
    told: Progress = progress if processes.first else _silent
    identity = identity_of(training, validation, configuration)
    randomness.start(configuration.seed)
    model = build(configuration)
    origin = _initialise(model, configuration, told)
    randomness.start_own(configuration.seed, share.rank)
    processes.by_first(lambda: _write_text(directory / CONFIGURATION, configuration.to_json()))
    folder = cache or directory / _PREPARED

    def views_of(samples: SampleSet) -> list[StoredView]:
        return prepare_views(samples, configuration.preprocessing, folder, progress=told, should_stop=should_stop)

    if share.count > 1:
        for samples in (training, validation):
            views_of(replace(samples, samples=samples.samples[share.rank :: share.count]))
        processes.wait()
    views = [views_of(samples) for samples in (training, validation)]
    sets = [TileSet(of_set, configuration) for of_set in views]
    _require_something_to_learn(sets[0], sets[1], configuration)
    loop = TrainingLoop(
        model,
        TrainingBatches(sets[0], batch_size=size, seed=configuration.seed, share=share),
        ValidationBatches(sets[1], batch_size=size) if sets[1].epoch_size() else None,
        configuration,
        identity=identity,
        directory=directory,
        device=device,
        progress=progress,
        should_stop=should_stop,
        after_epoch=SamplePredictions(views[1], configuration, directory, device, progress),
        measuring=ValidationViews(views[1], configuration, protocol or Protocol(), device),
        processes=processes,
    )
    curve, best_epoch = loop.run()
    weights = directory / BEST
    outcome = TrainingOutcome(
        curve=tuple(curve),
        best_epoch=best_epoch,
        weights=BEST,
        weights_sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        record={
            "family": FAMILY,
            "identity": identity,
            "configuration": configuration.to_dict(),
            "configuration_digest": configuration.digest(),
            "amount": loop.amount(),
            "measured": loop.measured(),
            "training": {"name": training.name, **sets[0].counts},
            "validation": {"name": validation.name, **sets[1].counts},
            "initial_weights": origin,
            "environment": _environment(device, share.count, configuration),
        },
    )
    processes.by_first(lambda: _write_text(directory / OUTCOME, outcome.to_json()))
    if cache is None and processes.first:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def _silent(event: Mapping[str, Any]) -> None:
    """What processes but the first tell."""


def _initialise(model: MaskRCNN, configuration: MaskRCNNConfiguration, progress: Progress) -> Mapping[str, Any]:
    if configuration.initial_weights:
        origin = load_initial_weights(model, Path(configuration.initial_weights))
        freeze(model, configuration)
        message = f"Starting from {origin['file']}: {origin['loaded']} tensors loaded"
    else:
        origin = {"origin": "random", "statement": "No initial weights were given: training started from random ones."}
        message = origin["statement"]
        if configuration.normalisation == "frozen":
            origin["warning"] = "Frozen normalisation cannot adapt a random start; expect poor learning."
            message = f"{message} {origin['warning']}"
    progress({"event": "log", "message": message, "metrics": {}})
    return origin


def _require_something_to_learn(training: TileSet, validation: TileSet, configuration: MaskRCNNConfiguration) -> None:
    if not training.with_lesions:
        raise EmptySampleSet(
            f"The training set has no lesion to learn from ({_told(training)}).",
            "Add views with masses or clusters of known malignancy, or check that outlines lie on the breast.",
        )
    if configuration.best_epoch == "validation_loss" and not validation.epoch_size():
        raise EmptySampleSet(
            f"The validation set has nothing to choose the best epoch by ({_told(validation)}).",
            "Add validation views with lesions, or keep the last epoch (best_epoch).",
        )


def _told(tiles: TileSet) -> str:
    return ", ".join(f"{name}: {count}" for name, count in tiles.counts.items())


def identity_of(training: SampleSet, validation: SampleSet, configuration: MaskRCNNConfiguration) -> str:
    """Digest of configuration, data and initial weights.

    Locations of images do not count, so a moved folder can go on; nor do fields that training does not read.

    Raises
    ------
    MissingWeights
    """
    samples = [
        {key: value for key, value in asdict(sample).items() if key not in ("low_energy", "recombined", "breast_id")}
        for sample_set in (training, validation)
        for sample in sample_set.samples
    ]
    given = configuration.initial_weights
    start = [digest_of(Path(given))] if given else []
    body = json.dumps([configuration.digest(), len(training.samples), samples, *start], sort_keys=True)
    return hashlib.sha256(body.encode()).hexdigest()


def finished(directory: Path, identity: str) -> TrainingOutcome | None:
    """The outcome of a training of this configuration and data that ended in `directory`, or None."""
    outcome = read_outcome(directory) if (directory / OUTCOME).exists() else None
    return outcome if outcome is not None and outcome.record.get("identity") == identity else None


def read_outcome(directory: Path) -> TrainingOutcome:
    """What a training that ended has left.

    Raises
    ------
    UnreadableModel
    """
    try:
        return TrainingOutcome.from_json((directory / OUTCOME).read_text())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableModel(f"{OUTCOME} is damaged or missing.", "Remove it to train again.") from error


def _environment(device: torch.device, processes: int, configuration: MaskRCNNConfiguration) -> dict[str, Any]:
    mixed = configuration.mixed_precision and computes_in_bfloat16(device)
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "device_type": device.type,
        "precision": "bfloat16 and float32" if mixed else "float32",
        "processes": processes,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "repeatable": "bit for bit" if device.type == "cpu" else "closely; some CUDA sums vary in order",
    }


def _write_text(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFailed(f"{path.parent.name} cannot be created.", "Check permissions.") from error
    checkpoints.write_whole(path, lambda temporary: temporary.write_text(text))
