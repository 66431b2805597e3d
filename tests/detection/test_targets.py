"""From outlines to training targets: mapping of classes, cut lesions, lesion-free tiles, augmentation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detection.errors import Interrupted, UnreadableSample
from detection.mask_rcnn.augmentation import apply_to_image, apply_to_points, random_affine
from detection.mask_rcnn.classes import label_of
from detection.mask_rcnn.tile_batches import TrainingBatches
from detection.mask_rcnn.tile_set import TileSet
from detection.mask_rcnn.view_store import prepare_views
from detection.sample_set import LesionTarget, SampleSet
from tests.detection.conftest import CLUSTER, MASS, circle, tiny

NO_AUGMENTATION = {"flip_probability": 0.0, "affine_probability": 0.0}


@pytest.fixture
def tiles(tmp_path: Path) -> Callable[..., TileSet]:
    def make(samples: SampleSet, **changes: Any) -> TileSet:
        configuration = tiny(**changes)
        views = prepare_views(
            samples,
            configuration.preprocessing,
            tmp_path / "prepared",
            progress=lambda event: None,
            should_stop=lambda: False,
        )
        return TileSet(views, configuration)

    return make


@pytest.mark.parametrize(
    ("lesion_type", "malignancy", "label"),
    [
        ("mass", "benign", 1),
        ("mass", "malignant", 2),
        ("cluster", "benign", 3),
        ("cluster", "malignant", 4),
        ("both", "malignant", 4),
        ("other", "benign", 1),
        ("mass", "unknown", None),
        ("both", "unknown", None),
    ],
)
def test_lesions_map_to_the_four_classes_as_declared(lesion_type: Any, malignancy: Any, label: int | None) -> None:
    lesion = LesionTarget("a", lesion_type, malignancy, (), (0, 0, 1, 1))
    assert label_of(lesion, tiny()) == label


def test_the_declared_mapping_can_be_changed_or_switched_off() -> None:
    lesion = LesionTarget("a", "both", "malignant", (), (0, 0, 1, 1))
    assert label_of(lesion, tiny(both_as="mass")) == 2
    assert label_of(lesion, tiny(both_as="leave-out")) is None


def test_one_view_gives_several_lesions_of_several_classes(views: Any, tiles: Any) -> None:
    built = tiles(views([MASS, CLUSTER]), tiles="whole")
    image, target = built.item(built.with_lesions[0], None)
    assert target["labels"].tolist() == [2, 3]
    assert target["masks"].shape == (2, *image.shape[1:])
    for mask, box in zip(target["masks"].numpy(), target["boxes"].numpy(), strict=True):
        rows, columns = np.nonzero(mask)
        pixels = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        np.testing.assert_allclose(pixels, box, atol=1.0)
    assert built.counts["lesions: malignant mass"] == 1
    assert built.counts["lesions: benign cluster"] == 1


def test_the_target_lies_where_the_lesion_is_bright(views: Any, tiles: Any) -> None:
    built = tiles(views([MASS]), tiles="half-3x3", **NO_AUGMENTATION)
    for entry in built.with_lesions:
        image, target = built.item(entry, np.random.default_rng(0))
        inside = target["masks"][0].bool().numpy()
        recombined = image[2].numpy()
        assert recombined[inside].mean() > recombined[~inside].mean() + 0.2


def test_lesions_of_unknown_malignancy_are_left_out_counted_and_never_called_lesion_free(
    views: Any, tiles: Any
) -> None:
    built = tiles(views([("mass", "unknown", 40, 60, 12)]), tiles="whole")
    assert built.with_lesions == []
    assert built.lesion_free == []
    assert built.counts["left out: unknown malignancy"] == 1


def test_a_cut_lesion_counts_in_the_tiles_that_show_enough_of_it(views: Any, tiles: Any) -> None:
    # The horizontal cut of the 2 x 2 layout runs through the middle row of the breast, at y = 64.
    samples = views([("mass", "malignant", 20, 60, 12)])
    strict = tiles(samples, tiles="half-2x2", cut_lesion_share=0.5)
    loose = tiles(samples, tiles="half-2x2", cut_lesion_share=0.05)
    assert len(strict.with_lesions) == 1
    assert len(loose.with_lesions) == 2
    assert len(strict.lesion_free) == len(loose.lesion_free) == 2


def test_a_lesion_cut_into_parts_too_small_everywhere_is_counted(views: Any, tiles: Any) -> None:
    built = tiles(views([("mass", "malignant", 20, 64, 12)]), tiles="half-2x2", cut_lesion_share=0.9)
    assert built.counts["left out: cut into parts too small"] == 1


def test_a_lesion_beside_the_breast_is_left_out_and_counted(views: Any, tiles: Any) -> None:
    samples = views([])
    beside = LesionTarget("b", "mass", "malignant", (circle(94, 2, 1.5),), (92.5, 0.5, 95.5, 3.5))
    built = tiles(SampleSet("beside", (dataclasses.replace(samples.samples[0], lesions=(beside,)),)), tiles="whole")
    assert built.counts["left out: outside the breast"] == 1


def test_lesion_free_tiles_join_in_the_declared_share_and_change_from_epoch_to_epoch(views: Any, tiles: Any) -> None:
    samples = views([MASS], *([[]] * 8))
    none, half = tiles(samples, tiles="whole"), tiles(samples, tiles="whole", lesion_free_share=0.5)
    assert none.epoch_size() == 1
    assert half.epoch_size() == 5
    draws = {tuple(entry.view.sample.sample_id for entry in half.epoch(np.random.default_rng(s))) for s in range(5)}
    assert len(draws) > 1
    assert half.fixed() == half.fixed()
    image, target = half.item(half.lesion_free[0], None)
    assert target["boxes"].shape == (0, 4)
    assert target["masks"].shape == (0, *image.shape[1:])


def test_batches_depend_on_seed_epoch_and_position_alone(views: Any, tiles: Any) -> None:
    built = tiles(views([MASS], [CLUSTER], [MASS, CLUSTER]), tiles="whole")
    one = TrainingBatches(built, batch_size=2, seed=3)
    other = TrainingBatches(built, batch_size=2, seed=3)
    other.batch(5, 1)
    for left, right in zip(one.batch(1, 0)[0], other.batch(1, 0)[0], strict=True):
        assert left.equal(right)
    assert [len(one.batch(0, step)[0]) for step in range(one.steps())] == [2, 1]


def test_augmentation_moves_image_and_outline_together() -> None:
    rng = np.random.default_rng(1)
    configuration = tiny(affine_probability=1.0, flip_probability=0.5)
    y, x = np.mgrid[:120, :90] + 0.5
    for _ in range(10):
        centre = rng.uniform(35, 55, size=2)
        spot = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2 < 36)[..., None] * np.full(3, 200)
        affine = random_affine((120, 90), configuration, rng)
        before, after = spot[..., 0], apply_to_image(affine, spot.astype(np.uint8))[..., 0].astype(float)
        centroids = [np.array([(pixels * x).sum(), (pixels * y).sum()]) / pixels.sum() for pixels in (before, after)]
        np.testing.assert_allclose(centroids[1], apply_to_points(affine, centroids[0][None])[0], atol=0.05)


def test_a_flip_alone_mirrors_exactly() -> None:
    configuration = tiny(affine_probability=0.0, flip_probability=1.0)
    pixels = np.random.default_rng(0).integers(0, 255, (20, 31, 3)).astype(np.uint8)
    affine = random_affine((20, 31), configuration, np.random.default_rng(0))
    np.testing.assert_array_equal(apply_to_image(affine, pixels), pixels[:, ::-1])
    np.testing.assert_allclose(apply_to_points(affine, np.array([[0.0, 4.0]])), [[31.0, 4.0]])


def test_prepared_views_are_memory_mapped_and_not_prepared_twice(views: Any, tmp_path: Path) -> None:
    samples = views([MASS])

    def prepare() -> Any:
        return prepare_views(samples, "s000-cluster", tmp_path, progress=lambda event: None, should_stop=lambda: False)

    (first,) = prepare()
    assert isinstance(first.pixels(), np.memmap)
    assert first.pixels().dtype == np.uint8
    assert first.pixels().shape == (*first.shape, 3)
    written = first.path.stat().st_ino
    (second,) = prepare()
    assert second.path == first.path
    assert second.path.stat().st_ino == written
    assert not list(tmp_path.rglob("*.part*"))


def test_a_damaged_image_is_named_by_its_sample(views: Any, tmp_path: Path) -> None:
    samples = views([MASS])
    samples.samples[0].low_energy.write_bytes(b"no image")
    with pytest.raises(UnreadableSample, match="drawn-0"):
        prepare_views(samples, "s000-cluster", tmp_path, progress=lambda event: None, should_stop=lambda: False)


def test_preparation_stops_when_asked(views: Any, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        prepare_views(views([MASS]), "s000-cluster", tmp_path, progress=lambda event: None, should_stop=lambda: True)
