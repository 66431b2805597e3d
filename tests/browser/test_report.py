"""Report and checklists in a browser: asked for from the keyboard, downloaded, and completed by the authors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from tests.webapp import experiment_records, records
from tests.webapp.experiment_records import finish_all, graded
from webapp.accounts.models import User
from webapp.experiments.models import Experiment
from webapp.jobs.execution import run_here
from webapp.results.models import Report

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SignIn = Callable[..., Page]


@pytest.fixture
def researcher() -> User:
    return records.make_member(records.make_project(), "researcher")


@pytest.fixture
def ended(researcher: User) -> Experiment:
    project = researcher.memberships.get().project
    version = experiment_records.make_version(project, 32, external=0)
    experiment = experiment_records.launch(project, researcher, version, ratios=(0.0, 1.0))
    return finish_all(experiment, lambda run: graded(run.arm.position))


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_report_is_asked_for_by_a_key_and_downloaded(
    live_server: LiveServer,
    sign_in: SignIn,
    ended: Experiment,
    researcher: User,
    accessible: Any,
    until: Any,
    in_theme: Any,
    picture: Any,
    theme: str,
) -> None:
    page = sign_in(researcher)
    in_theme(theme)
    page.goto(f"{live_server.url}/study/results/1/report/")
    assert "No report yet" in page.inner_text("#reports")
    accessible()
    page.keyboard.press("m")
    until("document.querySelector('#reports [data-job-id]') !== null")
    accessible()
    picture(f"report-waiting-{theme}")

    job = Report.objects.get().job
    assert job is not None
    run_here(job)
    page.reload()
    accessible()
    picture(f"report-{theme}")
    picture(f"report-narrow-{theme}", 360)
    with page.expect_download() as waiting:
        page.click("#reports a[download]")
    assert waiting.value.path().read_bytes().startswith(b"%PDF-")
    assert waiting.value.suggested_filename.startswith("experiment-1-report-")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_authors_complete_the_checklists(
    live_server: LiveServer,
    sign_in: SignIn,
    ended: Experiment,
    researcher: User,
    accessible: Any,
    until: Any,
    in_theme: Any,
    picture: Any,
    theme: str,
) -> None:
    page = sign_in(researcher)
    in_theme(theme)
    page.goto(f"{live_server.url}/study/results/1/checklists/")
    accessible()
    picture(f"checklists-{theme}")
    assert "to be written" in page.inner_text("#ethics .chip")
    page.fill("#text-ethics", "Approved by the board, 2026/1.")
    page.click("button:has-text('Save what changed')")
    until("document.querySelector('#ethics .chip').textContent.includes('filled')")
    assert "Revision 1 by" in page.inner_text("#help-ethics")
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    picture(f"checklists-narrow-{theme}", 360)
