"""The case viewer in a real browser: pixels, layers, keys, policy, accessibility."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage
from playwright.sync_api import Page, expect

from tests.webapp import records
from tests.webapp.viewer.constructed import SQUARE, Constructed, add_run, add_synthetic, construct
from webapp.core.models import AuditEvent

READY = "document.querySelector('[data-case-viewer]')?.dataset.ready === 'true'"
FRAMES = """() => new Promise((done) => {
    let left = 4;
    const next = () => (left-- ? requestAnimationFrame(next) : done(true));
    next();
})"""
"""Cornerstone draws inside animation frames: after a few of them everything asked for is on screen."""
BRIGHT = 150
"""Grey level between breast (about 56 of 255) and lesion (about 249) in the stored window."""


@pytest.fixture
def case(transactional_db: None) -> Constructed:
    made = construct(records.make_project())
    construct(made.project, number=2)
    return made


@pytest.fixture
def run(case: Constructed):
    return add_run(case, split="train", boxes=[((98, 118, 133, 151), 0.93), ((150, 200, 170, 215), 0.3)])


@pytest.fixture
def open_case(case: Constructed, live_server, sign_in, until):
    def enter(query: str = "", number: int = 1) -> Page:
        page = sign_in(records.make_member(case.project, "radiologist"))
        page.goto(f"{live_server.url}/{case.project.slug}/cases/{number}/{query}")
        until(READY)
        settle(page)
        return page

    return enter


def settle(page: Page) -> None:
    """Wait until no pane is busy and a frame was drawn since."""
    for _ in range(200):
        if page.evaluate("document.querySelectorAll('.pane-image[aria-busy=true]').length") == 0:
            break
        page.wait_for_timeout(50)
    page.evaluate(FRAMES)


def pane(page: Page, place: str, index: int = 0) -> Any:
    return page.locator(f".pane-image[data-place='{place}']").nth(index)


def magnify(page: Page, element: Any, by: float, **where: Any) -> None:
    """Turn the wheel over a pane, and wait until its numbers say so: the browser hands wheel events on later."""
    numbers = element.locator(".pane-numbers")
    before = numbers.text_content() or ""
    element.hover(**where)
    page.mouse.wheel(0, -by)
    expect(numbers).not_to_have_text(before)
    settle(page)


def canvas(page: Page, place: str, index: int = 0) -> NDArray[np.uint8]:
    """Grey values of a pane's canvas, as drawn by the viewer and without anything over it."""
    data = (
        pane(page, place, index)
        .locator("canvas")
        .first.evaluate(
            """(element) => {
                const { width, height } = element;
                const pixels = element.getContext('2d').getImageData(0, 0, width, height).data;
                const grey = new Array(width * height);
                for (let i = 0; i < grey.length; i++) grey[i] = pixels[4 * i];
                return { width, height, grey };
            }"""
        )
    )
    return np.array(data["grey"], dtype=np.uint8).reshape(data["height"], data["width"])


def box_of_bright(values: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    rows, columns = np.nonzero(values > BRIGHT)
    return float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)


def box_of_outline(page: Page, place: str, selector: str, index: int = 0) -> tuple[float, float, float, float]:
    """Geometry of an outline on screen from the pane's corner, without its stroke."""
    box = (
        pane(page, place, index)
        .locator(selector)
        .first.evaluate(
            """(element) => {
                const pane = element.closest('.pane-image').getBoundingClientRect();
                const matrix = element.getScreenCTM();
                const points = [0, 1, 2, 3].map((i) => element.getPointAtLength((element.getTotalLength() * i) / 4));
                const at = points.map((point) => new DOMPoint(point.x, point.y).matrixTransform(matrix));
                const xs = at.map((point) => point.x - pane.left);
                const ys = at.map((point) => point.y - pane.top);
                return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
            }"""
        )
    )
    return tuple(box)


def screenshot(page: Page, place: str) -> NDArray[np.int16]:
    return np.asarray(PillowImage.open(io.BytesIO(pane(page, place).screenshot())).convert("RGB")).astype(np.int16)


def test_four_views_hang_chest_wall_to_chest_wall_with_words_for_what_is_missing(open_case) -> None:
    page = open_case()
    right, left = canvas(page, "R-CC"), canvas(page, "L-CC")
    assert right[:, -3:].max() > 40, "the right breast lies at the inner edge of its pane"
    assert left[:, :3].max() > 40, "the left breast lies at the inner edge of its pane"
    assert right[:, :20].max() == left[:, -20:].max() == 0
    assert "L MLO low energy is not present in this exam." in pane(page, "L-MLO").inner_text()
    assert pane(page, "R-CC").get_attribute("aria-label") == "Right CC, low energy"


