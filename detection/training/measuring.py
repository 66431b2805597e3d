"""Measuring a network on the validation set between epochs, without a trace in its training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import nn

from detection.configuration import MaskRCNNConfiguration
from detection.detector import Measure, ShouldStop
from detection.training import randomness
from detection.training.processes import Processes


class Measuring(Protocol):
    """What is measured: something found on each of a number of views, and what follows from all of it."""

    def views(self) -> int:
        """Views of the validation set."""

    def find(self, model: nn.Module, view: int) -> Any:
        """What the network, in evaluation mode, finds on a view; it can be pickled."""

    def numbers(self, found: Sequence[Any]) -> dict[str, Measure]:
        """Numbers by name, from what was found on every view in turn."""

    def about(self) -> dict[str, Any]:
        """What the numbers rest on, JSON-ready: counts and rules."""


class EpochMeasuring:
    """Measures after every `measure_every`-th epoch and after the last, on the views of all processes together.

    Random states and the mode of every module are afterwards what they were.

    Parameters
    ----------
    measuring : Measuring
    configuration : MaskRCNNConfiguration
        With a `measure_every` above 0.
    should_stop : callable
        Asked before each view.

    Attributes
    ----------
    seconds : float
        Time of the last measuring, in no part of the time of a step.
    """

    def __init__(
        self,
        measuring: Measuring,
        configuration: MaskRCNNConfiguration,
        *,
        device: torch.device,
        processes: Processes,
        should_stop: ShouldStop,
    ) -> None:
        self._measuring = measuring
        self._configuration = configuration
        self._device = device
        self._processes = processes
        self._should_stop = should_stop
        self.seconds = 0.0

    def due(self, epoch: int) -> bool:
        """Whether an epoch (from 1) is measured."""
        return epoch % self._configuration.measure_every == 0 or epoch == self._configuration.epochs

    def seconds_left(self, epoch: int) -> float:
        """Time that measuring will take after `epoch` epochs are done; 0 as long as none was measured."""
        later = range(epoch + 1, self._configuration.epochs + 1)
        return self.seconds * sum(self.due(one) for one in later)

    def about(self) -> dict[str, Any]:
        """What the numbers rest on, how often they are taken and of which weights."""
        averaged = self._configuration.weight_averaging > 0
        return {
            **self._measuring.about(),
            "every": self._configuration.measure_every,
            "weights": "moving average" if averaged else "of the epoch",
        }

    def measure(self, model: nn.Module, stopped: Callable[[], BaseException]) -> dict[str, Measure]:
        """Numbers of the network, the same in every process.

        Parameters
        ----------
        model : Module
            As it would be kept.
        stopped : callable
            Gives what is raised, in all processes, when one of them was asked to stop.
        """
        started = time.monotonic()
        self._processes.level(model)
        share = self._processes.share
        found: dict[int, Any] = {}
        stop = False
        with randomness.fixed(self._configuration.seed, self._device), _evaluating(model), torch.no_grad():
            for view in range(share.rank, self._measuring.views(), share.count):
                stop = self._should_stop()
                if stop:
                    break
                found[view] = self._measuring.find(model, view)
        if self._processes.any(stop):
            # outside the borrowed random states, which a checkpoint must not hold
            raise stopped()
        every = {view: entry for part in self._processes.gather(found) for view, entry in part.items()}
        numbers = self._measuring.numbers([every[view] for view in range(len(every))])
        self.seconds = time.monotonic() - started
        return numbers


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode inside, and each of its modules back into its own."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
