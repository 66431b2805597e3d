"""Optimisers and the course of the learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

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


def build_scheduler(
    optimiser: torch.optim.Optimizer, configuration: MaskRCNNConfiguration, total_steps: int
) -> LambdaLR:
    """Scheduler to be stepped after every optimiser step."""
    return LambdaLR(
        optimiser,
        lambda step: learning_rate_factor(
            step,
            warm_up_steps=configuration.warm_up_steps,
            total_steps=total_steps,
            schedule=configuration.schedule,
        ),
    )
