"""A researcher finds a model, decides about it, applies it to chosen cases and opens its findings in the viewer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from tests.webapp import experiment_records, records, registry_records
from tests.webapp.experiment_records import finish_all, graded
from webapp.accounts.models import User
from webapp.experiments.models import Run
from webapp.registry.models import HistoryEntry, ModelApplication

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SignIn = Callable[..., Page]
PICTURES = os.environ.get("CEMLAB_SCREENSHOTS")
"""A folder to leave pictures in, for a person to look at."""
READY = "document.querySelector('[data-case-viewer]')?.dataset.ready === 'true'"
BOXES = "document.querySelectorAll('.viewer-overlay .layer-prediction:not(.off) .stroke').length"


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.wait_for_timeout(500)
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)


@pytest.fixture
def researcher() -> User:
    project = records.make_project()
    person = records.make_member(project, "researcher", "ruth")
    version = experiment_records.make_version(project, 24, external=4, with_files=True)
    experiment = experiment_records.launch(project, person, version, ratios=(0.0, 1.0))
    finish_all(experiment, lambda run: graded(run.arm.position))
    for run in Run.objects.order_by("arm__position"):
        registry_records.register(run)
    return person


def test_from_the_model_to_its_findings_on_a_case(
    live_server: LiveServer, sign_in: SignIn, researcher: User, accessible: Any, until: Any
) -> None:
    page = sign_in(researcher)
    page.goto(f"{live_server.url}/study/models/")
    page.select_option("[name=experiment]", "1")
    page.wait_for_url("**experiment=1**")
    accessible()
    picture(page, "models")
    page.click("#models-table >> text=Real + 0 %")
    page.wait_for_url("**/models/1/")
    accessible()

    page.keyboard.press("Shift+P")
    page.fill("#promote-reason", "Best on validation.")
    page.click("dialog[open] >> button[type=submit]")
    until("document.querySelector('h1').textContent.includes('Promoted')")
    page.keyboard.press("a")
    page.fill("#annotate-reason", "For the reader study.")
    page.keyboard.press("Enter")
    until("document.querySelector('#history').textContent.includes('For the reader study.')")
    picture(page, "model")
    assert list(HistoryEntry.objects.filter(model__number=1).values_list("stage", "text"))[1:] == [
        ("promoted", "Best on validation."),
        ("", "For the reader study."),
    ]

    page.keyboard.press("n")
    page.wait_for_url("**/models/apply/**")
    assert page.input_value("#id_model") == str(Run.objects.get(arm__position=0).registered_model.pk)
    page.click("text=See what it would do")
    until(
        "document.querySelector('main').textContent.includes('are in the model\\u2019s') || "
        "document.querySelector('main').textContent.includes('training data')"
    )
    accessible()
    picture(page, "apply")
    page.click("button[name=start]")
    page.wait_for_url("**/models/applications/1/")
    accessible()
    picture(page, "application-waiting")

    application = registry_records.finish(ModelApplication.objects.get(), registry_records.by_place)
    page.reload()
    until("document.querySelectorAll('#scores .barlayer .point').length > 0")
    accessible()
    picture(page, "application")
    best = application.views.exclude(highest_score=None).order_by("-highest_score", "view__exam__number").first()
    assert best is not None
    page.click("#views-table tbody tr:first-child td:nth-child(2) a")
    page.wait_for_url(f"**/cases/{best.view.exam.number}/?application=1")
    until(READY)
    until(f"{BOXES} > 0")
    assert page.input_value("[data-run]") == "application-1"
    accessible()
    picture(page, "application-viewer")

    set_score = "(e) => { e.value = 0.2; e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change')); }"
    page.locator("[data-score]").evaluate(set_score)
    page.keyboard.press("1")
    here = best.view.exam.number
    last = here == best.view.exam.project.exams.count()
    for key, number in (("Shift+N", here - 1), ("n", here)) if last else (("n", here + 1), ("Shift+N", here)):
        page.keyboard.press(key)
        page.wait_for_url(f"**/cases/{number}/?**")
        until(READY)
        assert page.input_value("[data-run]") == "application-1"
        for part in ("application=1", "score=0.2", "off=annotation"):
            assert part in page.url
        assert page.locator("[data-score]").input_value() == "0.2"
        assert not page.locator("[data-layer=annotation]").is_checked()
    until(f"{BOXES} > 0")

    page.select_option("[data-run]", "")
    until(f"{BOXES} === 0")
    assert "application" not in page.url
    page.select_option("[data-run]", "application-1")
    until(f"{BOXES} > 0")
    assert "application=1" in page.url


def test_cases_of_the_present_filter_are_carried_to_the_form(
    live_server: LiveServer, sign_in: SignIn, researcher: User, accessible: Any
) -> None:
    page = sign_in(researcher)
    page.goto(f"{live_server.url}/study/cases/?site=B")
    page.click("text=Apply a model: all 4")
    page.wait_for_url("**/models/apply/")
    assert "4 chosen cases" in page.inner_text("main")
    page.click("text=See what it would do")
    page.wait_for_selector("button[name=start]")
    assert "site=B" in page.inner_text("main")
    accessible()
    page.click("button[name=start]")
    page.wait_for_url("**/models/applications/1/")
    assert ModelApplication.objects.get().size == 8


@pytest.mark.parametrize("width", [360, 2560])
def test_the_pages_fit_narrow_and_wide_windows(
    live_server: LiveServer, sign_in: SignIn, researcher: User, width: int
) -> None:
    model = Run.objects.get(arm__position=0).registered_model
    registry_records.finish(registry_records.start(model, researcher), registry_records.by_place)
    page = sign_in(researcher)
    page.set_viewport_size({"width": width, "height": 900})
    for path in ("models/", "models/1/", "models/apply/", "models/applications/", "models/applications/1/"):
        page.goto(f"{live_server.url}/study/{path}")
        picture(page, f"registry-{width}-{path.strip('/').replace('/', '-')}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
