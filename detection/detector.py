"""What every detector family offers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from detection.configuration import MaskRCNNConfiguration
from detection.evaluation.protocol import Protocol as EvaluationProtocol
from detection.finding import Finding
from detection.sample_set import SampleSet
from imaging.pair import CEMPair

OUTCOME_SCHEMA = "cemlab.training-outcome/1"

Progress = Callable[[Mapping[str, Any]], None]
"""Receives events as plain dictionaries (docs/architecture.md, detection)."""

ShouldStop = Callable[[], bool]


@dataclass(frozen=True)
class Measure:
    """A number that was measured on the validation set.

    Attributes
    ----------
    value : float or None
        None where undefined; `reason` then says why.
    n : int
        What it is counted over: lesions, findings or views.
    reason : str or None
    """

    value: float | None
    n: int
    reason: str | None = None


@dataclass(frozen=True)
class EpochRecord:
    """What is known of one epoch.

    Attributes
    ----------
    validation_loss : float or None
        None when there was no validation set.
    measures : dict of str to Measure, or None
        What was found on the validation set, by name (`detection.training.validation_numbers`); None after an epoch
        that was not measured.
    """

    epoch: int
    training_loss: float
    validation_loss: float | None
    learning_rate: float
    measures: dict[str, Measure] | None = None

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> EpochRecord:
        """Inverse of `dataclasses.asdict`; records written before there were measures have none."""
        measures = entry.get("measures")
        read = None if measures is None else {name: Measure(**measure) for name, measure in measures.items()}
        return cls(**{**entry, "measures": read})


@dataclass(frozen=True)
class TrainingOutcome:
    """What a training leaves behind.

    Attributes
    ----------
    curve : tuple of EpochRecord
        Epochs count from 1.
    best_epoch : int
        Epoch whose weights were kept.
    weights : str
        File name inside the training folder.
    weights_sha256 : str
    record : dict
        JSON-ready: configuration and data digests, what was trained on, what was left out and why, origin
        of the initial weights, device, versions and seed.
    """

    curve: tuple[EpochRecord, ...]
    best_epoch: int
    weights: str
    weights_sha256: str
    record: dict[str, Any]

    def to_json(self) -> str:
        """Schema `cemlab.training-outcome/1`."""
        return json.dumps({"schema": OUTCOME_SCHEMA, **asdict(self)}, indent=1)

    @classmethod
    def from_json(cls, body: str) -> TrainingOutcome:
        """Inverse of `to_json`.

        Raises
        ------
        ValueError
            If the text does not follow the schema.
        """
        parsed = json.loads(body)
        if not isinstance(parsed, dict) or parsed.get("schema") != OUTCOME_SCHEMA:
            raise ValueError(f"expected schema {OUTCOME_SCHEMA}")
        return cls(
            curve=tuple(EpochRecord.from_dict(entry) for entry in parsed["curve"]),
            best_epoch=parsed["best_epoch"],
            weights=parsed["weights"],
            weights_sha256=parsed["weights_sha256"],
            record=parsed["record"],
        )


class Detector(Protocol):
    """A detector family: train, find lesions, say what it is."""

    def fit(
        self,
        training: SampleSet,
        validation: SampleSet,
        configuration: MaskRCNNConfiguration,
        *,
        directory: Path,
        progress: Progress,
        should_stop: ShouldStop,
        device: str,
        cache: Path | None = None,
        protocol: EvaluationProtocol | None = None,
    ) -> TrainingOutcome:
        """Train inside `directory`, going on from its last complete checkpoint if there is one.

        `cache` is a folder of prepared views that trainings share; `protocol` says how findings on the validation set
        are matched with its lesions while training goes on, by default `EvaluationProtocol()`.

        Raises
        ------
        DetectionError
            `Interrupted` when `should_stop` said so; otherwise the subclass that names the cause.
        """

    def predict(self, pair: CEMPair) -> list[Finding]:
        """Findings on one view, best first, in continuous pixels of the view."""

    def describe(self) -> dict[str, Any]:
        """JSON-ready description of the loaded model."""

    @classmethod
    def load(cls, directory: Path, device: str) -> Self:
        """Open a trained model.

        Raises
        ------
        UnreadableModel
            If the folder holds none, or a damaged one.
        """
