"""Runs of pixels give what filled masks give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.contours import mask_to_polygons, polygons_to_mask
from imaging.spans import Spans, Vertices

SIDE = 24
# quarters meet pixel centres and edges, which is where rules differ
coordinates = st.integers(0, 4 * SIDE).map(lambda value: value / 4)
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=7).map(tuple)
shapes = st.lists(polygons, min_size=0, max_size=3).map(tuple)


@settings(max_examples=300, deadline=None)
@given(st.lists(shapes, min_size=1, max_size=6))
def test_areas_and_overlaps_are_those_of_filled_masks(drawn: list[tuple[tuple[tuple[float, float], ...], ...]]) -> None:
    """Self-crossing outlines, several outlines of either orientation, and shapes between pixel centres among them."""
    masks = [polygons_to_mask(shape, (SIDE, SIDE)) for shape in drawn]
    spans = Spans(Vertices(drawn))
    assert spans.areas.tolist() == [int(mask.sum()) for mask in masks]
    pairs = [(i, j) for i in range(len(drawn)) for j in range(len(drawn))]
    first, second = np.array(pairs).T
    expected = [int((masks[i] & masks[j]).sum()) for i, j in pairs]
    assert spans.intersections(first, second).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(shapes, st.booleans()), min_size=1, max_size=6))
def test_boxes_and_spans_of_chosen_shapes_are_those_of_each_alone(drawn: list[tuple[tuple, bool]]) -> None:
    vertices = Vertices([shape for shape, _ in drawn])
    for (shape, _), box in zip(drawn, vertices.boxes().tolist(), strict=True):
        points = np.array([point for polygon in shape for point in polygon] or [(0.0, 0.0)])
        assert box == [*points.min(axis=0), *points.max(axis=0)]
    wanted = np.array([chosen for _, chosen in drawn])
    alone = [int(Spans(Vertices([shape])).areas[0]) for shape, chosen in drawn if chosen]
    assert Spans(vertices.chosen(wanted)).areas.tolist() == alone


def test_masks_with_gaps_in_a_row_and_in_a_column() -> None:
    rng = np.random.default_rng(4)
    masks = [rng.random((40, 40)) < 0.3 for _ in range(8)]
    outlines = [[tuple(map(tuple, polygon)) for polygon in mask_to_polygons(mask)] for mask in masks]
    filled = [polygons_to_mask(shape, (40, 40)) for shape in outlines]
    spans = Spans(Vertices(outlines))
    first, second = np.triu_indices(8)
    expected = [int((filled[i] & filled[j]).sum()) for i, j in zip(first, second, strict=True)]
    assert spans.intersections(first, second).tolist() == expected


def test_a_shape_outside_the_first_quadrant_keeps_its_pixels() -> None:
    square = ((-3.0, -2.0), (1.0, -2.0), (1.0, 4.0), (-3.0, 4.0))
    spans = Spans(Vertices([[square], [((0.0, 0.0), (5.0, 0.0), (5.0, 5.0), (0.0, 5.0))]]))
    assert spans.areas.tolist() == [24, 25]
    assert spans.intersections(np.array([0]), np.array([1])).tolist() == [4]


def test_no_shapes_and_empty_shapes() -> None:
    assert len(Spans(Vertices([]))) == 0
    spans = Spans(Vertices([[], [((0.0, 0.0), (4.0, 0.0), (4.0, 4.0))], []]))
    assert spans.areas[[0, 2]].tolist() == [0, 0]
    assert spans.intersections(np.array([0, 1]), np.array([1, 2])).tolist() == [0, 0]
    assert spans.intersections(np.array([], dtype=int), np.array([], dtype=int)).size == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e9])
def test_coordinates_of_no_image_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="coordinate"):
        Vertices([[((0.0, 0.0), (4.0, 0.0), (4.0, value))]])


def test_two_points_are_no_polygon() -> None:
    with pytest.raises(ValueError, match="at least three"):
        Vertices([[((0.0, 0.0), (4.0, 0.0))]])
