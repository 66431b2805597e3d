"""What the training loop asks of its data: batches by position, so that a resumed run sees the same ones."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

Batch = tuple[list[Tensor], list[dict[str, Tensor]]]


class BatchSource(Protocol):
    """Batches that depend on epoch and step alone, never on what was drawn before."""

    def steps(self) -> int:
        """Batches in an epoch."""

    def images(self) -> int:
        """Images in an epoch."""

    def batch(self, epoch: int, step: int) -> Batch:
        """Images, float32 (3, rows, columns), and their targets; `epoch` from 0, `step` from 0."""
