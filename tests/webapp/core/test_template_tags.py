"""The tags every page shares: numbers, intervals, states, fields, lists."""

from __future__ import annotations

import pytest
from django import forms
from django.core.paginator import Paginator
from django.template import Context, Template
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from webapp.core.templatetags import cemlab


def render(source: str, **context: object) -> str:
    return " ".join(Template("{% load cemlab %}" + source).render(Context(context)).split())


def test_a_negative_number_has_a_true_minus_sign():
    assert cemlab.decimal(-0.5) == "−0.50"
    assert cemlab.signed(0.17) == "+0.17"


def test_a_number_that_rounds_to_zero_has_no_sign():
    assert cemlab.signed(-0.001) == "0.00"


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "", True])
def test_what_is_no_number_reads_undefined_in_every_format(value):
    for shown in (cemlab.decimal, cemlab.signed, cemlab.count, cemlab.percent, cemlab.duration, cemlab.bytes_size):
        assert shown(value) == "undefined"


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_a_count_keeps_its_digits(number):
    assert int(cemlab.count(number).replace("\u202f", "").replace("−", "-")) == number


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "under 1 min left"),
        (60, "1 min left"),
        (830, "14 min left"),
        (3600, "1 h 00 left"),
        (29100, "8 h 05 left"),
        (None, ""),
    ],
)
def test_time_left_is_rounded_up_to_minutes(seconds, words):
    assert cemlab.time_left(seconds) == words


def test_an_interval_shows_value_range_and_n_and_opens_its_cases():
    estimate = {"value": 0.6915, "low": 0.5812, "high": 0.7903, "n": 94, "reason": None}
    assert cemlab.interval_text(estimate) == "0.69 [0.58, 0.79] n=94"
    html = render("{% interval estimate url=url %}", estimate=estimate, url="/cases?x=1&y=2")
    assert 'href="/cases?x=1&amp;y=2"' in html
    for part in ("0.69", "[0.58, 0.79]", "n=94"):
        assert part in html


def test_a_difference_carries_its_sign_on_all_three_numbers():
    parts = cemlab.interval_parts({"value": -0.02, "low": -0.08, "high": 0.04, "n": 58}, signed=True)
    assert (parts["value"], parts["range"]) == ("−0.02", "[−0.08, +0.04]")


def test_an_undefined_value_says_why_and_shows_no_number():
    html = render("{% interval e %}", e={"value": None, "low": None, "high": None, "n": 0, "reason": "no lesion here"})
    assert "undefined" in html and "no lesion here" in html and "0.00" not in html


def test_a_value_without_an_interval_says_why():
    estimate = {"value": 1.0, "low": None, "high": None, "n": 11, "reason": "interval undefined: all are alike"}
    assert cemlab.interval_text(estimate) == "1.00 interval undefined: all are alike n=11"
    html = render("{% interval e url='/x' %}", e=estimate)
    assert "1.00" in html and "interval undefined: all are alike" in html and 'href="/x"' in html


def test_under_ten_positives_no_value_is_shown():
    html = render("{% interval e url='/x' %}", e={"value": 0.5, "low": 0.1, "high": 0.9, "n": 6})
    assert "n=6, too few" in html and "0.50" not in html
    assert "0.50" in render("{% interval e fewest=1 %}", e={"value": 0.5, "low": 0.1, "high": 0.9, "n": 6})


@pytest.mark.parametrize("state", sorted(cemlab.CHIPS))
def test_every_state_has_a_word_and_an_icon_that_exists(state):
    word, icon, tone = cemlab.CHIPS[state]
    html = render("{% status_chip state %}", state=state)
    assert word in html and f"#icon-{icon}" in html and f"chip-{tone}" in html


def test_a_state_nobody_has_described_is_refused():
    with pytest.raises(ValueError, match="knows no state"):
        render("{% status_chip 'sleeping' %}")
    assert "Asleep" in render("{% status_chip 'sleeping' 'Asleep' 'clock' 'idle' %}")


def test_an_unknown_icon_is_refused():
    with pytest.raises(ValueError, match="no icon is called 'unicorn'"):
        render("{% icon 'unicorn' %}")


class Settings(forms.Form):
    batch = forms.IntegerField(help_text="1 to 16")
    note = forms.CharField(required=False)


def test_a_value_unlike_the_preset_has_the_mark_and_the_presets_value():
    form = Settings(initial={"batch": 4})
    html = render("{% field form.batch preset=2 %}", form=form)
    assert "changed-mark" in html and "preset: 2" in html
    assert "changed-mark" not in render("{% field form.batch preset='4.0' %}", form=form)


def test_an_error_is_tied_to_its_field_and_summed_up_on_top():
    form = Settings({"batch": "four"})
    html = render("{% error_summary form %}{% field form.batch %}", form=form)
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_batch_help id_batch_error"' in html
    assert 'href="#id_batch"' in html and html.count("Enter a whole number.") == 2


def test_what_a_person_typed_is_escaped():
    html = render("{% field form.note %}", form=Settings({"batch": 1, "note": "<script>"}))
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_sorting_turns_round_and_keeps_the_filter():
    request = RequestFactory().get("/", {"sort": "age", "site": "B", "page": "3"})
    html = render("{% sort_head 'Age' 'age' %}", request=request)
    assert 'aria-sort="ascending"' in html
    assert "site=B" in html and "sort=-age" in html and "page=" not in html


def test_pages_say_which_rows_of_how_many():
    page = Paginator(range(438), 50).page(2)
    html = render("{% pagination page %}", page=page, request=RequestFactory().get("/", {"site": "B"}))
    assert "51 to 100 of 438" in html
    assert "site=B&amp;page=1" in html and "site=B&amp;page=3" in html


def test_initials_come_from_the_name():
    assert (cemlab.initials("ruth.ames"), cemlab.initials("ra"), cemlab.initials("a@b.example")) == ("RA", "RA", "A")
