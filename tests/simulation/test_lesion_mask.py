"""The lesion outline."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from simulation.lesion_mask import chaikin, lesion_mask


@given(st.lists(st.tuples(st.integers(5, 74), st.integers(5, 74)), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_every_calcification_pixel_is_inside_one_region(points) -> None:
    support = np.zeros((80, 80), bool)
    support[tuple(np.array(points).T)] = True
    found = lesion_mask(support, spacing_mm=0.1)
    assert found.mask[support].all()
    assert ndimage.label(found.mask, np.ones((3, 3)))[1] == 1
    assert found.area_mm2 == pytest.approx(found.mask.sum() * 0.01)


def test_calcifications_in_a_line_have_an_outline() -> None:
    support = np.zeros((40, 80), bool)
    support[20, 10:70:10] = True
    found = lesion_mask(support, spacing_mm=0.4)
    assert found.mask[support].all()


def test_the_outline_is_clipped_to_the_breast_but_keeps_calcifications() -> None:
    support = np.zeros((60, 60), bool)
    support[20:40:5, 20:40:5] = True
    breast = np.zeros((60, 60), bool)
    breast[:, :36] = True
    found = lesion_mask(support, spacing_mm=0.1, breast=breast)
    assert found.mask[support].all()
    assert not found.mask[:, 37:].any()


def test_dilation_adds_its_radius() -> None:
    support = np.zeros((120, 120), bool)
    support[50:70, 50:70] = True
    narrow = lesion_mask(support, spacing_mm=0.1, enlargement=1.15, dilation_mm=0.5)
    wide = lesion_mask(support, spacing_mm=0.1, enlargement=1.15, dilation_mm=1.5)
    reach = [int(np.flatnonzero(m.mask.any(0)).max()) for m in (narrow, wide)]
    assert reach[1] - reach[0] == 10


def test_corner_cutting_keeps_to_the_quarter_points() -> None:
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]])
    once = chaikin(square, 1)
    assert once.tolist()[:3] == [[1, 0], [3, 0], [4, 1]]
    assert len(chaikin(square, 3)) == 32


def test_no_calcification_is_an_error() -> None:
    with pytest.raises(ValueError, match="no calcification"):
        lesion_mask(np.zeros((5, 5), bool), spacing_mm=0.1)


@pytest.mark.parametrize("places", [[(40, 40)], [(20, 20), (60, 60)], [(30, 20), (30, 40), (30, 60)]])
def test_points_on_one_line_have_a_capsule(places: list[tuple[int, int]]) -> None:
    support = np.zeros((80, 80), bool)
    support[tuple(np.array(places).T)] = True
    found = lesion_mask(support, spacing_mm=0.1)
    assert found.mask[support].all()
    # all around every calcification there is the dilation
    distance = ndimage.distance_transform_edt(~support)
    assert found.mask[distance <= 9].all()
    # and nothing far from the line between them: a capsule is no wider than dilation and enlargement make it
    ends = np.array([places[0], places[-1]], float) + 0.5
    assert found.area_mm2 <= (np.pi * 1.2**2 + 2.4 * (1.15 * np.hypot(*(ends[1] - ends[0])) / 10 + 0.5))


def test_the_part_of_the_outline_beyond_the_breast_is_told() -> None:
    support = np.zeros((120, 120), bool)
    support[50:70:4, 50:70:4] = True
    half = np.zeros(support.shape, bool)
    half[:, :72] = True
    whole = lesion_mask(support, spacing_mm=0.1)
    cut = lesion_mask(support, spacing_mm=0.1, breast=half)
    assert whole.clipped == 0
    assert cut.clipped == pytest.approx(1 - cut.area_mm2 / whole.area_mm2)
    assert cut.clipped > 0.05


def test_the_part_of_the_outline_beyond_the_image_is_told() -> None:
    support = np.zeros((60, 60), bool)
    support[0:20:5, 20:40:5] = True
    found = lesion_mask(support, spacing_mm=0.1)
    assert found.mask[support].all()
    assert found.clipped > 0.05
