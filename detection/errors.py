"""Errors of detectors: each says what happened, why, and what to do; none carries a patient identifier."""

from __future__ import annotations

from pathlib import Path


class DetectionError(Exception):
    """A detector could not do what was asked.

    Attributes
    ----------
    message : str
        What happened and why.
    advice : str
        What the person who started the work can do.
    """

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(f"{message} {advice}")
        self.message = message
        self.advice = advice


class Interrupted(DetectionError):
    """Training stopped because it was asked to; `checkpoint` is where it will go on."""

    def __init__(self, checkpoint: Path | None) -> None:
        self.checkpoint = checkpoint
        super().__init__("Training was stopped as asked.", "Start it again on the same folder to continue.")


class UnknownFamily(DetectionError):
    """No detector of that name."""


class DeviceUnavailable(DetectionError):
    """The device asked for is not there."""


class ProcessLost(DetectionError):
    """A process of a training on several devices ended without saying why."""


class OutOfMemory(DetectionError):
    """The memory of a device is full."""


class NonFiniteLoss(DetectionError):
    """The loss became infinite or undefined."""


class EmptySampleSet(DetectionError):
    """A training or validation set holds nothing that can be used."""


class UnreadableSample(DetectionError):
    """An image of a sample set could not be read or prepared."""


class MissingWeights(DetectionError):
    """A weights file is absent."""


class UnsuitableWeights(DetectionError):
    """A weights file does not fit the model."""


class CheckpointMismatch(DetectionError):
    """The folder holds the checkpoints of another training."""


class UnreadableModel(DetectionError):
    """A folder holds no trained model, or a damaged one."""


class NotTrained(DetectionError):
    """The detector was asked to predict before it was trained or loaded."""


class StorageFailed(DetectionError):
    """A file of the training could not be written."""
