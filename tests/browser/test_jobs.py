"""The jobs pages in a browser: no accessibility finding, no policy violation, cancelled and followed by keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.webapp import records
from webapp.accounts.models import Project, User
from webapp.jobs import places
from webapp.jobs.models import Job, JobState

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SignIn = Callable[..., Page]


@pytest.fixture
def project() -> Project:
    return records.make_project()


@pytest.fixture
def curator(project: Project) -> User:
    return records.make_member(project, "curator")


def make_job(project: Project, name: str, state: JobState, **fields: Any) -> Job:
    return Job.objects.create(project=project, kind="import", name=name, state=state, **fields)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_jobs_pages_are_accessible_in_both_themes(
    live_server: LiveServer, sign_in: SignIn, project: Project, curator: User, accessible: Any, theme: str
) -> None:
    make_job(project, "Import 1", JobState.RUNNING, fraction=0.4, message="file 4 of 10", seconds_left=90, attempt=1)
    make_job(project, "Import 2", JobState.QUEUED)
    failed = make_job(project, "Import 3", JobState.FAILED, attempt=3, error="The archive ends early. Upload it again.")
    log = places.log_file(failed)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("reading the archive\n")
    page = sign_in(curator)
    for address in ("jobs/", f"jobs/{failed.pk}/"):
        page.goto(f"{live_server.url}/{project.slug}/{address}")
        page.evaluate("theme => document.documentElement.setAttribute('data-bs-theme', theme)", theme)
        accessible()
    expect(page.locator("[data-log]")).to_have_text("reading the archive\n")


def test_a_waiting_job_is_cancelled_without_the_mouse(
    live_server: LiveServer, sign_in: SignIn, project: Project, curator: User
) -> None:
    first = make_job(project, "Import 1", JobState.QUEUED)
    second = make_job(project, "Import 2", JobState.QUEUED)
    page = sign_in(curator)
    page.goto(f"{live_server.url}/{project.slug}/jobs/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(f"[data-job-id='{second.pk}']")).to_be_focused()
    page.keyboard.press("c")
    page.wait_for_url(f"**/jobs/{second.pk}/")
    expect(page.locator("[data-job-chip]").first).to_have_text("Cancelled")
    states = dict(Job.objects.values_list("pk", "state"))
    assert states == {first.pk: JobState.QUEUED, second.pk: JobState.CANCELLED}


def test_a_row_opens_its_job_and_the_log_is_followed_by_a_key(
    live_server: LiveServer, sign_in: SignIn, project: Project, curator: User
) -> None:
    job = make_job(project, "Import 1", JobState.FAILED, error="The archive ends early. Upload it again.")
    page = sign_in(curator)
    page.goto(f"{live_server.url}/{project.slug}/jobs/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{job.pk}/")
    expect(page.get_by_text("The archive ends early.").first).to_be_visible()
    follow = page.locator("[data-log-follow]")
    expect(follow).to_be_checked()
    page.keyboard.press("l")
    expect(follow).not_to_be_checked()
