"""The published preprocessing, checked against its slow form."""

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmarks.preprocessing import published
from imaging.errors import BreastNotFound
from imaging.pair import CEMPair
from imaging.preprocessing import PRESETS, preprocess
from imaging.reading import read_pair


@pytest.mark.parametrize("name", PRESETS)
def test_channels_equal_the_published_algorithm(name: str, pair: CEMPair) -> None:
    found = preprocess(pair, name)
    expected = published(pair, PRESETS[name])
    assert found.mask_source == "otsu"
    assert found.channels.shape == expected.shape
    assert (np.abs(found.channels.astype(int) - expected) > 1).mean() <= 0.001


def test_the_crop_says_where_the_channels_lie_in_the_image(pair: CEMPair) -> None:
    found = preprocess(pair)
    row0, row1, column0, column1 = found.crop
    assert found.channels.shape == (row1 - row0, column1 - column0, 3)
    assert found.channels.dtype == np.uint8
    rows, columns = np.nonzero(pair.recombined)
    assert (row0, row1) == (rows.min(), rows.max() + 1)
    assert (column0, column1) == (columns.min(), columns.max() + 1)


def test_channel_order_is_that_of_the_papers() -> None:
    order = {name: [(c.image, c.clip_limit) for c in preset.channels] for name, preset in PRESETS.items()}
    assert order["s000-cluster"] == [("low_energy", 5), ("low_energy", 1), ("recombined", 5)]
    assert order["s000-mass"] == [("low_energy", 5), ("recombined", 1), ("recombined", 5)]
    assert order["s004"] == [("recombined", 1), ("recombined", 2.5), ("low_energy", 2.5)]


def test_a_bright_implant_does_not_push_the_mask_off_the_breast(pair: CEMPair) -> None:
    low = pair.low_energy.copy()
    low[150:330, 0:150] = 4095
    low[low < 2500] //= 3
    found = preprocess(CEMPair(low, pair.recombined, "L", "MLO", (0.1, 0.1), 12))
    assert found.mask_source == "breast"
    row0, row1, column0, column1 = found.crop
    assert (row1 - row0) > 350
    assert (column1 - column0) > 250


def test_eight_bit_pairs_are_spread_over_all_levels(pair: CEMPair) -> None:
    eight = CEMPair(
        (pair.low_energy // 16).astype(np.uint8), (pair.recombined // 16).astype(np.uint8), "L", "MLO", None, 8
    )
    assert preprocess(eight).channels.max() > 200


def test_flat_and_empty_pairs_are_refused_in_plain_words(pair: CEMPair) -> None:
    flat = np.full((64, 64), 7, np.uint16)
    with pytest.raises(BreastNotFound):
        preprocess(CEMPair(flat, flat, "L", "CC", None, 12))
    with pytest.raises(BreastNotFound, match="recombined image is empty"):
        preprocess(CEMPair(pair.low_energy, np.zeros_like(pair.recombined), "L", "CC", None, 12))


def test_an_unknown_preset_is_an_error(pair: CEMPair) -> None:
    with pytest.raises(KeyError):
        preprocess(pair, "s999")


def test_real_pairs_keep_their_lesions(shared_data: Path) -> None:
    folder = shared_data / "cdd-cesm-512"
    for row in list(csv.DictReader((folder / "pairs.csv").read_text(encoding="utf-8").splitlines()))[::25]:
        found = preprocess(
            read_pair(
                folder / row["low_energy"],
                folder / row["recombined"],
                laterality=row["laterality"],  # type: ignore[arg-type]
                view_position=row["view"],  # type: ignore[arg-type]
            )
        )
        assert found.channels.std() > 10
