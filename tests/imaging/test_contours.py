"""Masks, polygons and boxes share one pixel convention."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage
from skimage.draw import polygon2mask

from imaging.contours import box_to_polygon, mask_to_polygons, polygon_area, polygons_to_mask, regions

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14))


@given(masks)
@settings(max_examples=300, deadline=None)
def test_a_mask_without_holes_survives_the_way_to_polygons_and_back(mask: np.ndarray) -> None:
    solid = ndimage.binary_fill_holes(mask)
    assert np.array_equal(polygons_to_mask(mask_to_polygons(solid), solid.shape), solid)


@given(masks)
@settings(max_examples=150, deadline=None)
def test_outlines_fill_the_holes_of_a_mask(mask: np.ndarray) -> None:
    filled = polygons_to_mask(mask_to_polygons(mask), mask.shape)
    assert np.array_equal(filled, ndimage.binary_fill_holes(mask))


@given(masks)
@settings(max_examples=150, deadline=None)
def test_regions_are_the_8_connected_parts(mask: np.ndarray) -> None:
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    found = regions(mask)
    assert len(found) == count
    assert sorted(region.area for region in found) == sorted(np.bincount(labels.ravel())[1:].tolist())
    together = np.zeros_like(mask)
    for region in found:
        together |= region.full(mask.shape)
    assert np.array_equal(together, mask)


@given(masks)
@settings(max_examples=100, deadline=None)
def test_the_box_of_a_region_is_the_box_of_its_outline(mask: np.ndarray) -> None:
    for region, outline in zip(regions(mask), mask_to_polygons(mask), strict=True):
        assert region.box == (*outline.min(axis=0), *outline.max(axis=0))


@given(st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_filling_agrees_with_an_independent_point_in_polygon_test(seed: int) -> None:
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
    radii = rng.uniform(3, 14, 9)
    star = np.stack([15 + radii * np.cos(angles), 16 + radii * np.sin(angles)], axis=1)
    # polygon2mask tests integer grid points (row, column); pixel centres lie half a pixel further.
    expected = polygon2mask((32, 30), star[:, ::-1] - 0.5)
    assert np.array_equal(polygons_to_mask([star], (32, 30)), expected)


def test_one_pixel_becomes_the_square_it_covers() -> None:
    mask = np.zeros((4, 5), dtype=bool)
    mask[2, 3] = True
    (polygon,) = mask_to_polygons(mask)
    assert polygon.tolist() == [[3, 2], [4, 2], [4, 3], [3, 3]]
    assert polygon_area(polygon) == 1


def test_diagonal_pixels_are_one_region_with_one_outline() -> None:
    mask = np.eye(3, dtype=bool)
    assert len(regions(mask)) == 1
    assert len(mask_to_polygons(mask)) == 1


def test_small_regions_are_left_out_by_area_or_by_fraction_of_the_largest() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[:10, :10] = True
    mask[15, 15] = True
    assert len(regions(mask)) == 2
    assert len(regions(mask, 2)) == 1
    assert len(regions(mask, minimum_fraction=0.02)) == 1


def test_a_pixel_belongs_to_a_polygon_when_its_centre_does() -> None:
    assert polygons_to_mask([[(0.6, 0), (3, 0), (3, 1), (0.6, 1)]], (1, 4))[0].tolist() == [False, True, True, False]
    assert polygons_to_mask([[(0.4, 0), (3, 0), (3, 1), (0.4, 1)]], (1, 4))[0].tolist() == [True, True, True, False]


def test_polygons_that_reach_out_of_the_image_are_cut_off() -> None:
    assert polygons_to_mask([box_to_polygon((-50, -50, 1e9, 2))], (4, 3)).sum() == 6
    assert not polygons_to_mask([box_to_polygon((10, 10, 20, 20))], (4, 3)).any()


@pytest.mark.parametrize("bad", [[(0, 0), (1, 1)], [(0, 0), (1, 1), (np.nan, 2)], [0, 1, 2]])
def test_polygons_that_are_none_are_refused(bad: list) -> None:
    with pytest.raises(ValueError, match="polygon"):
        polygons_to_mask([bad], (4, 4))


def test_an_empty_mask_has_no_regions_and_no_outlines() -> None:
    empty = np.zeros((3, 3), dtype=bool)
    assert regions(empty) == []
    assert mask_to_polygons(empty) == []