@pytest.mark.parametrize("query", ["", "?layout=pair&place=R-CC", "?layout=single&place=R-CC"])
def test_layers_lie_on_the_lesion_within_a_pixel(open_case, run, query: str) -> None:
    page = open_case(query)
    for _ in range(2):
        seen = box_of_bright(canvas(page, "R-CC"))
        drawn = box_of_outline(page, "R-CC", ".layer-annotation .outline")
        assert np.abs(np.array(seen) - np.array(drawn)).max() <= 1.0
        magnify(page, pane(page, "R-CC"), 400)
    assert seen[2] - seen[0] > 1.5 * 30


def test_the_other_kind_comes_in_place(open_case) -> None:
    page = open_case("?layout=single&place=R-CC")
    magnify(page, pane(page, "R-CC"), 300)
    before = canvas(page, "R-CC")
    page.keyboard.press("e")
    settle(page)
    assert pane(page, "R-CC").get_attribute("aria-label") == "Right CC, recombined"
    after = canvas(page, "R-CC")
    assert box_of_bright(after) == pytest.approx(box_of_bright(before), abs=1), "pan and zoom stay"
    # lesion 4000 in the low-energy image and 3500 in the recombined one, both shown in 0 to 4095
    assert int(before.max()) == pytest.approx(4000 / 4095 * 255, abs=1)
    assert int(after.max()) == pytest.approx(3500 / 4095 * 255, abs=1)
    page.keyboard.press("e")
    settle(page)
    np.testing.assert_array_equal(canvas(page, "R-CC"), before)


def test_a_pair_shows_both_kinds_and_moves_together(open_case) -> None:
    page = open_case("?layout=pair&place=R-CC")
    assert pane(page, "R-CC", 0).get_attribute("data-kind") == "low_energy"
    assert pane(page, "R-CC", 1).get_attribute("data-kind") == "recombined"
    magnify(page, pane(page, "R-CC", 0), 300, position={"x": 200, "y": 300})
    boxes = [box_of_bright(canvas(page, "R-CC", index)) for index in (0, 1)]
    assert boxes[0] == pytest.approx(boxes[1], abs=1)
    assert boxes[0][2] - boxes[0][0] > 90, "both were magnified"


def test_left_and_right_mirror_each_other_when_they_move(open_case) -> None:
    page = open_case()
    pane(page, "R-CC").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    settle(page)
    right, left = canvas(page, "R-CC"), canvas(page, "L-CC")
    width = min(right.shape[1], left.shape[1])
    assert (right[:, :width].max(axis=0) > 40).sum() == pytest.approx(
        (left[:, :width].max(axis=0) > 40).sum(), abs=4
    ), "180 pixels further from the chest wall on both sides"
    assert right[:, -3:].max() > 40


def test_layers_are_told_apart_without_colour_and_can_be_switched(open_case, run) -> None:
    page = open_case(f"?run={run.pk}&score=0.1")
    strokes = {
        name: pane(page, "R-CC").locator(selector).first.evaluate("(e) => getComputedStyle(e).strokeDasharray")
        for name, selector in {
            "annotation": ".layer-annotation .outline",
            "prediction": ".layer-prediction .dotted",
        }.items()
    }
    assert strokes["annotation"] == "none"
    assert strokes["prediction"] not in ("none", "")
    assert pane(page, "R-CC").locator(".layer-prediction .brackets").count() == 2
    with_layers = screenshot(page, "R-CC")
    for key in "13":
        page.keyboard.press(key)
    settle(page)
    without = screenshot(page, "R-CC")
    assert np.abs(with_layers - without).max() > 60
    outline = pane(page, "R-CC").locator(".layer-annotation .outline").first
    expect(outline).to_be_hidden()
    page.keyboard.press("o")
    page.keyboard.press("o")
    expect(outline).to_be_visible()


def test_the_score_filters_findings_and_training_cases_are_called_no_evidence(open_case, run) -> None:
    page = open_case(f"?run={run.pk}&score=0.1")
    expect(page.locator("[data-findings] li")).to_have_count(2)
    assert "Training case: predictions here are no evidence." in page.locator("[data-no-evidence]").inner_text()
    page.locator("[data-score]").evaluate(
        "(e) => { e.value = 0.5; e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change')); }"
    )
    expect(page.locator("[data-findings] li")).to_have_count(1)
    assert "score=0.5" in page.url
    assert f"run={run.pk}" in page.url


