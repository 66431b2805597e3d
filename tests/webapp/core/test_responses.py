"""What every response carries, and what people see when something goes wrong."""

from __future__ import annotations

import asyncio

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path

from tests.webapp import records
from webapp.core import middleware

pytestmark = pytest.mark.django_db
SECRET = "the inner workings"


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError(SECRET)


def wide(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("wide")
    response.csp_overrides = {"script-src": "'self' 'unsafe-eval'"}  # type: ignore[attr-defined]
    return response


handler400 = "webapp.core.error_pages.bad_request"
handler403 = "webapp.core.error_pages.forbidden"
handler404 = "webapp.core.error_pages.not_found"
handler500 = "webapp.core.error_pages.server_error"
urlpatterns = [
    path("broken/", broken),
    path("wide/", wide),
    path("", include("webapp.urls")),
]
with_broken_page = override_settings(ROOT_URLCONF=__name__)


def policy(response) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in response["Content-Security-Policy"].split("; "))


@pytest.fixture
def signed_in() -> Client:
    signed_in = Client(raise_request_exception=False)
    signed_in.force_login(records.make_member(records.make_project(), "observer"))
    return signed_in


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/projects/", 302),
        ("/sign-in/?next=/x/", 302),
        ("/study/jobs/", 200),
        ("/style-guide/", 200),
        ("/health/", 200),
        ("/nothing/here/", 404),
        ("/study/people/", 403),
        ("/broken/", 500),
        ("/api/v1/projects/", 200),
        ("/api/v1/projects/none/", 404),
        ("/static/app/favicon.svg", 200),
        ("/static/none.js", 404),
    ],
)
@with_broken_page
def test_every_response_carries_the_strict_policy(signed_in: Client, address: str, status: int) -> None:
    response = signed_in.get(address)
    if address.endswith("favicon.svg") and response.status_code == 404:
        pytest.skip("the browser part is not built")
    assert response.status_code == status
    assert policy(response) == middleware.POLICY
    assert response["X-Content-Type-Options"] == "nosniff"
    if response.streaming:
        b"".join(response)  # reading to the end closes the file


def test_the_policy_allows_no_inline_script_and_nothing_from_elsewhere() -> None:
    assert middleware.POLICY["default-src"] == "'none'"
    assert middleware.POLICY["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert middleware.POLICY["style-src"] == "'self'"
    assert not [sources for sources in middleware.POLICY.values() if "http" in sources or "*" in sources]


@with_broken_page
def test_a_page_widens_its_own_directive_only(signed_in: Client) -> None:
    found = policy(signed_in.get("/wide/"))
    assert found == middleware.POLICY | {"script-src": "'self' 'unsafe-eval'"}
    assert policy(signed_in.get("/health/")) == middleware.POLICY


def test_asynchronous_responses_carry_the_policy_too() -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("")

    response = asyncio.run(middleware.content_security_policy(view)(HttpRequest()))
    assert policy(response) == middleware.POLICY


@with_broken_page
def test_a_failure_shows_a_page_without_inner_workings(signed_in: Client) -> None:
    response = signed_in.get("/broken/")
    page = response.content.decode()
    assert response.status_code == 500
    assert "CEMLab" in page
    assert SECRET not in page and "Traceback" not in page and "RuntimeError" not in page


def test_what_does_not_exist_and_what_one_may_not_see_look_alike(signed_in: Client) -> None:
    records.make_project("secret")
    hidden, missing = signed_in.get("/secret/jobs/"), signed_in.get("/nonsense/jobs/")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.content.replace(b"secret", b"") == missing.content.replace(b"nonsense", b"")
    assert "Traceback" not in hidden.content.decode()


def test_a_refusal_says_why_and_whom_to_ask(signed_in: Client) -> None:
    response = signed_in.get("/study/people/")
    assert response.status_code == 403
    assert "ask an admin of the project" in response.content.decode()


def test_an_impossible_request_gets_a_page(signed_in: Client) -> None:
    with override_settings(ALLOWED_HOSTS=["localhost"]):
        response = signed_in.get("/health/", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert "Traceback" not in response.content.decode() and "DisallowedHost" not in response.content.decode()


def test_a_form_without_its_key_is_refused_with_a_page() -> None:
    signed_in = Client(enforce_csrf_checks=True)
    response = signed_in.post("/sign-in/", {"username": "x", "password": "y"})
    assert response.status_code == 403
    assert "CSRF" not in response.headers.get("Location", "")
    assert policy(response) == middleware.POLICY
