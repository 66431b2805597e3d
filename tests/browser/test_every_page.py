"""Every page of the application in a browser: no policy violation, no error, no serious accessibility finding.

The pages come from the same table that the access tests walk, so a new page is looked at without being named here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.urls import reverse
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from tests.webapp.access_table import TABLE
from tests.webapp.test_access import values, world
from tests.webapp.world import World

__all__ = ["values", "world"]
pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SIGNED_OUT = ("accounts:sign-in",)


def addresses(names: dict[str, Any]) -> list[str]:
    """Addresses that a person opens with GET as `admin`, in the order of the table."""
    found = []
    for name, rows in TABLE.items():
        for row in rows:
            if row.method != "GET" or row.asynchronous or 200 not in row.answers or name in SIGNED_OUT:
                continue
            arguments = {argument: names[value] for argument, value in row.values.items()}
            query = {key: names[value[1:]] if value.startswith("@") else value for key, value in row.query.items()}
            found.append(reverse(name, kwargs=arguments) + (f"?{urlencode(query)}" if query else ""))
    return list(dict.fromkeys(found))


def is_page(page: Page, address: str) -> bool:
    """Whether the address answers with a whole page; data, files and parts of pages are not for axe."""
    answer = page.request.get(address)
    return "text/html" in answer.headers.get("content-type", "") and "<!doctype html>" in answer.text()[:200].lower()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_page_is_accessible_and_keeps_the_policy(
    live_server: LiveServer,
    sign_in: Callable[..., Page],
    accessible: Callable[..., None],
    clean_console: Any,
    world: World,
    values: dict[str, Any],
    theme: str,
) -> None:
    # The rows of this test have no image files behind them.
    clean_console.allow("404")
    clean_console.allow("422")
    clean_console.allow("cannot be hung")
    page = sign_in(world.people["admin"])
    page.goto(f"{live_server.url}/health/")
    page.evaluate(f"localStorage.setItem('cemlab.theme', '{theme}')")
    looked_at, wrong = 0, []
    for path in addresses(values):
        address = f"{live_server.url}{path}"
        if not is_page(page, address):
            continue
        answer = page.goto(address)
        assert answer is not None
        if answer.status != 200:
            wrong.append(f"{path}: HTTP {answer.status}")
            continue
        looked_at += 1
        try:
            accessible()
        except AssertionError as finding:
            wrong.append(f"{path}: {finding}")
    assert not wrong, "\n".join(wrong)
    assert looked_at >= 20


def test_the_sign_in_page_is_accessible(live_server: LiveServer, page: Page, accessible: Callable[..., None]) -> None:
    page.goto(f"{live_server.url}/sign-in/")

    accessible()
