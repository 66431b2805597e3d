"""Optimisers and the course of the learning rate."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from detection.configuration import MaskRCNNConfiguration

_WARM_UP_START = 1e-3
_COSINE_END = 1e-2


def learning_rate_factor(step: int, *, warm_up_steps: int, total_steps: int, schedule: str) -> float:
    """Factor on the learning rate at a step (0 = first).

    Linear from one thousandth over `warm_up_steps`; then constant, or a half cosine down to one hundredth at the
    last step.
    """
    if step < warm_up_steps:
        return _WARM_UP_START + (1 - _WARM_UP_START) * step / warm_up_steps
    if schedule == "constant":
        return 1.0
    fraction = min(1.0, (step - warm_up_steps) / max(1, total_steps - 1 - warm_up_steps))
    return _COSINE_END + (1 - _COSINE_END) * (1 + math.cos(math.pi * fraction)) / 2


def build_optimiser(model: nn.Module, configuration: MaskRCNNConfiguration) -> torch.optim.Optimizer:
    """Optimiser over the parameters that train."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rate, decay = configuration.learning_rate, configuration.weight_decay
    if configuration.optimiser == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=configuration.momentum, weight_decay=decay)
    family = torch.optim.Adam if configuration.optimiser == "adam" else torch.optim.AdamW
    return family(parameters, lr=rate, weight_decay=decay)


class Schedule:
    """Course of the learning rate, told of every step and every epoch.

    The plateau rule is that of the code released with Beuque et al., Radiology 2023 (Keras, patience 2, rest 2): factor
    0.5 at the second epoch in a row without a fall of the training loss by 1e-4, not below 1e-7.

    Parameters
    ----------
    total_steps : int
        Of the whole training.
    steps_per_pass : int
        Of one pass over the training set, in which the warm-up may have to end.
    """

    def __init__(
        self,
        optimiser: torch.optim.Optimizer,
        configuration: MaskRCNNConfiguration,
        total_steps: int,
        steps_per_pass: int,
    ) -> None:
        self._optimiser = optimiser
        self._rule: LambdaLR | ReduceLROnPlateau
        if configuration.schedule == "plateau":
            # Keras acts when its count of bad epochs reaches the patience, torch when it exceeds it; Keras counts the
            # last epoch of the rest, torch does not: 2 and 2 there are 1 and 1 here.
            self._rule = ReduceLROnPlateau(
                optimiser, factor=0.5, patience=1, cooldown=1, min_lr=1e-7, threshold=1e-4, threshold_mode="abs"
            )
            return
        warm_up_steps = configuration.warm_up_steps
        if configuration.warm_up_in_first_epoch:
            warm_up_steps = min(warm_up_steps, steps_per_pass - 1)
        self._rule = LambdaLR(
            optimiser,
            lambda step: learning_rate_factor(
                step,
                warm_up_steps=warm_up_steps,
                total_steps=total_steps,
                schedule=configuration.schedule,
            ),
        )

    def rate(self) -> float:
        """Learning rate of the next step."""
        return float(self._optimiser.param_groups[0]["lr"])

    def after_step(self) -> None:
        """To be called after every step of the optimiser."""
        if isinstance(self._rule, LambdaLR):
            self._rule.step()

    def after_epoch(self, training_loss: float) -> None:
        """To be called after every epoch with its mean loss."""
        if isinstance(self._rule, ReduceLROnPlateau):
            self._rule.step(training_loss)

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint; the rate itself is kept by the optimiser."""
        state: dict[str, Any] = self._rule.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self._rule.load_state_dict(state)
