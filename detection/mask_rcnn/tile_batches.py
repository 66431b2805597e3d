"""Batches of tiles by position."""

from __future__ import annotations

from functools import lru_cache

from detection.mask_rcnn.tile_set import TileSet, TrainingTile
from detection.training import randomness
from detection.training.batches import Batch, Share

_ORDER, _AUGMENTATION = 1, 2


class TrainingBatches:
    """Shuffled, augmented batches; order and augmentation follow from seed, epoch and position alone.

    Of a step of `batch_size` tiles each process of a training makes its `share`.
    """

    def __init__(self, tiles: TileSet, *, batch_size: int, seed: int, share: Share | None = None) -> None:
        self._tiles = tiles
        self._batch_size = batch_size
        self._seed = seed
        self._share = share or Share()
        # Two, because the threads that read ahead may stand on both sides of the end of a pass.
        self._order = lru_cache(maxsize=2)(self._draw_order)

    def steps(self) -> int:
        """Batches in an epoch; the last may be smaller."""
        return -(-self.images() // self._batch_size)

    def images(self) -> int:
        """Tiles in an epoch."""
        return self._tiles.epoch_size()

    def batch(self, epoch: int, step: int) -> Batch:
        """This process's tiles of one step with their targets."""
        order = self._order(epoch)
        first = step * self._batch_size
        items = [
            self._tiles.item(order[index], randomness.generator(self._seed, _AUGMENTATION, epoch, index))
            for index in self._share.of(range(first, min(first + self._batch_size, len(order))))
        ]
        return [image for image, _ in items], [target for _, target in items]

    def _draw_order(self, epoch: int) -> list[TrainingTile]:
        return self._tiles.epoch(randomness.generator(self._seed, _ORDER, epoch))


class ValidationBatches:
    """The same batches in the same order every time, without augmentation."""

    def __init__(self, tiles: TileSet, *, batch_size: int) -> None:
        self._tiles = tiles
        self._entries = tiles.fixed()
        self._batch_size = batch_size

    def steps(self) -> int:
        """Batches in the set."""
        return -(-self.images() // self._batch_size)

    def images(self) -> int:
        """Tiles in the set."""
        return len(self._entries)

    def batch(self, epoch: int, step: int) -> Batch:
        """Tiles of one step with their targets; `epoch` makes no difference."""
        first = step * self._batch_size
        items = [self._tiles.item(entry, None) for entry in self._entries[first : first + self._batch_size]]
        return [image for image, _ in items], [target for _, target in items]
