"""Simulation in a browser: the form, a batch followed to its end, the gallery by keyboard, a case once more."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.webapp.simulations.conftest import Study, study
from webapp.jobs.execution import run_all_here
from webapp.simulations import services
from webapp.simulations.models import SimulationBatch, SyntheticVerdict, SyntheticView

__all__ = ["study"]
pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SignIn = Callable[..., Page]
PICTURES = os.environ.get("CEMLAB_SCREENSHOTS")
"""A folder to leave pictures in, for a person to look at."""


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))
        page.screenshot(path=str(Path(PICTURES) / f"{name}-whole.png"), full_page=True)


@pytest.fixture(autouse=True)
def pixel_size_may_be_unknown(clean_console: Any) -> None:
    clean_console.allow("422")  # the answer to a form with errors


def test_the_form_counts_hosts_and_cases_while_it_is_filled_in(
    live_server: LiveServer, sign_in: SignIn, study: Study, accessible: Any, until: Any
) -> None:
    page = sign_in(study.researcher)
    page.goto(f"{live_server.url}/study/simulation/")
    accessible()
    page.keyboard.press("n")
    page.wait_for_url("**/simulation/new/")
    accessible()
    picture(page, "simulation-new")
    assert page.input_value("#id_seed").isdigit()
    matching = page.locator("#matching-hosts")
    free = int(matching.inner_text())

    page.select_option("#id_lesions", "any")
    expect(matching).to_have_text(str(2 * free))
    page.get_by_label("Right").check()
    expect(matching).to_have_text(str(free))
    page.fill("#id_ratio_malignant", "200")
    page.fill("#id_ratio_benign", "0")
    expect(page.locator("#wanted-benign")).to_have_text("0")

    page.get_by_text("Van Camp 2024 literal").click()
    until("document.querySelector('#id_set-site_selection').value === 'best'")
    assert page.input_value("#id_ratio_malignant") == "200" and page.get_by_label("Right").is_checked()

    page.fill("#id_without", "nobody")
    page.fill("#id_ratio_malignant", "900")
    page.keyboard.press("Control+Enter")
    until("document.querySelector('[data-error-summary]') !== null")
    summary = page.locator("[data-error-summary]")
    expect(summary).to_contain_text("Patients left out")
    expect(summary).to_contain_text("Malignant, share of real clusters")
    assert page.input_value("#id_without") == "nobody" and page.get_by_label("Right").is_checked()
    accessible()
    picture(page, "simulation-errors")
    assert not SimulationBatch.objects.exists()


def test_one_case_is_tried_before_the_batch(
    live_server: LiveServer, sign_in: SignIn, study: Study, accessible: Any
) -> None:
    page = sign_in(study.researcher)
    page.goto(f"{live_server.url}/study/simulation/new/")
    page.get_by_role("button", name="Try one").click()
    expect(page.locator("#sample")).to_contain_text("waits")
    run_all_here()
    expect(page.locator("#sample [data-tile]").first).to_be_visible()
    accessible()
    picture(page, "simulation-tried")
    assert SimulationBatch.objects.get().purpose == "trial"


def test_a_batch_is_followed_looked_through_by_keys_and_a_case_made_again(
    live_server: LiveServer, sign_in: SignIn, study: Study, accessible: Any, until: Any
) -> None:
    page = sign_in(study.researcher)
    page.goto(f"{live_server.url}/study/simulation/new/")
    page.get_by_text("Number of cases").click()
    page.fill("#id_wanted_malignant", "4")
    page.fill("#id_wanted_benign", "3")
    expect(page.locator("#wanted-benign")).to_have_text("3")
    page.fill("#id_seed", "11")
    page.get_by_role("button", name="Simulate 7 cases").click()
    page.wait_for_url("**/simulation/1/")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    accessible()
    run_all_here()
    tiles = page.locator("[data-gallery] [data-tile]")
    expect(tiles).to_have_count(7)
    expect(page.locator("#batch-status")).to_contain_text("7 of 7")
    page.reload()
    until("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    until("document.querySelectorAll('.js-plotly-plot .scatterlayer .trace').length >= 10")
    accessible()
    picture(page, "simulation-batch")

    tiles.first.focus()
    page.keyboard.press("ArrowRight")
    expect(tiles.nth(1)).to_be_focused()
    page.keyboard.press("a")
    expect(tiles.nth(1)).to_contain_text("Accepted")
    expect(tiles.nth(1)).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.down("h")
    until("document.querySelector('[data-host-shown] img').src.includes('/host/')")
    page.keyboard.up("h")
    until("document.querySelector('[data-host-shown]') === null")
    page.keyboard.press("r")
    page.keyboard.press("1")
    picture(page, "simulation-reject")
    accessible()
    page.get_by_role("dialog").get_by_role("button", name="Reject").click()
    expect(tiles.nth(2)).to_contain_text("Place is not plausible")
    assert [one.verdict for one in SyntheticVerdict.objects.all()] == ["accepted", "rejected"]

    page.select_option("select[name=quality]", "rejected")
    page.wait_for_url("**quality=rejected**")
    expect(tiles).to_have_count(1)
    page.select_option("select[name=quality]", "")
    page.wait_for_url(lambda url: "quality=rejected" not in url)
    page.select_option("select[name=sort]", "-count")
    page.wait_for_url("**sort=-count**")
    expect(tiles).to_have_count(7)
    counts = [int(text.split(" ")[0]) for text in page.locator("[data-tile] .thumbnail-note").all_inner_texts()]
    assert counts == sorted(counts, reverse=True)

    tiles.first.focus()
    page.keyboard.press("i")
    page.wait_for_url("**/views/*/")
    expect(page.get_by_role("heading", name="Full record")).to_be_visible()
    accessible()
    picture(page, "simulation-record")
    with page.expect_download() as download:
        page.keyboard.press("d")
    assert download.value.suggested_filename.endswith(".json")

    page.keyboard.press("s")
    page.wait_for_url("**/again/")
    page.fill("#id_set-mask_dilation_mm", "3")
    page.get_by_role("button", name="Simulate again").click()
    page.wait_for_url("**/simulation/2/")
    run_all_here()
    page.reload()
    expect(page.locator("#comparison")).to_contain_text("Dilation of the outline")
    expect(page.locator("#comparison")).to_contain_text("Outline, mm²")
    until("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    accessible()
    picture(page, "simulation-again")
    assert SyntheticView.objects.filter(batch__number=2).exists()


def test_enter_opens_the_case_in_the_viewer(live_server: LiveServer, sign_in: SignIn, study: Study) -> None:
    batch = study.simulate(benign=0, malignant=1)
    synthetic = batch.synthetic_views.get()
    page = sign_in(study.researcher)
    page.goto(f"{live_server.url}/study/simulation/1/")
    page.locator("[data-tile]").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/cases/*/?synthetic={synthetic.view_id}")


def test_a_stopped_batch_is_resumed_and_the_light_theme_is_accessible(
    live_server: LiveServer, sign_in: SignIn, study: Study, accessible: Any
) -> None:
    study.simulate(benign=0, malignant=2, run=False)
    page = sign_in(study.researcher)
    page.add_init_script("localStorage.setItem('cemlab.theme', 'light')")
    page.goto(f"{live_server.url}/study/simulation/1/")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    accessible()
    picture(page, "simulation-cancelled-light")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    run_all_here()
    page.reload()
    expect(page.locator("[data-tile]")).to_have_count(2)
    accessible()
    picture(page, "simulation-light")


def test_an_arm_with_the_control_says_so_on_its_experiment(
    live_server: LiveServer, sign_in: SignIn, study: Study, accessible: Any, until: Any, clean_console: Any
) -> None:
    # a button may call off the request of the panel, which htmx writes to the console
    clean_console.allow("htmx:afterRequest, [object HTML")
    clean_console.allow("htmx:sendAbort, [object HTML")
    batch = study.simulate(benign=2, malignant=2)
    services.create_control(actor=study.researcher, batch=batch)
    page = sign_in(study.researcher)
    page.goto(f"{live_server.url}/study/experiments/new/")
    page.fill("#id_name", "Control")
    page.fill("#id_hypothesis", "The gain comes from the clusters.")
    page.locator("#id_preset").get_by_text("Quick, without a GPU").click()
    until("document.querySelector('[name=set-backbone]').value !== 'resnet50'")
    page.select_option("#id_arms-2-source", "control")
    expect(page.locator("#consequences")).to_contain_text("once more with nothing inserted")
    accessible()
    picture(page, "control-design")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/experiments/1/")
    expect(page.locator("main")).to_contain_text("insert-off control")
    expect(page.locator("main")).to_contain_text("the gain does not come from the clusters")
    accessible()
    picture(page, "control-experiment")
