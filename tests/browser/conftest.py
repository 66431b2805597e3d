"""Fixtures of the browser tests: a real server, a real Chromium, and a page that must stay clean.

`sign_in(user)` gives the page of a signed-in person, `in_theme(theme)` sets its theme, `until(expression)` waits,
`accessible()` asks axe, `picture(name)` leaves a picture for a person to look at.
`clean_console` (on by default) fails the test when a page broke the Content Security Policy, wrote an error to
the console, raised, or asked for something not there; `clean_console.allow(part)` accepts what a test expects.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, Response, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

# Playwright's synchronous interface runs an event loop in this thread, and Django refuses the database there.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

BUILD = Path(settings.ROOT) / "static" / "dist" / "viewer" / "build.json"
ARGUMENTS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
"""Software WebGL 2, and no calls home."""
PATIENCE = 60_000
"""Milliseconds for a page to load or to come to a state: a bound for what would hang, on a busy machine too."""
expect.set_options(timeout=PATIENCE)
PASSWORD = "correct horse battery staple"
SIZE: ViewportSize = {"width": 1600, "height": 1000}
PICTURES = os.environ.get("CEMLAB_SCREENSHOTS")
"""A folder to leave pictures in."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder is slow, and reads the database from the server's threads."""
    folder = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(folder):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The system's Chromium (or CHROMIUM), with software WebGL."""
    return {
        **browser_type_launch_args,
        "executable_path": os.environ.get("CHROMIUM") or shutil.which("chromium"),
        "args": ARGUMENTS,
    }


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """Window of the size pages are designed for, in the dark theme, without motion."""
    return {**browser_context_args, "viewport": SIZE, "color_scheme": "dark", "reduced_motion": "reduce"}


@pytest.fixture(scope="session")
def live_server() -> Iterator[LiveServer]:
    """Django as it is served: static files too go through the middleware, so that workers carry the policy.

    `live_server.url` has no slash at its end.
    """
    if not BUILD.is_file():
        pytest.fail("The browser part is not built: run `python static/build.py`, then the tests again.")
    server = LiveServer("localhost", start=False)
    server.thread.static_handler = lambda handler: handler
    server.start()
    yield server
    server.stop()


REPLACED = ("htmx:afterRequest, [object HTML", "htmx:sendAbort, [object HTML")
"""What htmx says when a newer request takes the place of an older one, as forms that follow typing ask for."""


@dataclass
class Watch:
    """What went wrong on the pages of a test. `allow(part)` accepts entries that contain `part`."""

    entries: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=lambda: list(REPLACED))

    def allow(self, part: str) -> None:
        self.allowed.append(part)

    @property
    def unexpected(self) -> list[str]:
        return [entry for entry in self.entries if not any(part in entry for part in self.allowed)]

    def console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.entries.append(f"console: {message.text[:500]}")

    def response(self, response: Response) -> None:
        if response.status >= 400:
            self.entries.append(f"HTTP {response.status} {response.url}")

    def page(self, page: Page) -> None:
        page.on("console", self.console)
        page.on("pageerror", lambda error: self.entries.append(f"raised: {str(error)[:800]}"))
        page.on("response", self.response)


VIOLATIONS = """
document.addEventListener('securitypolicyviolation', (event) =>
  console.error('policy:', event.effectiveDirective, event.blockedURI, event.sourceFile, event.lineNumber));
"""


@pytest.fixture(autouse=True)
def clean_console(context: BrowserContext) -> Iterator[Watch]:
    """Nothing may go wrong in the browser unnoticed."""
    watch = Watch()
    context.set_default_timeout(PATIENCE)
    context.add_init_script(VIOLATIONS)
    context.on("page", watch.page)
    yield watch
    assert watch.unexpected == []


@pytest.fixture
def sign_in(live_server: LiveServer, page: Page) -> Callable[..., Page]:
    """`sign_in(user)`: the page with a session of `user`; the form is tested where sign-in is."""
    from django.test import Client

    def enter(user: Any) -> Page:
        client = Client()
        client.force_login(user)
        page.context.add_cookies(
            [
                {
                    "name": settings.SESSION_COOKIE_NAME,
                    "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
                    "url": live_server.url,
                    "httpOnly": True,
                    "sameSite": "Lax",
                }
            ]
        )
        return page

    return enter


@pytest.fixture
def in_theme(page: Page, live_server: LiveServer) -> Callable[[str], None]:
    """`in_theme("light")`: pages opened from now on have this theme, as if the person had chosen it."""

    def choose(theme: str) -> None:
        page.goto(f"{live_server.url}/sign-in/")
        page.evaluate(f"localStorage.setItem('cemlab.theme', '{theme}')")

    return choose


@pytest.fixture
def picture(page: Page) -> Callable[..., None]:
    """`picture(name)`: the whole page as it stands, where CEMLAB_SCREENSHOTS names a folder."""

    def take(name: str, width: int = SIZE["width"]) -> None:
        if PICTURES:
            # the main area scrolls inside the window, so that the window must be as high as the page
            page.set_viewport_size({"width": width, "height": 2800})
            page.wait_for_timeout(500)
            page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))
            page.set_viewport_size(SIZE)

    return take


@pytest.fixture
def until(page: Page) -> Callable[..., Any]:
    """`until("expression")`: poll the page until it is loaded and the expression is truthy, and return it.

    `page.wait_for_function` needs `unsafe-eval`, which the policy rightly forbids. An expression that fails is not true
    yet: while a page leaves for the next one, its context is gone or its elements are not parsed yet. A page that is
    not loaded has its words but not its scripts: a key pressed then would be lost.
    """

    def poll(expression: str, *, seconds: float = PATIENCE / 1000) -> Any:
        end = time.monotonic() + seconds
        failure = ""
        while time.monotonic() < end:
            try:
                if value := page.evaluate(f"document.readyState === 'complete' && ({expression})"):
                    return value
                failure = ""
            except Error as error:
                failure = f" ({str(error).splitlines()[0]})"
            page.wait_for_timeout(50)
        pytest.fail(f"still not true after {seconds:.0f} s: {expression}{failure}")

    return poll


@pytest.fixture
def accessible(page: Page) -> Callable[..., None]:
    """`accessible()`: no serious or critical axe finding on the page as it stands, once it is loaded."""

    def check(context: str | None = None) -> None:
        page.wait_for_load_state()
        found = Axe().run(page, context=context).response["violations"]
        serious = [
            f"{item['id']}: {item['help']} ({', '.join(str(node['target']) for node in item['nodes'][:5])})"
            for item in found
            if item["impact"] in {"serious", "critical"}
        ]
        assert serious == []

    return check
