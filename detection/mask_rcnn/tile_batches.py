"""Batches of tiles by position."""

from __future__ import annotations

from functools import lru_cache

from detection.mask_rcnn.tile_set import TileSet, TrainingTile
from detection.training import randomness
from detection.training.batches import Batch

_ORDER, _AUGMENTATION = 1, 2


class TrainingBatches:
    """Shuffled, augmented batches; order and augmentation follow from seed, epoch and position alone."""

    def __init__(self, tiles: TileSet, *, batch_size: int, seed: int) -> None:
        self._tiles = tiles
        self._batch_size = batch_size
        self._seed = seed
        self._order = lru_cache(maxsize=1)(self._draw_order)

    def steps(self) -> int:
        """Batches in an epoch; the last may be smaller."""
        return -(-self.images() // self._batch_size)

    def images(self) -> int:
        """Tiles in an epoch."""
        return self._tiles.epoch_size()

    def batch(self, epoch: int, step: int) -> Batch:
        """Tiles of one step with their targets."""
        order = self._order(epoch)
        first = step * self._batch_size
        items = [
            self._tiles.item(entry, randomness.generator(self._seed, _AUGMENTATION, epoch, first + index))
            for index, entry in enumerate(order[first : first + self._batch_size])
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
