"""What the training loop asks of its data: batches by position, so that a resumed run sees the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import Tensor

Batch = tuple[list[Tensor], list[dict[str, Tensor]]]
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Share:
    """Which images of a step are this process's: every `count`-th, beginning with number `rank`."""

    rank: int = 0
    count: int = 1

    def own(self, images: int) -> int:
        """How many of the images of a step are this process's."""
        return len(range(self.rank, images, self.count))

    def weight(self, images: int) -> float:
        """Weight of this process's mean loss, with which the mean over processes is the mean over images."""
        return self.own(images) * self.count / images

    def of(self, items: Sequence[_Item]) -> Sequence[_Item]:
        """This process's items of a step; one that weighs nothing where there are none, as every process must step."""
        return items[self.rank :: self.count] or items[:1]


class BatchSource(Protocol):
    """Batches that depend on epoch and step alone, never on what was drawn before; asked from several threads."""

    def steps(self) -> int:
        """Batches in an epoch."""

    def images(self) -> int:
        """Images in an epoch, of all processes."""

    def batch(self, epoch: int, step: int) -> Batch:
        """Images, float32 (3, rows, columns), and their targets; `epoch` from 0, `step` from 0."""
