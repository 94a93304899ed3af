"""A visitor's browser: Debian's chromium, driven as a person would, with everything it asks for written down.

Road: the tests of the page → here → chromium → `andrum_url` (tests/conftest.py). Promise: the back-forward cache is on, as
in her phone; a request to any other place, an error in the console or a question of the browser fails the test that
caused it. Never: a browser build of its own, a network beyond this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, Request, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Playwright switches the back-forward cache off; the phones have it on (security.md 0.11).
NOT_WANTED = ["--disable-back-forward-cache"]
ANSWER_MILLISECONDS = 15_000


@dataclass
class Visit:
    """One visitor on the page: what was asked of the network, and what the browser complained about."""

    page: Page
    requests: list[Request] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def write(self, text: str) -> None:
        """Send a message and wait for its answer."""
        self.page.fill("#text", text)
        self.page.click(".send")
        self.answered()

    def answered(self) -> None:
        """Wait until something stands after her last message."""
        self.page.wait_for_selector("#log > .hers:not(:has(~ .hers)) + .said:not(.hers)")

    def holds(self, *words: str) -> list[str]:
        """Which of the words are anywhere in the document: text, attributes, fields."""
        everything: str = self.page.evaluate(
            "document.documentElement.outerHTML + [...document.querySelectorAll('input, textarea')].map((f) => f.value)"
        )
        return [word for word in words if word in everything]


Open = Callable[..., Visit]


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Playwright itself. Not for the whole session: its loop would stand in the way of asynchronous tests elsewhere."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One chromium; each visit has a profile of its own in it."""
    running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, ignore_default_args=NOT_WANTED)
    yield running
    running.close()


@pytest.fixture
def visit(browser: Browser, andrum_url: str) -> Iterator[Open]:
    """Opens the page: `visit()`, `visit(width=320, locale="ar", javascript=False)`; further options are Playwright's.

    `load=False` leaves the page at about:blank, for tests that prepare something first.
    """
    contexts = []

    def open_page(
        path: str = "/",
        width: int = 360,
        height: int = 740,
        locale: str = "en-GB",
        javascript: bool = True,
        load: bool = True,
        **options: Any,
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            locale=locale,
            java_script_enabled=javascript,
            reduced_motion="reduce",
            **options,
        )
        contexts.append(context)
        context.set_default_timeout(ANSWER_MILLISECONDS)
        one = Visit(context.new_page())
        context.on("request", lambda request: one.requests.append(request))
        context.on("weberror", lambda error: one.problems.append(str(error.error)))
        context.on("dialog", lambda dialog: one.problems.append(f"dialog: {dialog.message}"))
        context.on(
            "console", lambda message: one.problems.append(message.text) if message.type in ("error", "warning") else None
        )
        if load:
            one.page.goto(andrum_url + path)
        return one

    yield open_page
    for context in contexts:
        context.close()
