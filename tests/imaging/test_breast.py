"""The breast is found whatever else lies on the image."""

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from imaging.breast import bounding_box, breast_mask, chest_wall_side
from imaging.errors import BreastNotFound
from tests.imaging.conftest import breast_picture, true_breast


def overlap(found: np.ndarray, expected: np.ndarray) -> float:
    return float((found & expected).sum() / (found | expected).sum())


def with_label_beside(image: np.ndarray) -> None:
    image[20:60, 330:380] = 4095


def with_label_touching_the_skin(image: np.ndarray) -> None:
    image[235:245, 280:330] = 4095


def with_clips(image: np.ndarray) -> None:
    image[200:206, 100:130] = 4095
    image[300:304, 60:64] = 4095


def with_implant(image: np.ndarray) -> None:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    image[(x / 170) ** 2 + ((y - 240) / 130) ** 2 < 1] = 4000


def with_a_dark_lesion_at_the_chest_wall(image: np.ndarray) -> None:
    image[180:260, 0:40] = 60


def with_bright_frame(image: np.ndarray) -> None:
    image[:2], image[-2:], image[:, :2], image[:, -2:] = 4095, 4095, 4095, 4095


def with_dark_padding(image: np.ndarray) -> None:
    image[:, 350:] = 0
    image[:40] = 0


def with_noisy_air(image: np.ndarray) -> None:
    air = ~true_breast()
    image[air] = np.random.default_rng(3).normal(250, 60, int(air.sum())).clip(0, 4095)


@pytest.mark.parametrize(
    "change",
    [
        with_label_beside,
        with_label_touching_the_skin,
        with_clips,
        with_implant,
        with_a_dark_lesion_at_the_chest_wall,
        with_bright_frame,
        with_dark_padding,
        with_noisy_air,
    ],
)
@pytest.mark.parametrize("mirrored", [False, True], ids=["left", "right"])
def test_the_mask_follows_the_breast(change: Callable[[np.ndarray], None], mirrored: bool) -> None:
    image = breast_picture()
    change(image)
    expected = true_breast()
    if mirrored:
        image, expected = np.ascontiguousarray(image[:, ::-1]), expected[:, ::-1]
    mask = breast_mask(image)
    assert overlap(mask, expected) > 0.95
    assert chest_wall_side(mask) == ("right" if mirrored else "left")


def test_a_breast_that_touches_three_edges_is_kept_whole() -> None:
    rows, columns = 300, 260
    y, x = np.mgrid[:rows, :columns]
    inside = x < 180 + 40 * np.cos(y / 95)
    image = np.where(inside, 1500 + 30 * np.sin(x / 9 + y / 7), 30).astype(np.uint16)
    assert overlap(breast_mask(image), inside) > 0.97


@pytest.mark.parametrize("shape", [(120, 100), (480, 400), (1920, 1600)])
def test_the_mask_has_the_size_of_the_image_at_every_resolution(shape: tuple[int, int]) -> None:
    mask = breast_mask(breast_picture(*shape))
    assert mask.shape == shape
    assert mask.dtype == bool
    assert overlap(mask, true_breast(*shape)) > 0.94


def test_eight_bit_images_work_as_well() -> None:
    assert overlap(breast_mask((breast_picture() // 16).astype(np.uint8)), true_breast()) > 0.95


def test_the_box_holds_the_mask_exactly() -> None:
    mask = np.zeros((9, 8), dtype=bool)
    mask[2:5, 3:7] = True
    assert bounding_box(mask) == (2, 5, 3, 7)


@pytest.mark.parametrize("image", [np.zeros((50, 40), np.uint16), np.full((50, 40), 9, np.uint8)])
def test_a_flat_image_has_no_breast(image: np.ndarray) -> None:
    with pytest.raises(BreastNotFound, match="No breast"):
        breast_mask(image)


def test_an_empty_mask_has_no_box() -> None:
    with pytest.raises(BreastNotFound):
        bounding_box(np.zeros((4, 4), dtype=bool))


def test_on_real_images_the_mask_holds_the_lesions_and_tells_the_side(shared_data: Path) -> None:
    folder = shared_data / "cdd-cesm-512"
    rows = list(csv.DictReader((folder / "pairs.csv").read_text(encoding="utf-8").splitlines()))[::4]
    covers, sides = [], []
    for row in rows:
        image = cv2.imread(str(folder / row["low_energy"]), cv2.IMREAD_GRAYSCALE)
        lesion = cv2.imread(str(folder / row["mask_low_energy"]), cv2.IMREAD_GRAYSCALE) > 0
        mask = breast_mask(image)
        sides.append(chest_wall_side(mask) == ("left" if row["laterality"] == "L" else "right"))
        if lesion.any():
            covers.append((mask & lesion).sum() / lesion.sum())
    assert np.mean(sides) > 0.98
    assert np.quantile(covers, 0.05) > 0.97
