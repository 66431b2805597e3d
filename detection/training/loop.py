"""The training loop: epochs, validation, best epoch, checkpoints, progress, interruption."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from detection.configuration import MaskRCNNConfiguration
from detection.detector import EpochRecord, Measure, Progress, ShouldStop
from detection.errors import CheckpointMismatch, Interrupted
from detection.training import checkpoints, randomness
from detection.training.averaging import averaged
from detection.training.batches import Batch, BatchSource
from detection.training.devices import computes_in_bfloat16, memory_errors, memory_peak
from detection.training.finiteness import non_finite_loss, require_finite_weights
from detection.training.measuring import EpochMeasuring, Measuring
from detection.training.processes import Processes
from detection.training.read_ahead import read_ahead, threads_for
from detection.training.schedule import Schedule, build_optimiser

BEST = "best.safetensors"
_RECENT_STEPS = 20


@dataclass
class _Position:
    """Where a training stands: everything but weights, optimiser, schedule and random states."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    images_seen: int = 0
    images_before: int = 0
    curve: list[EpochRecord] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = math.inf


class TrainingLoop:
    """Train a network in a folder, going on from its newest checkpoint.

    Parameters
    ----------
    model : Module
        In training mode ``model(images, targets)`` returns named losses whose sum is minimised.
    training : BatchSource
    validation : BatchSource or None
        None when the configuration keeps the last epoch.
    identity : str
        Digest of configuration, data and initial weights; a checkpoint with another one is refused.
    after_epoch : callable, optional
        Gets the number of the finished epoch and the network as it would be kept; called in the first process.
    measuring : Measuring, optional
        Gives numbers of the network as it would be kept, after the epochs that `configuration.measure_every` names;
        the training is the same without.
    processes : Processes, optional
        Those this training is divided over. `training` gives their share of each step, and `configuration.batch_size`
        is that of the whole step. Only the first writes files and tells of progress.
    """

    def __init__(
        self,
        model: nn.Module,
        training: BatchSource,
        validation: BatchSource | None,
        configuration: MaskRCNNConfiguration,
        *,
        identity: str,
        directory: Path,
        device: torch.device,
        progress: Progress,
        should_stop: ShouldStop,
        after_epoch: Callable[[int, nn.Module], None] | None = None,
        measuring: Measuring | None = None,
        processes: Processes | None = None,
    ) -> None:
        self._processes = processes or Processes()
        with memory_errors(device):
            self._model = self._processes.prepared(model, device).to(device)
            self._average = averaged(model, configuration.weight_averaging) if configuration.weight_averaging else None
            self._trained = self._processes.joined(self._model, device)
        self._kept = self._model if self._average is None else self._average.module
        self._training = training
        self._validation = validation
        self._configuration = configuration
        self._identity = identity
        self._directory = directory
        self._device = device
        self._mixed = configuration.mixed_precision and computes_in_bfloat16(device)
        self._progress = progress
        self._should_stop = should_stop
        self._after_epoch = after_epoch
        self._measuring: EpochMeasuring | None = None
        if measuring is not None and configuration.measure_every:
            self._measuring = EpochMeasuring(
                measuring, configuration, device=device, processes=self._processes, should_stop=should_stop
            )
        self._optimiser = build_optimiser(model, configuration)
        in_steps = configuration.length == "steps"
        self._total_steps = configuration.steps if in_steps else training.steps() * configuration.epochs
        self._schedule = Schedule(self._optimiser, configuration, self._total_steps, training.steps())
        self._at = _Position()
        self._durations: deque[float] = deque(maxlen=_RECENT_STEPS)
        self._loading: deque[float] = deque(maxlen=_RECENT_STEPS)
        self._validation_seconds = 0.0
        self._threads = threads_for(device, self._processes.share.count)

    def run(self) -> tuple[list[EpochRecord], int]:
        """Train to the last epoch.

        Returns
        -------
        curve : list of EpochRecord
        best_epoch : int
            Its weights are in ``best.safetensors``.

        Raises
        ------
        Interrupted
            After writing a checkpoint, when `should_stop` said so.
        NonFiniteLoss, OutOfMemory, CheckpointMismatch, StorageFailed
        """
        with memory_errors(self._device):
            self._resume()
            if self._device.type == "cuda" and self._mixed != self._configuration.mixed_precision:
                self._emit("log", {}, "This GPU does not calculate in bfloat16: precision is full instead of mixed.")
            while self._at.epoch < self._configuration.epochs:
                self._train_epoch()
                self._close_epoch()
        return self._at.curve, self._at.best_epoch

    def amount(self) -> dict[str, Any]:
        """What has been trained, over all attempts: steps, images shown, and passes over the training set."""
        images = self._at.images_before + self._at.images_seen
        return {
            "length": self._configuration.length,
            "steps": self._first_step(self._at.epoch) + self._at.step,
            "steps_per_pass": self._training.steps(),
            "images": images,
            "passes": images / self._training.images(),
        }

    def measured(self) -> dict[str, Any] | None:
        """What the numbers on the validation set rest on; None where there are none."""
        return None if self._measuring is None else self._measuring.about()

    def _first_step(self, epoch: int) -> int:
        """Steps before an epoch: passes over the set, or equal parts of the steps asked for."""
        return self._total_steps * epoch // self._configuration.epochs

    def _steps(self) -> int:
        """Steps of the epoch in which the training stands."""
        epoch = min(self._at.epoch, self._configuration.epochs - 1)
        return self._first_step(epoch + 1) - self._first_step(epoch)

    def _train_epoch(self) -> None:
        self._model.train()
        first = self._first_step(self._at.epoch)
        positions = [divmod(first + step, self._training.steps()) for step in range(self._at.step, self._steps())]
        with self._ahead(self._training, positions) as batches:
            for position in positions:
                if self._processes.any(self._should_stop()):
                    require_finite_weights(self._model, epoch=self._at.epoch + 1)
                    raise Interrupted(self._checkpoint())
                started = time.monotonic()
                batch = next(batches)
                self._loading.append(time.monotonic() - started)
                self._step(batch, position[1], started)

    def _step(self, batch: Batch, step: int, started: float) -> None:
        """One step of the optimiser; `step` is its place in the pass over the set."""
        losses = self._losses(self._trained, batch)
        parts = torch.stack(list(losses.values()))
        total = parts.sum()
        # One transfer from the device for the check and for all that is reported.
        numbers = torch.cat([total.detach()[None], parts.detach()]).tolist()
        images = len(batch[0])
        share = self._processes.share
        if share.count > 1:
            size = self._configuration.batch_size
            images = min(size, self._training.images() - step * size)
            numbers = [value / images for value in self._processes.total([n * share.own(images) for n in numbers])]
            total = total * share.weight(images)
        value, told = numbers[0], dict(zip(losses, numbers[1:], strict=True))
        if not math.isfinite(value):
            raise non_finite_loss(told, epoch=self._at.epoch + 1, step=self._at.step + 1)
        self._optimiser.zero_grad(set_to_none=True)
        total.backward()
        if self._configuration.gradient_limit:
            nn.utils.clip_grad_norm_(self._model.parameters(), self._configuration.gradient_limit)
        rate = self._schedule.rate()
        self._optimiser.step()
        self._schedule.after_step()
        if self._average is not None:
            self._average.update_parameters(self._model)
        self._at.step += 1
        self._at.loss_sum += value * images
        self._at.images_seen += images
        self._durations.append(time.monotonic() - started)
        self._report_step(images, value, rate, told)

    def _ahead(
        self, source: BatchSource, positions: Sequence[tuple[int, int]]
    ) -> AbstractContextManager[Iterator[Batch]]:
        return read_ahead(source, positions, threads=self._threads, pinned=self._device.type == "cuda")

    def _close_epoch(self) -> None:
        at = self._at
        require_finite_weights(self._model, epoch=at.epoch + 1)
        rate = self._schedule.rate()
        training_loss = at.loss_sum / at.images_seen
        validation_loss = self._validate()
        measures = self._measure()
        self._schedule.after_epoch(training_loss)
        at.images_before += at.images_seen
        at.epoch, at.step, at.loss_sum, at.images_seen = at.epoch + 1, 0, 0.0, 0
        at.curve.append(EpochRecord(at.epoch, training_loss, validation_loss, rate, measures))
        deciding = validation_loss if self._configuration.best_epoch == "validation_loss" else -at.epoch
        if deciding is not None and deciding < at.best_loss:
            at.best_loss, at.best_epoch = float(deciding), at.epoch
            # Before the checkpoint: killed in between, the epoch is repeated and writes the same weights again.
            self._processes.by_first(lambda: checkpoints.write_weights(self._directory / BEST, self._kept.state_dict()))
        after_epoch = self._after_epoch
        if after_epoch is not None:
            self._processes.by_first(lambda: after_epoch(at.epoch, self._kept))
        metrics: dict[str, Any] = {
            "training_loss": training_loss,
            "validation_loss": validation_loss,
            "learning_rate": rate,
            "best_epoch": at.best_epoch,
            "seconds_left": self._seconds_left(),
            "memory_bytes": max(self._processes.gather(memory_peak(self._device))),
        }
        # Before the checkpoint: killed in between, the epoch is repeated and told again, and none is lost.
        self._emit("epoch", metrics, f"Epoch {at.epoch} of {self._configuration.epochs} done", measures=measures)
        self._emit("checkpoint", {}, self._checkpoint().name)

    def _measure(self) -> dict[str, Measure] | None:
        """Numbers of the epoch that was trained last, if it is its turn; asked to stop, it is measured once resumed."""
        if self._measuring is None or not self._measuring.due(self._at.epoch + 1):
            return None
        return self._measuring.measure(self._kept, lambda: Interrupted(self._checkpoint()))

    @torch.no_grad()
    def _validate(self) -> float | None:
        """Mean loss over the validation set, with the same random samples of anchors and regions every time.

        The batches, each with a seed of its own, are divided over the processes; who computes one makes no difference.
        """
        if self._validation is None:
            return None
        started = time.monotonic()
        self._processes.level(self._kept)
        self._kept.train()
        for module in self._kept.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        total = 0.0
        stopped = False
        share = self._processes.share
        positions = [(0, step) for step in range(share.rank, self._validation.steps(), share.count)]
        seed = self._configuration.seed
        with randomness.fixed(seed, self._device), self._ahead(self._validation, positions) as batches:
            for _, step in positions:
                stopped = self._should_stop()
                if stopped:
                    break
                batch = next(batches)
                torch.manual_seed(seed + step)
                losses = {name: float(loss) for name, loss in self._losses(self._kept, batch).items()}
                value = sum(losses.values())
                if not math.isfinite(value) and share.count == 1:
                    raise non_finite_loss(losses, epoch=self._at.epoch + 1, step=self._at.step)
                total += value * len(batch[0])
        total, stops = self._processes.total([total, float(stopped)])
        if stops:
            # Outside the borrowed random states: the epoch is trained, its validation starts again.
            raise Interrupted(self._checkpoint())
        if not math.isfinite(total):
            raise non_finite_loss({"validation": total}, epoch=self._at.epoch + 1, step=self._at.step)
        self._validation_seconds = time.monotonic() - started
        return total / self._validation.images()

    def _losses(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        images = [image.to(self._device, non_blocking=True) for image in batch[0]]
        targets = [
            {name: value.to(self._device, non_blocking=True) for name, value in target.items()} for target in batch[1]
        ]
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._mixed):
            losses: Mapping[str, Tensor] = model(images, targets)
        return losses

    def _checkpoint(self) -> Path:
        at = self._at
        own, *others = self._processes.gather(randomness.state(self._device))
        state = {
            "identity": self._identity,
            "position": {**asdict(at), "curve": [asdict(entry) for entry in at.curve]},
            "model": self._model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scheduler": self._schedule.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "random": own,
            "random_of_others": others,
        }
        self._processes.by_first(lambda: checkpoints.write(self._directory, state, epoch=at.epoch, step=at.step))
        return checkpoints.path_of(self._directory, at.epoch, at.step)

    def _resume(self) -> None:
        state = checkpoints.newest(self._directory, lambda text: self._emit("log", {}, text))
        if state is None:
            return
        if state["identity"] != self._identity:
            raise CheckpointMismatch(
                "The folder holds checkpoints of a training with another configuration, other data or other initial "
                "weights.",
                "Use a new folder, or the same configuration, data and weights file to continue.",
            )
        position = state["position"]
        self._at = _Position(**{**position, "curve": [EpochRecord.from_dict(entry) for entry in position["curve"]]})
        self._model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["scheduler"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        random = [state["random"], *state.get("random_of_others", [])]
        rank = self._processes.share.rank
        if rank < len(random):
            randomness.restore(random[rank], self._device)
        self._emit("log", {}, f"Going on after epoch {self._at.epoch}, step {self._at.step}")

    def _report_step(self, images: int, loss: float, rate: float, losses: Mapping[str, float]) -> None:
        metrics: dict[str, Any] = {
            "training_loss": loss,
            "learning_rate": rate,
            "images_per_second": images * len(self._durations) / max(sum(self._durations), 1e-9),
            "seconds_left": self._seconds_left(),
            "loading_share": sum(self._loading) / max(sum(self._durations), 1e-9),
            **losses,
        }
        self._emit("step", metrics, "")

    def _seconds_left(self) -> float | None:
        if not self._durations:
            return None
        steps = self._total_steps - self._first_step(self._at.epoch) - self._at.step
        epochs = self._configuration.epochs - self._at.epoch
        between = epochs * self._validation_seconds
        if self._measuring is not None:
            between += self._measuring.seconds_left(self._at.epoch)
        return steps * sum(self._durations) / len(self._durations) + between

    def _emit(
        self, event: str, metrics: dict[str, Any], message: str, measures: Mapping[str, Measure] | None = None
    ) -> None:
        """Epochs and steps count from 1; an epoch event carries the epoch just finished."""
        if not self._processes.first:
            return
        running = event == "step"
        self._progress(
            {
                "event": event,
                "epoch": self._at.epoch + 1 if running else self._at.epoch,
                "epochs": self._configuration.epochs,
                "step": self._at.step if running else None,
                "steps": self._steps(),
                "metrics": metrics,
                "message": message,
                **({"measures": {name: asdict(one) for name, one in measures.items()}} if measures else {}),
            }
        )
