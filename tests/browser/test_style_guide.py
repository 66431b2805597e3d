"""The frame and the shared components, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def guide(transactional_db, live_server, sign_in, django_user_model):
    user = django_user_model.objects.create_user(username="guide.reader", password="correct horse battery staple")
    page = sign_in(user)
    page.goto(f"{live_server.url}/style-guide/")
    page.wait_for_load_state("networkidle")
    return page


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_component_is_accessible_in_both_themes(guide, accessible, theme):
    guide.evaluate("name => localStorage.setItem('cemlab.theme', name)", theme)
    guide.reload()
    assert guide.evaluate("document.documentElement.dataset.bsTheme") == theme
    accessible()


def test_the_theme_is_set_before_the_page_is_painted(guide):
    guide.evaluate("localStorage.setItem('cemlab.theme', 'light')")
    guide.reload()
    head = guide.evaluate("[...document.head.children].map(one => one.src || one.href || '')")
    script = next(index for index, one in enumerate(head) if "theme" in one)
    style = next(index for index, one in enumerate(head) if "app.css" in one)
    assert script < style
    assert guide.evaluate("document.documentElement.dataset.bsTheme") == "light"


def test_rows_are_walked_and_selected_by_keys(guide):
    guide.evaluate("document.activeElement.blur()")
    guide.keyboard.press("j")
    guide.keyboard.press("j")
    assert guide.evaluate("document.activeElement.dataset.url") == "#CD-0150"
    guide.keyboard.press("x")
    guide.keyboard.press("k")
    guide.keyboard.press("Shift+X")
    assert guide.locator("[data-selection-count]").inner_text() == "2"
    assert guide.locator("[data-selection-action]").first.is_enabled()
    assert guide.locator("tr[data-row][tabindex='0']").count() == 1


def test_letters_do_nothing_while_typing(guide):
    field = guide.locator("#id_hypothesis").first
    field.fill("")
    field.press_sequentially("txj?")
    assert field.input_value() == "txj?"
    assert guide.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    assert not guide.locator("#keyboard-map").is_visible()


def test_the_question_mark_lists_the_keys_of_this_page(guide):
    guide.evaluate("document.activeElement.blur()")
    guide.keyboard.press("?")
    for entry in ("New experiment", "next row", "select up to here", "dark or light"):
        expect(guide.locator("#keyboard-map")).to_contain_text(entry)
    guide.keyboard.press("Escape")
    expect(guide.locator("#keyboard-map")).to_be_hidden()


def test_a_chart_is_drawn_walked_by_arrows_and_told_as_a_table(guide, until):
    until("document.querySelectorAll('#example-chart .scatterlayer .trace').length === 3")
    guide.locator("#example-chart [data-chart-area]").focus()
    guide.keyboard.press("ArrowRight")
    guide.keyboard.press("ArrowRight")
    reading = guide.locator("#example-chart [data-chart-reading]")
    expect(reading).to_have_text("clusters, internal, 100 %: 0.62 [0.49, 0.73]")
    guide.keyboard.press("ArrowDown")
    expect(reading).to_have_text(re.compile("^clusters, external, 100 %"))
    guide.locator("#example-chart summary").click()
    expect(guide.locator("#example-chart tbody tr")).to_have_count(9)
    guide.locator("[data-series='clusters']").uncheck()
    until("document.querySelectorAll('#example-chart .scatterlayer .trace').length === 1")


def test_what_cannot_be_undone_is_asked_first_with_the_focus_on_cancel(guide):
    guide.get_by_role("button", name="Ask first").click()
    expect(guide.locator("dialog[open]").get_by_role("button", name="Cancel")).to_be_focused()
    guide.keyboard.press("Escape")
    expect(guide.get_by_role("button", name="Ask first")).to_be_focused()
