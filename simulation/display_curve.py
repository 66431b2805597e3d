"""The display curve of a For-Presentation image: a sigmoid from log units to grey values, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_logit(values: NDArray[Any], maximum: int) -> NDArray[np.float32]:
    """Logit of grey values as shares of `maximum`; values at the ends are taken half a grey value inside."""
    inside = np.clip(values, 0.5, maximum - 0.5).astype(np.float32, copy=False)
    return np.asarray(np.log(inside / (maximum - inside)), dtype=np.float32)


def to_grey(logit: NDArray[Any], maximum: int) -> NDArray[np.float32]:
    """Inverse of `to_logit`, not rounded."""
    return np.asarray(maximum / (1 + np.exp(-logit)), dtype=np.float32)
