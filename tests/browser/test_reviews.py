"""A radiologist works through what a run missed: from the results, by the keyboard, to the breakdown."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from tests.webapp import experiment_records, records
from tests.webapp.experiment_records import finish_all, seen
from webapp.accounts.models import User
from webapp.cases.models import Image
from webapp.reviews.models import Answer, Reveal, ReviewQueue, Visit

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SignIn = Callable[..., Page]
PICTURES = os.environ.get("CEMLAB_SCREENSHOTS")
"""A folder to leave pictures in, for a person to look at."""
READY = "document.querySelector('[data-case-viewer]')?.dataset.ready === 'true'"
OUTLINES = "document.querySelectorAll('.viewer-overlay .layer-annotation:not(.off) .stroke').length"


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.wait_for_timeout(500)
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


def fetched_ahead(page: Page, asked: list[str], ahead: list[str]) -> None:
    """Wait until the frames of the next case were asked for."""
    for _ in range(600):
        if all(any(part in url for url in asked) for part in ahead):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"not fetched ahead: {ahead} among {asked}")


def saved_in_time(page: Page) -> None:
    """Wait until a pause in typing has saved the note."""
    for _ in range(600):
        if Answer.objects.filter(note="behind the nipple, faint").exists():
            return
        page.wait_for_timeout(100)
    pytest.fail("the note was not saved while typing paused")


@pytest.fixture
def radiologist() -> User:
    project = records.make_project()
    researcher = records.make_member(project, "researcher")
    version = experiment_records.make_version(project, 48, external=0, with_files=True)
    experiment = experiment_records.launch(project, researcher, version, ratios=(0.0,))
    finish_all(experiment, lambda run: seen(0.0, also_wrong=True))
    return records.make_member(project, "radiologist", "reader-a")


def test_from_the_results_through_the_queue_to_the_breakdown(
    live_server: LiveServer, sign_in: SignIn, radiologist: User, accessible: Any, until: Any
) -> None:
    page = sign_in(radiologist)
    page.goto(f"{live_server.url}/study/review/")
    page.keyboard.press("n")
    page.wait_for_url("**/review/new/**")
    page.goto(f"{live_server.url}/study/results/1/")
    page.click("text=Review the misses")
    page.wait_for_url("**/review/new/**")
    page.click("text=Make the queue")
    page.wait_for_url("**/review/1/")
    size = ReviewQueue.objects.get().size
    assert size >= 10
    accessible()
    picture(page, "review-queue-new")

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.keyboard.press("n")
    page.wait_for_url("**/review/1/1/**")
    until(READY)
    until("document.querySelectorAll('.pane-image canvas').length > 0")
    assert page.evaluate(OUTLINES) == 0
    assert "Why was it missed" not in page.content()
    accessible()
    picture(page, "review-look")

    following = Image.objects.filter(view__exam__views__review_items__position=2).exclude(view__origin="synthetic")
    ahead = [f"/images/{image.pk}/frames/1" for image in following.distinct()]
    assert ahead
    fetched_ahead(page, asked, ahead)

    page.keyboard.press("1")  # no reason before the reveal, and no layer hidden by it
    until("document.querySelector('#review-after').textContent.includes('Reveal first')")
    page.keyboard.press("v")  # nothing is there to hide, and nothing is hidden when it comes
    assert "Look" in page.inner_text("#review-steps [aria-current]")
    page.keyboard.press("r")
    until(f"{OUTLINES} > 0")
    assert "Reason" in page.inner_text("#review-steps [aria-current]")
    accessible()
    picture(page, "review-revealed")
    page.keyboard.press("v")
    until("document.querySelectorAll('.viewer-overlay .layer-annotation:not(.off)').length === 0")
    page.keyboard.press("v")
    page.keyboard.press("c")
    page.keyboard.type("behind the nipple")
    page.keyboard.press("Escape")
    until("document.querySelector('#review-after').textContent.includes('Choose a reason')")
    assert not Answer.objects.exists()
    page.reload()
    until(READY)
    assert page.input_value("#review-note") == "behind the nipple"
    page.keyboard.press("3")
    until("document.querySelector('#review-after').textContent.includes('Saved')")
    until("document.querySelector('#review-positions').textContent.includes('1 answered')")
    page.keyboard.press("c")
    page.keyboard.press("End")
    page.keyboard.type(", faint")
    until("document.querySelector('#review-after').textContent.includes('Saved')")
    saved_in_time(page)
    page.keyboard.press("Escape")
    picture(page, "review-answered")

    page.keyboard.press("n")
    page.wait_for_url("**/review/1/2/**")
    until(READY)
    page.focus("[data-hotkey=r]")
    page.keyboard.press("Enter")
    until(f"{OUTLINES} > 0")
    assert page.evaluate("document.activeElement.closest('#review-panel') !== null")  # Tab goes on in the panel
    page.keyboard.press("5")
    page.keyboard.press("n")  # the answer on its way is not lost
    page.wait_for_url("**/review/1/3/**")
    until(READY)
    page.keyboard.press("s")
    page.wait_for_url("**/review/1/4/**")

    page.reload()
    until(READY)
    page.goto(f"{live_server.url}/study/review/1/")
    page.click("text=Continue at 4")
    page.wait_for_url("**/review/1/4/**")
    for position in range(4, size + 1):
        page.wait_for_url(f"**/review/1/{position}/**")
        until(READY)
        page.keyboard.press("r")
        until("document.querySelector('#review-panel [name=reason]') !== null")
        page.keyboard.press("3" if position % 2 else "0")
        until("document.querySelector('#review-after').textContent.includes('Saved')")
        page.keyboard.press("n")
    page.wait_for_url("**/review/1/3/**")  # what was skipped comes last
    until(READY)
    page.keyboard.press("u")
    until("document.querySelector('#review-after').textContent.includes('Not answered')")
    page.keyboard.press("r")
    until("document.querySelector('#review-panel [name=reason]') !== null")
    page.keyboard.press("3")
    until("document.querySelector('#review-after').textContent.includes('To the breakdown')")
    page.keyboard.press("n")
    page.wait_for_url("**/review/1/")
    until("document.querySelectorAll('#reasons-site .barlayer .trace').length > 0")
    picture(page, "review-breakdown")

    assert Reveal.objects.count() == size
    assert Answer.objects.filter(current=True, state="answered").count() == size
    first = Answer.objects.get(item__position=1, current=True)
    assert (first.reason, first.note) == ("dense", "behind the nipple, faint")
    visits = Visit.objects.filter(item__position=1)
    assert {one.revealed for one in visits} == {False, True}
    # what was looked at after the last answer counts too
    assert sum(one.seconds for one in visits) > first.seconds > 0
    assert {one.item_id for one in Visit.objects.all()} == {one.item_id for one in Answer.objects.all()}
    assert [one.state for one in Answer.objects.filter(item__position=3)] == ["skipped", "withdrawn", "answered"]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_pages_are_accessible(
    live_server: LiveServer, sign_in: SignIn, radiologist: User, accessible: Any, until: Any, theme: str
) -> None:
    from webapp.experiments.models import Run
    from webapp.reviews import services

    project = radiologist.memberships.get().project
    queue = services.create_queue(
        actor=radiologist, project=project, run=Run.objects.get(), test_set="internal_test", kind="missed"
    )
    for item in queue.items.all():
        services.reveal(actor=radiologist, item=item, seconds=3)
        services.answer(
            actor=radiologist, item=item, state="answered", reason="small" if item.position % 3 else "edge", seconds=9
        )
    page = sign_in(radiologist)
    page.goto(f"{live_server.url}/study/review/")
    page.evaluate(f"localStorage.setItem('cemlab.theme', '{theme}')")
    for path in ("review/", "review/new/", "review/1/", "review/experiments/1/", "review/1/2/"):
        page.goto(f"{live_server.url}/study/{path}")
        if path.endswith("/2/"):
            until(READY)
        accessible()
        picture(page, f"reviews-{theme}-{path.strip('/').replace('/', '-')}")
    page.goto(f"{live_server.url}/study/review/experiments/1/")
    until("document.querySelectorAll('#reasons-arm .barlayer .trace').length > 0")
    page.focus("#reasons-arm [data-chart-area]")
    page.keyboard.press("ArrowRight")
    until("document.querySelector('#reasons-arm [data-chart-reading]').textContent.includes('n=')")
    page.keyboard.press("Enter")
    page.wait_for_url("**/review/answers/**")
    accessible()
