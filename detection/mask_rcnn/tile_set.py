"""From prepared views to the tiles a network trains on, with several lesions of several classes in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detection.configuration import MaskRCNNConfiguration
from detection.mask_rcnn.augmentation import IDENTITY, Affine, apply_to_image, apply_to_points, random_affine
from detection.mask_rcnn.classes import classes_of, label_of
from detection.sample_set import LesionTarget
from detection.tiles import Tile, layout
from detection.view_cache import StoredView
from imaging.contours import box_to_polygon, polygons_to_mask

Target = dict[str, Tensor]
_SMALLEST_SIDE = 1.0


@dataclass(frozen=True)
class Instance:
    """One lesion in a tile: network output and outlines in tile coordinates."""

    label: int
    polygons: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class TrainingTile:
    """A tile of a view and the lesions to be found in it."""

    view: StoredView
    tile: Tile
    instances: tuple[Instance, ...]


class TileSet:
    """Tiles of a sample set.

    Attributes
    ----------
    with_lesions, lesion_free : list of TrainingTile
        Tiles that show only a left-out lesion, or too small a part of one, are in neither list.
    counts : dict of str to int
        What is trained on and what was left out, by reason, for the record.
    """

    def __init__(self, views: Sequence[StoredView], configuration: MaskRCNNConfiguration) -> None:
        self._configuration = configuration
        self.with_lesions: list[TrainingTile] = []
        self.lesion_free: list[TrainingTile] = []
        counts: Counter[str] = Counter({"views": len(views)})
        for view in views:
            self._add(view, counts)
        counts["tiles with lesions"] = len(self.with_lesions)
        counts["tiles without lesions"] = len(self.lesion_free)
        self.counts = dict(sorted(counts.items()))

    def epoch_size(self) -> int:
        """Tiles seen in one epoch."""
        return len(self.with_lesions) + self._free_size()

    def epoch(self, rng: np.random.Generator) -> list[TrainingTile]:
        """Tiles of one epoch in random order; the lesion-free ones are drawn anew, as are all in balanced sampling."""
        drawn = rng.permutation(len(self.lesion_free))[: self._free_size()]
        lesions = self._balanced(rng) if self._configuration.sampling == "balanced" else self.with_lesions
        tiles = [*lesions, *(self.lesion_free[index] for index in sorted(drawn))]
        return [tiles[index] for index in rng.permutation(len(tiles))]

    def fixed(self) -> list[TrainingTile]:
        """Tiles for validation, always the same: lesion-free ones evenly spread over the set."""
        chosen = np.linspace(0, len(self.lesion_free) - 1, self._free_size()).round().astype(int)
        return [*self.with_lesions, *(self.lesion_free[index] for index in chosen)]

    def item(self, entry: TrainingTile, rng: np.random.Generator | None) -> tuple[Tensor, Target]:
        """Image and targets of a tile.

        Parameters
        ----------
        rng : Generator or None
            Draws the augmentation; None for none.

        Returns
        -------
        image : Tensor, float32, shape (3, rows, columns), in [0, 1]
        target : dict
            ``boxes`` float32 (n, 4), ``labels`` int64 (n,), ``masks`` uint8 (n, rows, columns).
        """
        tile = entry.tile
        pixels = entry.view.pixels()[tile.row0 : tile.row1, tile.column0 : tile.column1]
        affine = IDENTITY if rng is None else random_affine(tile.shape, self._configuration, rng)
        target = _target(entry.instances, affine, tile.shape)
        if entry.instances and not len(target["labels"]):
            # The transformation moved every lesion out of the tile: use the tile as it is.
            affine = IDENTITY
            target = _target(entry.instances, affine, tile.shape)
        moved = np.ascontiguousarray(apply_to_image(affine, pixels).transpose(2, 0, 1))
        # numpy and not torch: this runs beside the network and must not ask for its threads
        return torch.from_numpy(np.divide(moved, np.float32(255), dtype=np.float32)), target

    def _balanced(self, rng: np.random.Generator) -> list[TrainingTile]:
        """As many tiles with lesions as there are, drawn for each class in turn; all of a class before any again."""
        labels = sorted({instance.label for entry in self.with_lesions for instance in entry.instances})
        if not labels:
            return []
        size = len(self.with_lesions)
        drawn: list[TrainingTile] = []
        # The classes take turns at the remainder that does not divide evenly.
        for rank, label in enumerate(rng.permutation(labels)):
            showing = [entry for entry in self.with_lesions if any(one.label == label for one in entry.instances)]
            wanted = size // len(labels) + (rank < size % len(labels))
            rounds = -(-wanted // len(showing))
            order = np.concatenate([rng.permutation(len(showing)) for _ in range(rounds)] or [np.arange(0)])
            drawn += [showing[index] for index in order[:wanted]]
        return drawn

    def _free_size(self) -> int:
        return round(self._configuration.lesion_free_share * len(self.lesion_free))

    def _add(self, view: StoredView, counts: Counter[str]) -> None:
        polygons = [_in_crop(lesion, view) for lesion in view.sample.lesions]
        areas = [int(polygons_to_mask(outline, view.shape).sum()) for outline in polygons]
        labels = [label_of(lesion, self._configuration) for lesion in view.sample.lesions]
        shown = [False] * len(labels)
        for tile in self._layout(view.shape):
            instances = []
            touched = False
            for index, (outline, area, label) in enumerate(zip(polygons, areas, labels, strict=True)):
                moved = tuple(tile.to_tile(polygon) for polygon in outline)
                inside = int(polygons_to_mask(moved, tile.shape).sum())
                touched = touched or inside > 0
                if label is not None and inside and inside >= self._configuration.cut_lesion_share * area:
                    instances.append(Instance(label, moved))
                    shown[index] = True
            if instances:
                self.with_lesions.append(TrainingTile(view, tile, tuple(instances)))
            elif not touched:
                self.lesion_free.append(TrainingTile(view, tile, ()))
        for lesion, label, area, is_shown in zip(view.sample.lesions, labels, areas, shown, strict=True):
            counts[self._account(lesion, label, area, is_shown)] += 1

    def _layout(self, shape: tuple[int, int]) -> tuple[Tile, ...]:
        chosen = self._configuration
        return layout(shape, chosen.tiles, size=chosen.tile_size, overlap=chosen.tile_overlap)

    def _account(self, lesion: LesionTarget, label: int | None, area: int, shown: bool) -> str:
        if lesion.malignancy == "unknown":
            return "left out: unknown malignancy"
        if label is None:
            return f"left out: lesion type {lesion.lesion_type}"
        if not area:
            return "left out: outside the breast"
        if not shown:
            return "left out: cut into parts too small"
        lesion_type, malignancy = classes_of(self._configuration)[label - 1]
        return f"lesions: {malignancy} {lesion_type}"


def _in_crop(lesion: LesionTarget, view: StoredView) -> tuple[NDArray[np.float64], ...]:
    outlines = [np.asarray(polygon, dtype=np.float64) for polygon in lesion.polygons if len(polygon) >= 3]
    return tuple(np.subtract(outline, view.offset) for outline in outlines or [box_to_polygon(lesion.box)])


def _target(instances: Sequence[Instance], affine: Affine, shape: tuple[int, int]) -> Target:
    boxes, labels, masks = [], [], []
    rows, columns = shape
    for instance in instances:
        polygons = [apply_to_points(affine, polygon) for polygon in instance.polygons]
        points = np.concatenate(polygons).clip((0, 0), (columns, rows))
        (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
        mask = polygons_to_mask(polygons, shape)
        if x2 - x1 >= _SMALLEST_SIDE and y2 - y1 >= _SMALLEST_SIDE and mask.any():
            boxes.append((x1, y1, x2, y2))
            labels.append(instance.label)
            masks.append(mask)
    return {
        "boxes": torch.tensor(np.array(boxes), dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor(labels, dtype=torch.int64),
        "masks": torch.from_numpy(np.array(masks, dtype=np.uint8).reshape(-1, rows, columns)),
    }
