"""What the page of a case says of its checks."""

from __future__ import annotations

import pytest

from webapp.simulations import record_page


@pytest.mark.parametrize(
    ("value", "words"),
    [(8.5289e-05, "0.0000853"), (5.4955, "5.5"), (196.68, "197"), (0.0, "0"), (1234.5, "1234"), (17, "17")],
)
def test_what_was_found_has_three_digits_and_no_exponent(value: float, words: str) -> None:
    record = {"checks": [{"name": "outline_area_mm2", "value": value, "limit": [10.0, 1600.0], "passed": True}]}
    (check,) = record_page.checks(record)
    assert (check.value, check.limit) == (words, "10 to 1600")


def test_units_are_written_as_units() -> None:
    record = {"checks": [{"name": "outline_area (mm2)", "value": 1.0, "limit": [None, 2.0], "passed": False}]}
    assert record_page.checks(record)[0].label == "Outline area (mm²)"
