"""The Mask R-CNN detector family: fit, predict, describe, load."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torchvision.models.detection import MaskRCNN

from detection.configuration import FAMILY, ConfigurationError, MaskRCNNConfiguration
from detection.detector import Progress, ShouldStop, TrainingOutcome
from detection.errors import EmptySampleSet, NotTrained, StorageFailed, UnreadableModel, UnreadableSample
from detection.finding import Finding
from detection.mask_rcnn.inference import find
from detection.mask_rcnn.model import build, freeze
from detection.mask_rcnn.samples import SamplePredictions
from detection.mask_rcnn.tile_batches import TrainingBatches, ValidationBatches
from detection.mask_rcnn.tile_set import TileSet
from detection.mask_rcnn.view_store import prepare_views
from detection.mask_rcnn.weights import load_initial_weights
from detection.sample_set import SampleSet
from detection.training import checkpoints, randomness
from detection.training.devices import memory_errors, resolve
from detection.training.loop import BEST, TrainingLoop
from imaging.errors import ImagingError
from imaging.pair import CEMPair
from imaging.preprocessing import preprocess

OUTCOME = "outcome.json"
CONFIGURATION = "configuration.json"
_PREPARED = "prepared"


class MaskRCNNDetector:
    """Mask R-CNN with one class for each combination of mass or cluster and benign or malignant."""

    def __init__(self) -> None:
        self._model: MaskRCNN | None = None
        self._configuration = MaskRCNNConfiguration()
        self._outcome: TrainingOutcome | None = None
        self._device = torch.device("cpu")

    def fit(
        self,
        training: SampleSet,
        validation: SampleSet,
        configuration: MaskRCNNConfiguration,
        *,
        directory: Path,
        progress: Progress,
        should_stop: ShouldStop,
        device: str = "cpu",
        cache: Path | None = None,
    ) -> TrainingOutcome:
        """Train inside `directory`, going on from its last complete checkpoint if there is one.

        A finished training with the same configuration and data is opened, not repeated.

        Parameters
        ----------
        directory : Path
            Receives ``configuration.json``, ``checkpoints/``, ``best.safetensors`` and ``outcome.json``.
        device : str
            ``"cpu"``, ``"cuda"``, ``"cuda:<n>"`` or ``"auto"``.
        cache : Path, optional
            Folder of prepared views that trainings share (`detection.view_cache`); without one they lie under
            ``prepared/`` in `directory` until the training ends.

        Raises
        ------
        Interrupted, DeviceUnavailable, OutOfMemory, NonFiniteLoss, EmptySampleSet, UnreadableSample,
        MissingWeights, UnsuitableWeights, CheckpointMismatch, StorageFailed
        """
        chosen = resolve(device)
        identity = _identity(training, validation, configuration)
        finished = _finished(directory, identity)
        if finished is not None:
            self._open(directory, configuration, finished, chosen)
            return finished
        randomness.start(configuration.seed)
        model = build(configuration)
        origin = _initialise(model, configuration, progress)
        _write_text(directory / CONFIGURATION, configuration.to_json())
        prepared = cache or directory / _PREPARED
        prepared_views = [
            prepare_views(samples, configuration.preprocessing, prepared, progress=progress, should_stop=should_stop)
            for samples in (training, validation)
        ]
        sets = [TileSet(views, configuration) for views in prepared_views]
        _require_something_to_learn(sets[0], sets[1], configuration)
        size = configuration.batch_size
        sample = SamplePredictions(prepared_views[1], configuration, directory, chosen, progress)
        loop = TrainingLoop(
            model,
            TrainingBatches(sets[0], batch_size=size, seed=configuration.seed),
            ValidationBatches(sets[1], batch_size=size) if sets[1].epoch_size() else None,
            configuration,
            identity=identity,
            directory=directory,
            device=chosen,
            progress=progress,
            should_stop=should_stop,
            after_epoch=sample,
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
                "training": {"name": training.name, **sets[0].counts},
                "validation": {"name": validation.name, **sets[1].counts},
                "initial_weights": origin,
                "environment": _environment(chosen),
            },
        )
        _write_text(directory / OUTCOME, outcome.to_json())
        if cache is None:
            shutil.rmtree(prepared, ignore_errors=True)
        self._open(directory, configuration, outcome, chosen)
        return outcome

    def predict(self, pair: CEMPair) -> list[Finding]:
        """Findings on one view, best first, in continuous pixels of the view.

        Raises
        ------
        NotTrained, UnreadableSample, OutOfMemory
        """
        if self._model is None:
            raise NotTrained("This detector has no weights yet.", "Train it or load a trained model first.")
        try:
            prepared = preprocess(pair, self._configuration.preprocessing)
        except ImagingError as error:
            raise UnreadableSample(str(error), "Correct or leave out the image.") from error
        with memory_errors(self._device):
            found = find(self._model, prepared.channels, self._configuration, self._device)
        row0, _, column0, _ = prepared.crop
        return [finding.shifted(float(column0), float(row0)) for finding in found]

    def describe(self) -> dict[str, Any]:
        """JSON-ready description: family, configuration, training record and digest of the weights."""
        if self._outcome is None:
            return {"family": FAMILY, "trained": False}
        return {
            "family": FAMILY,
            "trained": True,
            "best_epoch": self._outcome.best_epoch,
            "weights_sha256": self._outcome.weights_sha256,
            "configuration": self._configuration.to_dict(),
            "record": self._outcome.record,
        }

    @classmethod
    def load(cls, directory: Path, device: str = "cpu") -> Self:
        """Open a trained model.

        Raises
        ------
        UnreadableModel
            If the folder holds none, an unfinished one, or a damaged one.
        DeviceUnavailable
        """
        chosen = resolve(device)
        try:
            configuration = MaskRCNNConfiguration.from_json((directory / CONFIGURATION).read_text())
            outcome = TrainingOutcome.from_json((directory / OUTCOME).read_text())
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = str(error) if isinstance(error, ConfigurationError) else type(error).__name__
            raise UnreadableModel(
                f"The folder {directory.name} holds no finished training ({reason}).",
                "Give the folder of a training that ended.",
            ) from error
        detector = cls()
        detector._open(directory, configuration, outcome, chosen)
        return detector

    def _open(
        self,
        directory: Path,
        configuration: MaskRCNNConfiguration,
        outcome: TrainingOutcome,
        device: torch.device,
    ) -> None:
        path = directory / outcome.weights
        advice = "Restore the file or train again."
        try:
            if hashlib.sha256(path.read_bytes()).hexdigest() != outcome.weights_sha256:
                raise UnreadableModel(f"{path.name} has changed since the training ended.", advice)
            model = build(configuration)
            model.load_state_dict(load_file(path))
        except (OSError, RuntimeError, SafetensorError) as error:
            raise UnreadableModel(f"{path.name} cannot be read as weights of this model.", advice) from error
        self._model = model.to(device).eval()
        self._configuration = configuration
        self._outcome = outcome
        self._device = device


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


def _identity(training: SampleSet, validation: SampleSet, configuration: MaskRCNNConfiguration) -> str:
    """Digest of configuration and data.

    File locations do not count, so a moved folder can go on; nor do fields that training does not read.
    """
    samples = [
        {key: value for key, value in asdict(sample).items() if key not in ("low_energy", "recombined", "breast_id")}
        for sample_set in (training, validation)
        for sample in sample_set.samples
    ]
    body = json.dumps([configuration.digest(), len(training.samples), samples], sort_keys=True)
    return hashlib.sha256(body.encode()).hexdigest()


def _finished(directory: Path, identity: str) -> TrainingOutcome | None:
    path = directory / OUTCOME
    if not path.exists():
        return None
    try:
        outcome = TrainingOutcome.from_json(path.read_text())
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableModel(f"{OUTCOME} is damaged.", "Remove it to train again.") from error
    return outcome if outcome.record.get("identity") == identity else None


def _environment(device: torch.device) -> dict[str, Any]:
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "device_type": device.type,
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
