"""The default interval holds the truth as often as it says where views of a patient resemble each other.

A quick look; `python -m benchmarks.interval_coverage` has the whole table.
"""

from __future__ import annotations

import pytest

from benchmarks.interval_coverage import SITUATIONS, STUDIES, Situation, coverage

REPEATS = 300


@pytest.mark.parametrize(
    ("situation", "naive_below"),
    [
        (Situation("sensitivity", 60, (2,), 0.6, 0.85), 0.91),
        (Situation("precision", 60, (1, 2, 3, 4, 8), 0.6, 0.85), 0.80),
        (Situation("AUC", 80, (1, 2, 4), 0.6, 0.8), 0.90),
        (Situation("wAFROC", 80, (2, 4), 0.5, 0.7), None),
        (Situation("FROC at 1", 40, (2,), 0.5, 0.8), None),
        (Situation("difference of sensitivities", 80, (2,), 0.5, 0.1), None),
        (Situation("difference of AUCs", 80, (2,), 0.6, 0.05), None),
    ],
    ids=lambda value: value.number if isinstance(value, Situation) else "",
)
def test_the_default_covers_and_the_naive_interval_of_views_does_not(
    situation: Situation, naive_below: float | None
) -> None:
    held = coverage(situation, REPEATS, seed=1)
    # 95 % +- 2, and twice the error of 300 studies (1.3 %)
    assert 0.905 <= held["logit-t"] <= 0.995
    assert held["percentile"] <= held["logit-t"] + 0.02
    # where a patient holds both sides of a comparison the naive interval may also be wide enough
    if naive_below is not None:
        assert held["naive"] < naive_below


def test_the_whole_table_looks_at_every_kind_of_number() -> None:
    assert {situation.number for situation in SITUATIONS} == set(STUDIES)
