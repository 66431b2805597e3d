"""The design form, a run and the results in a browser: no policy violation, no accessibility finding, keys work."""

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
from webapp.accounts.models import Project, User
from webapp.experiments import services
from webapp.experiments.models import Experiment, Run

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SignIn = Callable[..., Page]
PICTURES = os.environ.get("CEMLAB_SCREENSHOTS")
"""A folder to leave pictures in, for a person to look at."""


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


@pytest.fixture
def project() -> Project:
    return records.make_project()


@pytest.fixture
def researcher(project: Project) -> User:
    return records.make_member(project, "researcher")


def ended_experiment(project: Project, researcher: User) -> Experiment:
    version = experiment_records.make_version(project, 64, external=48, with_files=True)
    experiment = experiment_records.launch(project, researcher, version, ratios=(0.0, 1.0, 2.0))
    return finish_all(experiment, lambda run: seen(0.4 + 0.2 * run.arm.position, also_wrong=True))


def test_the_design_form_follows_what_is_typed(
    live_server: LiveServer,
    sign_in: SignIn,
    project: Project,
    researcher: User,
    accessible: Any,
    until: Any,
    clean_console: Any,
) -> None:
    clean_console.allow("422")  # the answer to a design with errors
    experiment_records.make_version(project)
    page = sign_in(researcher)
    page.goto(f"{live_server.url}/study/experiments/new/")
    accessible()
    picture(page, "design")

    page.fill("#id_name", "Typed before the arms changed")
    page.press("#id_name", "Enter")
    assert page.locator("[name^=arms-][name$=-name]").count() == 3
    page.fill("#id_arms-1-malignant", "300")
    until("document.querySelector('#arm-1-cases').textContent.trim().split(/\\s/)[0] !== '0'")
    page.click("button[value=add-arm]")
    until("document.querySelectorAll('[name^=arms-][name$=-name]').length === 4")
    assert page.input_value("#id_name") == "Typed before the arms changed"
    assert page.input_value("#id_arms-1-malignant") == "300"

    page.click("#id_preset >> text=Quick, without a GPU")
    until("document.querySelector('[name=\"set-backbone\"]').value !== 'resnet50'")
    page.fill("#id_seeds", "")
    until("document.querySelector('#consequences button[type=submit]').disabled")
    picture(page, "design-missing")
    page.fill("#id_seeds", "0")
    until("!document.querySelector('#consequences button[type=submit]').disabled")
    page.keyboard.press("Control+Enter")
    until("document.querySelector('[data-error-summary]') !== null")
    assert page.input_value("#id_name") == "Typed before the arms changed"
    picture(page, "design-errors")
    accessible()


PANELS = ":is(#panel-sensitivity, #panel-precision, #panel-auc)"


def test_the_results_draw_three_panels_without_breaking_the_policy(
    live_server: LiveServer, sign_in: SignIn, project: Project, researcher: User, accessible: Any, until: Any
) -> None:
    ended_experiment(project, researcher)
    page = sign_in(researcher)
    page.goto(f"{live_server.url}/study/results/1/")
    until(f"document.querySelectorAll('{PANELS} .scatterlayer .trace').length === 18")
    accessible()
    picture(page, "results")

    page.uncheck("[data-series=malignant_mass]")
    until(f"document.querySelectorAll('{PANELS} .scatterlayer .trace').length === 12")
    page.focus("#panel-sensitivity [data-chart-area]")
    page.keyboard.press("ArrowRight")
    until("document.querySelector('#panel-sensitivity [data-chart-reading]').textContent.includes('n=')")
    page.keyboard.press("Enter")
    # the viewer, on the first of the cases behind the point, and the list from there
    page.wait_for_url("**/study/cases/**behind=**")
    page.locator("#behind-title + p a").click()
    page.wait_for_url("**/results/1/lesions/**")
    until("[...document.images].every((image) => image.complete)")
    accessible()
    picture(page, "cases")


def test_a_run_shows_its_curves_live(
    live_server: LiveServer, sign_in: SignIn, project: Project, researcher: User, accessible: Any, until: Any
) -> None:
    version = experiment_records.make_version(project)
    changes = {"epochs": 12, "best_epoch": "validation_loss"}
    experiment = experiment_records.launch(project, researcher, version, ratios=(0.0,), changes=changes)
    run = Run.objects.get(arm__experiment=experiment)
    for epoch in range(1, 9):
        services.record_metrics(
            run=run,
            epoch=epoch,
            metrics={"training_loss": 1 / epoch, "validation_loss": 0.3 + 0.1 * abs(epoch - 5), "learning_rate": 5e-4},
            attempt=1 if epoch < 4 else 2,
        )
    page = sign_in(researcher)
    page.goto(f"{live_server.url}/study/experiments/1/runs/0-0/")
    until("document.querySelectorAll('#loss .scatterlayer .trace').length === 2")
    for words in ("resumed, attempt 2", "best so far 5"):
        until(f"document.querySelector('#loss').textContent.includes('{words}')")
    picture(page, "run")
    accessible()

    services.record_metrics(run=run, epoch=9, metrics={"training_loss": 0.1, "validation_loss": 0.1}, attempt=2)
    until("document.querySelector('#loss').textContent.includes('best so far 9')")
    page.goto(f"{live_server.url}/study/experiments/1/")
    picture(page, "experiment")
    accessible()
    page.goto(f"{live_server.url}/study/results/1/")
    picture(page, "locked")