def test_a_synthetic_case_shows_its_host_while_h_is_held(open_case, case: Constructed, run) -> None:
    view = add_synthetic(case, run)
    page = open_case(f"?synthetic={view.pk}&layout=single")
    assert pane(page, "L-CC").get_attribute("aria-label") == "Left CC, low energy, synthetic"
    assert pane(page, "L-CC").locator(".layer-synthetic .diamond").count() >= 4
    with_lesion = canvas(page, "L-CC")
    seen = np.array(box_of_bright(with_lesion))
    assert np.abs(seen - np.array(box_of_outline(page, "L-CC", ".layer-synthetic .outline"))).max() <= 1.0
    page.keyboard.down("h")
    settle(page)
    host = canvas(page, "L-CC")
    assert host.max() < BRIGHT
    page.keyboard.up("h")
    settle(page)
    np.testing.assert_array_equal(canvas(page, "L-CC"), with_lesion)


def test_a_synthetic_case_is_compared_with_its_host_by_difference_and_in_turn(
    open_case, case: Constructed, run, until
) -> None:
    add_synthetic(case, run)
    page = open_case("?synthetic=3-malignant-1&layout=single")
    with_lesion = canvas(page, "L-CC")
    page.keyboard.press("d")
    settle(page)
    assert pane(page, "L-CC").get_attribute("aria-label") == "Left CC, low energy, synthetic minus host"
    assert "shown=difference" in page.url
    difference = canvas(page, "L-CC")
    bright = np.abs(np.array(box_of_bright(difference)) - np.array(box_of_bright(with_lesion)))
    assert bright.max() <= 2.0, "the same square, up to interpolation at its edge"
    assert abs(int(np.median(difference)) - 128) <= 2, "unchanged is grey"
    page.get_by_role("button", name="Synthetic", exact=True).click()
    settle(page)
    np.testing.assert_array_equal(canvas(page, "L-CC"), with_lesion)
    turns = page.get_by_role("button", name="Synthetic and host in turn")
    turns.click()
    expect(turns).to_have_attribute("aria-pressed", "true")
    until("document.querySelector(\"[data-face='host']\").getAttribute('aria-pressed') === 'false'")
    for face in ("Left CC, low energy", "Left CC, low energy, synthetic") * 2:
        until(f"document.querySelector(\".pane-image[data-place='L-CC']\").getAttribute('aria-label') === '{face}'")
    turns.click()
    settle(page)
    expect(turns).to_have_attribute("aria-pressed", "false")
    np.testing.assert_array_equal(canvas(page, "L-CC"), with_lesion)


def test_inserted_calcifications_are_listed_ringed_and_brought_to_the_middle(open_case, case: Constructed, run) -> None:
    add_synthetic(case, run)
    page = open_case("?synthetic=3-malignant-1&layout=single")
    listed = page.get_by_role("list", name="Inserted calcifications").get_by_role("button")
    expect(listed).to_have_count(2)
    expect(listed.first).to_contain_text("linear, 0.30\u00a0mm")
    expect(listed.first).to_contain_text("5.3 times the noise")
    rings = pane(page, "L-CC").locator(".calcification")
    expect(rings).to_have_count(0)
    page.get_by_role("checkbox", name="Ring them on the image").check()
    expect(rings).to_have_count(2)
    listed.first.click()
    settle(page)
    box, ring = pane(page, "L-CC").bounding_box(), rings.first.bounding_box()
    assert abs(ring["x"] + ring["width"] / 2 - box["x"] - box["width"] / 2) <= 2
    assert abs(ring["y"] + ring["height"] / 2 - box["y"] - box["height"] / 2) <= 2


def test_a_pair_opens_on_the_view_of_the_lesion_that_was_chosen(open_case, case: Constructed, run) -> None:
    add_synthetic(case, run)
    page = open_case()
    page.locator("[data-lesions] button").nth(1).click()
    settle(page)
    page.keyboard.press("g")
    settle(page)
    assert pane(page, "L-CC", 0).get_attribute("data-kind") == "low_energy"
    assert pane(page, "L-CC", 1).get_attribute("data-kind") == "recombined"
    assert "place=L-CC" in page.url


