"""Half-size tiles: full cover, exact mapping, merging over the view."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.tiles import layout, merge, overlaps, touches_inner_edge

SCHEMES = st.sampled_from(["whole", "half-2x2", "half-3x3"])
SHAPES = st.tuples(st.integers(1, 60), st.integers(1, 60))


@given(shape=SHAPES, scheme=SCHEMES)
def test_every_pixel_lies_in_a_tile_and_no_tile_reaches_outside(shape: tuple[int, int], scheme: str) -> None:
    seen = np.zeros(shape, dtype=int)
    for tile in layout(shape, scheme):
        assert 0 <= tile.row0 < tile.row1 <= shape[0]
        assert 0 <= tile.column0 < tile.column1 <= shape[1]
        seen[tile.row0 : tile.row1, tile.column0 : tile.column1] += 1
    assert (seen > 0).all()


@given(shape=st.tuples(st.integers(2, 200), st.integers(2, 200)), scheme=st.sampled_from(["half-2x2", "half-3x3"]))
def test_half_size_tiles_are_half_as_high_and_wide(shape: tuple[int, int], scheme: str) -> None:
    half = ((shape[0] + 1) // 2, (shape[1] + 1) // 2)
    assert {tile.shape for tile in layout(shape, scheme)} == {half}


@given(
    shape=SHAPES,
    scheme=st.sampled_from(["whole", "half-2x2", "half-3x3", "native"]),
    size=st.integers(1, 40),
    overlap=st.sampled_from([0.0, 0.25, 0.6]),
)
def test_all_tiles_of_an_image_have_one_shape_so_that_none_is_padded_for_another(
    shape: tuple[int, int], scheme: str, size: int, overlap: float
) -> None:
    assert len({tile.shape for tile in layout(shape, scheme, size=size, overlap=overlap)}) == 1


def test_an_even_image_splits_into_four_quarters_edge_to_edge() -> None:
    corners = [(tile.row0, tile.row1, tile.column0, tile.column1) for tile in layout((100, 60), "half-2x2")]
    assert corners == [(0, 50, 0, 30), (0, 50, 30, 60), (50, 100, 0, 30), (50, 100, 30, 60)]


def test_overlapping_tiles_start_every_quarter() -> None:
    assert sorted({tile.row0 for tile in layout((100, 60), "half-3x3")}) == [0, 25, 50]
    assert len(layout((100, 60), "half-3x3")) == 9


@given(
    shape=SHAPES,
    scheme=SCHEMES,
    points=st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=1, max_size=5),
)
def test_points_go_into_a_tile_and_back_unchanged(
    shape: tuple[int, int], scheme: str, points: list[tuple[float, float]]
) -> None:
    for tile in layout(shape, scheme):
        np.testing.assert_allclose(tile.to_image(tile.to_tile(points)), points, atol=1e-12)


@given(shape=SHAPES, scheme=SCHEMES, data=st.data())
def test_a_pixel_found_in_a_tile_is_the_same_pixel_of_the_image(
    shape: tuple[int, int], scheme: str, data: st.DataObject
) -> None:
    image = np.arange(shape[0] * shape[1]).reshape(shape)
    tile = data.draw(st.sampled_from(layout(shape, scheme)))
    row = data.draw(st.integers(0, tile.shape[0] - 1))
    column = data.draw(st.integers(0, tile.shape[1] - 1))
    part = image[tile.row0 : tile.row1, tile.column0 : tile.column1]
    x1, y1, x2, y2 = tile.box_to_image((column, row, column + 1, row + 1))
    assert image[int(y1) : int(y2), int(x1) : int(x2)].tolist() == [[part[row, column]]]


def test_an_unknown_scheme_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(ValueError, match="half-2x2"):
        layout((10, 10), "thirds")


def test_the_same_lesion_seen_in_two_tiles_is_one_finding_with_the_better_score() -> None:
    boxes = [(10, 10, 30, 30), (11, 10, 31, 30), (60, 60, 80, 80)]
    assert merge(boxes, [0.5, 0.9, 0.7], overlap=0.2) == [1, 2]


def test_two_boxes_overlapping_exactly_at_the_limit_both_stay() -> None:
    boxes = [(0, 0, 10, 10), (0, 5, 10, 15)]
    assert overlaps(boxes[0], [boxes[1]])[0] == pytest.approx(1 / 3)
    assert merge(boxes, [0.9, 0.8], overlap=1 / 3) == [0, 1]
    assert merge(boxes, [0.9, 0.8], overlap=0.33) == [0]


def test_only_the_best_are_kept_and_none_gives_none() -> None:
    boxes = [(20 * index, 0, 20 * index + 10, 10) for index in range(8)]
    scores = [0.1, 0.8, 0.3, 0.7, 0.2, 0.6, 0.5, 0.4]
    assert merge(boxes, scores, overlap=0.2, limit=5) == [1, 3, 5, 6, 7]
    assert merge([], [], overlap=0.2) == []


def test_part_of_a_lesion_at_a_tile_edge_gives_way_to_the_whole_one_even_with_a_better_score() -> None:
    whole, part = (40.0, 40.0, 60.0, 60.0), (50.0, 56.0, 60.0, 60.0)
    assert overlaps(whole, [part])[0] == pytest.approx(0.1)
    assert merge([whole, part], [0.6, 0.9], overlap=0.2, cut=[False, True]) == [0]
    assert merge([whole, part], [0.6, 0.9], overlap=0.2, cut=[False, False]) == [1, 0]


def test_two_parts_of_a_lesion_that_no_tile_shows_whole_both_stay() -> None:
    left, right = (30.0, 40.0, 50.0, 60.0), (50.0, 40.0, 70.0, 60.0)
    assert merge([left, right], [0.6, 0.9], overlap=0.2, cut=[True, True]) == [1, 0]


def test_only_inner_edges_count_as_cuts() -> None:
    first = layout((100, 60), "half-2x2")[0]
    assert touches_inner_edge((20, 10, 30, 20), first, (100, 60))
    assert touches_inner_edge((10, 40, 20, 49.5), first, (100, 60))
    assert not touches_inner_edge((0, 0, 10, 10), first, (100, 60))


@given(
    boxes=st.lists(st.tuples(*[st.floats(0, 50)] * 4), max_size=12),
    data=st.data(),
    limit=st.integers(1, 6),
)
def test_kept_boxes_never_overlap_more_than_allowed_and_come_best_first(
    boxes: list[tuple[float, float, float, float]], data: st.DataObject, limit: int
) -> None:
    corners = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in boxes]
    scores = data.draw(st.lists(st.floats(0, 1), min_size=len(corners), max_size=len(corners)))
    kept = merge(corners, scores, overlap=0.2, limit=limit)
    assert len(kept) <= limit
    assert [scores[index] for index in kept] == sorted((scores[index] for index in kept), reverse=True)
    for position, index in enumerate(kept):
        others = [corners[other] for other in kept[position + 1 :]]
        assert (overlaps(corners[index], others) <= 0.2).all()
    if corners:
        assert scores[kept[0]] == max(scores)


@given(
    rows=st.integers(1, 4000), columns=st.integers(1, 4000), size=st.integers(64, 1500), overlap=st.floats(0.0, 0.75)
)
def test_native_tiles_cover_the_image_at_full_size_and_share_what_is_asked(
    rows: int, columns: int, size: int, overlap: float
) -> None:
    tiles = layout((rows, columns), "native", size=size, overlap=overlap)
    for length, spans in (
        (rows, sorted({(tile.row0, tile.row1) for tile in tiles})),
        (columns, sorted({(tile.column0, tile.column1) for tile in tiles})),
    ):
        assert all(end - start == min(length, size) for start, end in spans)
        assert (spans[0][0], spans[-1][1]) == (0, length)
        for (_, end), (start, _) in itertools.pairwise(spans):
            assert end - start >= int(size * overlap)
