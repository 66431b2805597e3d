"""Pages of jobs: what is shown to whom."""

from __future__ import annotations

import pytest
from django.test import Client

from webapp.accounts.models import Project
from webapp.core.errors import UserError
from webapp.jobs import execution, lease
from webapp.jobs.models import JobState

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in(person):
    def make(role: str) -> Client:
        client = Client()
        client.force_login(person(role))
        return client

    return make


def fail(context):
    context.log("looked everywhere")
    raise UserError("File 3 is not an image: remove it.")


def test_the_list_groups_running_waiting_with_position_and_ended(submit, signed_in) -> None:
    execution.run_here(submit(fail, name="Broken import"))
    submit(name="First in line")
    submit(name="Second in line")
    page = signed_in("researcher").get("/alpha/jobs/").content.decode()
    assert "Nothing runs." in page
    assert (
        page.index("First in line")
        < page.index("Second in line")
        < page.index("1 earlier job goes first. How long is not known yet.")
    )
    assert "File 3 is not an image: remove it." in page
    assert page.count("data-job-cancel") == 2 and page.count("data-job-retry") == 1


def test_the_job_page_tells_events_failure_and_log(submit, signed_in) -> None:
    job = execution.run_here(submit(fail))
    page = signed_in("observer").get(f"/alpha/jobs/{job.pk}/").content.decode()
    for words in ("Queued.", "Started.", "Failed: File 3 is not an image", "looked everywhere"):
        assert words in page
    assert "data-job-retry" not in page, "an observer cannot retry"


def test_the_log_continues_where_the_page_stopped(submit, signed_in) -> None:
    job = execution.run_here(submit(fail))
    client = signed_in("observer")
    first = client.get(f"/alpha/jobs/{job.pk}/log/").json()
    assert first["text"].endswith("looked everywhere\n") and first["active"] is False
    again = client.get(f"/alpha/jobs/{job.pk}/log/", {"from": first["position"]}).json()
    assert again == {"text": "", "position": first["position"], "active": False}


def test_cancel_and_retry_answer_with_the_job_page(submit, signed_in) -> None:
    job = submit()
    client = signed_in("curator")
    for action, state in (("cancel", JobState.CANCELLED), ("retry", JobState.QUEUED)):
        answer = client.post(f"/alpha/jobs/{job.pk}/{action}/", follow=True)
        assert answer.redirect_chain == [(f"/alpha/jobs/{job.pk}/", 302)]
        job.refresh_from_db()
        assert job.state == state
    client.post(f"/alpha/jobs/{job.pk}/cancel/")
    words = client.post(f"/alpha/jobs/{job.pk}/cancel/", follow=True).content.decode()
    assert "has ended already; there is nothing to cancel." in words


def test_what_is_said_depends_on_whether_the_job_had_started(submit, signed_in) -> None:
    client = signed_in("curator")

    def said(job, action: str) -> str:
        return client.post(f"/alpha/jobs/{job.pk}/{action}/", follow=True).content.decode()

    waiting = submit(name="Waits")
    assert "“Waits” is cancelled; it had not started." in said(waiting, "cancel")
    assert "“Waits” is queued again." in said(waiting, "retry")
    running = submit(name="Runs")
    assert lease.claim(running.pk, lease.new_token())
    assert "“Runs” is stopping." in said(running, "cancel")


def test_observers_are_refused_with_words_and_get_is_no_action(submit, signed_in) -> None:
    job = submit()
    client = signed_in("observer")
    answer = client.post(f"/alpha/jobs/{job.pk}/cancel/")
    assert answer.status_code == 403 and "does not let you cancel" in answer.content.decode()
    assert client.get(f"/alpha/jobs/{job.pk}/cancel/").status_code == 405
    job.refresh_from_db()
    assert job.state == JobState.QUEUED


PATHS = ["", "live.json", "stream", "{number}/", "{number}/status/", "{number}/log/"]


@pytest.mark.parametrize("path", PATHS)
def test_outsiders_see_nothing_and_anonymous_visitors_sign_in(submit, signed_in, path) -> None:
    address = "/alpha/jobs/" + path.format(number=submit().pk)
    outsider = signed_in("outsider").get(address)
    if path != "stream":  # refused by the synchronous test server before anything else; see test_stream
        assert outsider.status_code == 404
        assert Client().get(address).status_code in {302, 401}


def test_a_job_of_another_project_is_not_found(submit, signed_in) -> None:
    other = submit(project=Project.objects.create(slug="beta", name="Beta"))
    client = signed_in("admin")
    for path in ("", "status/", "log/"):
        assert client.get(f"/alpha/jobs/{other.pk}/{path}").status_code == 404
    assert client.post(f"/alpha/jobs/{other.pk}/cancel/").status_code == 404


def test_polling_gives_active_jobs_and_how_others_ended_lately(submit, signed_in) -> None:
    ended, queued = execution.run_here(submit(fail)), submit(name="Waits")
    rows = {row["id"]: row for row in signed_in("observer").get("/alpha/jobs/live.json").json()["jobs"]}
    assert rows[ended.pk]["state"] == "failed" and rows[queued.pk]["state"] == "queued"
    assert rows[queued.pk]["url"] == f"/alpha/jobs/{queued.pk}/"
    assert "payload" not in rows[queued.pk] and "token" not in rows[queued.pk]


def test_the_strip_shows_the_persons_own_running_job_first(submit, person) -> None:
    me, other = person("researcher"), person("curator")
    for owner, name in ((other, "Not mine"), (me, "My training")):
        lease.claim(submit(created_by=owner, name=name).pk, lease.new_token())
    submit()
    client = Client()
    client.force_login(me)
    page = client.get("/alpha/jobs/").content.decode()
    strip = page[page.index('id="status-strip"') :]
    assert "My training" in strip and "Not mine" not in strip
    assert "1 more running, 1 waiting" in strip