def test_keys_window_invert_fit_and_next_lesion(open_case) -> None:
    page = open_case("?layout=single&place=R-CC")
    numbers = pane(page, "R-CC").locator(".pane-numbers")
    assert "W\u00a04\u202f095" in numbers.inner_text() and "stored" in numbers.inner_text()
    page.keyboard.press("w")
    settle(page)
    assert "W\u00a02\u202f048" in numbers.inner_text() and "narrow" in numbers.inner_text()
    before = canvas(page, "R-CC")
    page.keyboard.press("e")
    settle(page)
    assert "narrow" in numbers.inner_text(), "the window stays when the other kind comes"
    page.keyboard.press("e")
    settle(page)
    page.keyboard.press("i")
    settle(page)
    inverted = canvas(page, "R-CC")
    assert inverted[0, 0] > 200 or inverted.max() > 250
    assert inverted[tuple(np.array(before.shape) // 2)] != before[tuple(np.array(before.shape) // 2)]
    page.keyboard.press("i")
    pane(page, "R-CC").focus()
    page.keyboard.press("Tab")
    settle(page)
    assert page.locator("[data-lesions] button[aria-current=true]").inner_text().startswith("1")
    x1, y1, x2, y2 = box_of_outline(page, "R-CC", ".layer-annotation .outline")
    box = pane(page, "R-CC").bounding_box()
    assert (x1 + x2) / 2 == pytest.approx(box["width"] / 2, abs=1.5)
    assert (y1 + y2) / 2 == pytest.approx(box["height"] / 2, abs=1.5)
    page.keyboard.press("Tab")
    assert page.evaluate("!document.querySelector('.viewer-grid').contains(document.activeElement)")
    page.keyboard.press("Shift+F")
    settle(page)
    expect(numbers).to_contain_text("1.00x")
    page.keyboard.press("f")
    expect(numbers).not_to_contain_text("1.00x")


def test_a_length_says_what_it_is_measured_in(open_case) -> None:
    page = open_case("?layout=single&place=R-CC")
    page.keyboard.press("m")
    x1, y1, x2, _ = box_of_outline(page, "R-CC", ".layer-annotation .outline")
    corner = pane(page, "R-CC").bounding_box()
    page.mouse.move(corner["x"] + x1, corner["y"] + y1)
    page.mouse.down()
    page.mouse.move(corner["x"] + (x1 + x2) / 2, corner["y"] + y1, steps=4)
    page.mouse.move(corner["x"] + x2, corner["y"] + y1, steps=4)
    page.mouse.up()
    settle(page)
    words = pane(page, "R-CC").locator("svg text").all_text_contents()
    length = next(text for text in words if text and "detector plane" in text)
    # the square is 30 pixels of 0.4 mm wide
    assert float(length.split(" mm")[0]) == pytest.approx((SQUARE[2] - SQUARE[0]) * 0.4, abs=0.3)


def test_next_case_keeps_how_images_are_shown(open_case, until) -> None:
    page = open_case("?layout=pair&kind=recombined&place=R-CC")
    page.keyboard.press("n")
    until("location.pathname.endsWith('/cases/2/')")
    until(READY)
    assert "layout=pair" in page.url
    assert "kind=recombined" in page.url
    page.keyboard.press("Shift+N")
    until("location.pathname.endsWith('/cases/1/')")
    assert AuditEvent.objects.filter(action="viewer.open_case").count() >= 3


def test_an_address_opens_on_its_lesion_with_its_layers(open_case, case: Constructed) -> None:
    page = open_case(f"?focus={case.lesion.pk}&off=prediction&layout=single&place=R-CC")
    expect(page.locator("[data-lesions] button[aria-current=true]")).to_have_text(re.compile("^1mass, malignant"))
    x1, y1, x2, y2 = box_of_outline(page, "R-CC", ".layer-annotation .outline")
    box = pane(page, "R-CC").bounding_box()
    assert (x1 + x2) / 2 == pytest.approx(box["width"] / 2, abs=1.5)
    assert (y1 + y2) / 2 == pytest.approx(box["height"] / 2, abs=1.5)
    expect(page.locator("[data-layer=prediction]")).not_to_be_checked()
    page.keyboard.press("1")
    assert f"focus={case.lesion.pk}" in page.url
    assert "off=annotation%2Cprediction" in page.url


def test_without_webgl_the_server_draws_and_says_so(open_case, page: Page) -> None:
    page.add_init_script(
        "const given = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        " return kind === 'webgl2' ? null : given.call(this, kind, ...rest); };"
    )
    open_case()
    assert "no WebGL 2" in page.locator("[data-viewer-warning]").inner_text()
    assert page.locator("[data-action=ruler]").is_disabled()
    picture = pane(page, "R-CC").locator("img")
    assert picture.get_attribute("alt") == "Right CC, low energy"
    assert picture.evaluate("(e) => e.naturalWidth") == 240
    outline = box_of_outline(page, "R-CC", ".layer-annotation .outline")
    shown = screenshot(page, "R-CC")[:, :, 0]
    columns = np.nonzero(shown > 230)[1]
    assert float(np.median(columns)) == pytest.approx((outline[0] + outline[2]) / 2, abs=4)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_page_is_accessible(open_case, run, accessible, theme: str) -> None:
    page = open_case(f"?run={run.pk}")
    page.evaluate("(theme) => { document.documentElement.dataset.bsTheme = theme; }", theme)
    accessible(".viewer")
