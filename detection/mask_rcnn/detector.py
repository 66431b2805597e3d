"""The Mask R-CNN detector family: fit, predict, describe, load."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torchvision.models.detection import MaskRCNN

from detection.configuration import FAMILY, ConfigurationError, MaskRCNNConfiguration
from detection.detector import Progress, ShouldStop, TrainingOutcome
from detection.devices import members
from detection.errors import NotTrained, UnreadableModel, UnreadableSample
from detection.evaluation.protocol import Protocol
from detection.finding import Finding
from detection.mask_rcnn.inference import find
from detection.mask_rcnn.model import build
from detection.mask_rcnn.training import CONFIGURATION, OUTCOME, finished, identity_of, read_outcome, train
from detection.sample_set import SampleSet
from detection.training.devices import FOR_PREDICTION, memory_errors, resolve
from detection.training.launch import train_on
from detection.training.processes import started_by_torchrun, together
from imaging.errors import ImagingError
from imaging.pair import CEMPair
from imaging.preprocessing import preprocess


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
        protocol: Protocol | None = None,
    ) -> TrainingOutcome:
        """Train inside `directory`, going on from its last complete checkpoint if there is one.

        A finished training with the same configuration and data is opened, not repeated.

        Parameters
        ----------
        directory : Path
            Receives ``configuration.json``, ``checkpoints/``, ``best.safetensors`` and ``outcome.json``.
        device : str
            ``"cpu"``, ``"cuda"``, ``"cuda:<n>"`` or ``"auto"``; several with ``"cuda:0,1"``, ``"cuda*2"`` or
            ``"cpu*2"`` (`detection.devices`): torchrun then starts a process for each, and each step of
            `configuration.batch_size` sub-images is divided over them. In a process that torchrun started, it takes
            part as one of them.
        cache : Path, optional
            Folder of prepared views that trainings share (`detection.view_cache`); without one they lie under
            ``prepared/`` in `directory` until the training ends.
        protocol : Protocol, optional
            How findings are matched with lesions where `configuration.measure_every` asks for numbers on the validation
            set; its defaults where absent. It changes no weight.

        Raises
        ------
        Interrupted, DeviceUnavailable, OutOfMemory, NonFiniteLoss, EmptySampleSet, UnreadableSample,
        MissingWeights, UnsuitableWeights, CheckpointMismatch, StorageFailed, ProcessLost
        """
        names = members(device)
        devices = [resolve(name) for name in names]
        identity = identity_of(training, validation, configuration)
        outcome = finished(directory, identity)
        if outcome is None:
            arguments: dict[str, Any] = {
                "directory": directory,
                "progress": progress,
                "should_stop": should_stop,
                "cache": cache,
                "protocol": protocol,
            }
            if len(names) > 1 and not started_by_torchrun():
                train_on(device, len(names), training, validation, configuration, family=FAMILY, **arguments)
                outcome = read_outcome(directory)
            else:
                with together(device) as (processes, own):
                    devices = [resolve(own)]
                    outcome = train(
                        training, validation, configuration, device=devices[0], processes=processes, **arguments
                    )
        self._open(directory, configuration, outcome, devices[0])
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
        with memory_errors(self._device, FOR_PREDICTION):
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
        DeviceUnavailable, OutOfMemory
        """
        chosen = resolve(members(device)[0])
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
        with memory_errors(device, FOR_PREDICTION):
            self._model = model.to(device).eval()
        self._configuration = configuration
        self._outcome = outcome
        self._device = device
