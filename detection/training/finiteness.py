"""What ends a training whose numbers run away: a loss or a weight that is infinite or undefined."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from detection.errors import NonFiniteLoss

_ADVICE = "Lower the learning rate, lengthen the warm-up or set a gradient limit, and start a new run."


def non_finite_loss(losses: Mapping[str, float], *, epoch: int, step: int) -> NonFiniteLoss:
    """The error that names the parts of a loss that are no finite number; `epoch` and `step` count from 1."""
    culprits = [name for name, loss in losses.items() if not math.isfinite(loss)]
    return NonFiniteLoss(
        f"The loss became infinite or undefined in epoch {epoch}, step {step} "
        f"({', '.join(culprits) or 'sum of all parts'}).",
        _ADVICE,
    )


def require_finite_weights(model: nn.Module, *, epoch: int) -> None:
    """Check the weights before they are kept: a gradient without limit shows in the loss one step later only.

    Raises
    ------
    NonFiniteLoss
        Naming the first weights that are not finite; `epoch` counts from 1.
    """
    named = list(model.named_parameters())
    finite = torch.stack([weights.detach().isfinite().all() for _, weights in named]).tolist()
    spoilt = [name for (name, _), is_finite in zip(named, finite, strict=True) if not is_finite]
    if spoilt:
        raise NonFiniteLoss(
            f"The gradient was infinite or undefined in epoch {epoch}, and so are weights now (first: {spoilt[0]}).",
            _ADVICE,
        )
