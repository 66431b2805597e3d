"""Moving average of the weights of a network in training."""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """Copy of `model` whose parameters and buffers follow it as an exponential moving average.

    After n updates the decay is min(`decay`, (1 + n) / (10 + n)), so that the random start does not weigh on a short
    training (as in TensorFlow's ExponentialMovingAverage with a number of updates).
    """

    def follow(averages: tuple[Tensor, ...], current: tuple[Tensor, ...], updates: Tensor | int) -> None:
        done = int(updates)
        get_ema_multi_avg_fn(min(decay, (1 + done) / (10 + done)))(list(averages), list(current), done)

    return AveragedModel(model, multi_avg_fn=follow, use_buffers=True)  # type: ignore[arg-type]
