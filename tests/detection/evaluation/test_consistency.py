"""GRIM: which printed percentages the printed n allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.evaluation.consistency import grim
from detection.evaluation.errors import EvaluationError


@given(st.integers(1, 500), st.data(), st.integers(0, 2))
def test_a_percentage_rounded_from_its_counts_is_consistent(n: int, data: st.DataObject, decimals: int) -> None:
    k = data.draw(st.integers(0, n))
    check = grim(round(100 * k / n, decimals), n, decimals=decimals)
    assert check.consistent and k in check.candidates


def test_a_percentage_that_no_count_gives_is_told() -> None:
    check = grim(50, 3)
    assert not check.consistent
    assert check.candidates == ()
    assert check.nearest == pytest.approx(100 / 3) or check.nearest == pytest.approx(200 / 3)


def test_one_decimal_leaves_less_room_than_none() -> None:
    assert grim(96.7, 30, decimals=1).candidates == (29,)
    assert not grim(96.7, 29, decimals=1).consistent


def test_nonsense_is_refused() -> None:
    for percentage, n in ((50, 0), (101, 5), (-1, 5)):
        with pytest.raises(EvaluationError, match="Consistency"):
            grim(percentage, n)
