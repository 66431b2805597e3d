"""Signing in and out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.webapp import records
from webapp.accounts import throttle
from webapp.accounts.models import SignInAttempt, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> User:
    return records.make_member(records.make_project(), "observer", "ruth")


def sign_in(client: Client, name: str = "ruth", password: str = records.PASSWORD, address: str = "/sign-in/"):
    return client.post(address, {"username": name, "password": password})


def words(response) -> str:
    [error] = response.context["form"].non_field_errors()
    return str(error)


def test_the_right_password_opens_the_project(client: Client, person: User) -> None:
    assert sign_in(client)["Location"] == "/projects/"
    response = client.get("/projects/")
    assert response["Location"] == "/study/", "one project: straight on"


def test_an_unknown_name_and_a_wrong_password_read_alike(client: Client, person: User) -> None:
    wrong, unknown = sign_in(client, password="guess"), sign_in(client, name="nobody", password="guess")
    assert wrong.status_code == unknown.status_code == 200
    assert words(wrong) == words(unknown)


def test_a_closed_account_reads_like_an_unknown_name(client: Client, person: User) -> None:
    User.objects.update(is_active=False)
    assert words(sign_in(client)) == words(sign_in(client, name="nobody", password="guess"))


@pytest.mark.parametrize("name", ["ruth", "nobody"])
def test_after_five_failures_even_the_right_password_waits(client: Client, person: User, name: str) -> None:
    for _ in range(throttle.ALLOWED_FAILURES):
        assert "do not match" in words(sign_in(client, name=name, password="guess"))

    assert "Wait 10 minutes" in words(sign_in(client, name=name))
    assert "_auth_user_id" not in client.session


def test_another_case_of_the_name_does_not_escape_the_pause(client: Client, person: User) -> None:
    for name in ("ruth", "Ruth", "RUTH", " ruth", "rUth"):
        sign_in(client, name=name, password="guess")
    assert "Wait 10 minutes" in words(sign_in(client))


def test_after_the_pause_one_may_try_again(client: Client, person: User) -> None:
    for _ in range(throttle.ALLOWED_FAILURES):
        sign_in(client, password="guess")
    SignInAttempt.objects.update(last=timezone.now() - throttle.PAUSE - timedelta(seconds=1))
    assert sign_in(client).status_code == 302


def test_success_forgets_the_failures(client: Client, person: User) -> None:
    for _ in range(throttle.ALLOWED_FAILURES - 1):
        sign_in(client, password="guess")
    sign_in(client)
    assert not SignInAttempt.objects.exists()


def test_names_tried_are_not_stored(client: Client) -> None:
    sign_in(client, name="patient.name", password="guess")
    assert "patient" not in SignInAttempt.objects.get().key


def test_one_returns_to_the_page_that_was_asked_for(client: Client, person: User) -> None:
    asked = client.get("/study/cases/")
    assert asked["Location"] == "/sign-in/?next=/study/cases/"
    assert sign_in(client, address=asked["Location"])["Location"] == "/study/cases/"


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "http:///x.example"],
)
def test_a_next_outside_the_application_is_not_followed(client: Client, person: User, elsewhere: str) -> None:
    response = client.post("/sign-in/", {"username": "ruth", "password": records.PASSWORD, "next": elsewhere})
    assert response["Location"] == "/projects/"


def test_who_is_signed_in_is_sent_on(client: Client, person: User) -> None:
    client.force_login(person)
    assert client.get("/sign-in/")["Location"] == "/projects/"


def test_signing_out_takes_a_post(client: Client, person: User) -> None:
    client.force_login(person)
    assert client.get("/sign-out/").status_code == 405
    assert "_auth_user_id" in client.session
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert "_auth_user_id" not in client.session


def test_signing_out_needs_the_page_s_own_form(person: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person)
    assert client.post("/sign-out/").status_code == 403
    assert "_auth_user_id" in client.session


def test_a_sign_in_gets_a_fresh_session(client: Client, person: User) -> None:
    client.session["visited"] = True
    before = client.session.session_key
    sign_in(client)
    assert client.session.session_key != before
